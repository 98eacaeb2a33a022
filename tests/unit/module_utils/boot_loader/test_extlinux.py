# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import extlinux
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from hypothesis import given, settings
from hypothesis import strategies as st

A = "label a\n linux /boot/k\n append one\n"
B = "label b\n linux /boot/k\n append two\n menu default\n"


@pytest.fixture
def read(host):
    """The menu of a host with this /boot/extlinux/extlinux.conf, and files."""

    def build(text, **files):
        for path in ("boot/k", "boot/i1", "boot/i2", "boot/extlinux/local"):
            host.write(path, "content")
        for name, content in files.items():
            host.write("boot/extlinux/" + name, content)
        host.write("boot/extlinux/extlinux.conf", text.encode("utf-8", "surrogateescape"))
        return extlinux.read(host.machine())

    return build


@pytest.mark.parametrize(
    ("label", "kernel", "initrds", "cmdline"),
    [
        ("linux /boot/k\ninitrd /boot/i1,/boot/i2\nappend ro quiet\n", "/boot/k", ("/boot/i1", "/boot/i2"), "ro quiet"),
        ("KERNEL ../k\nINITRD ../i1\n", "/boot/k", ("/boot/i1",), "all"),
        ("kernel local ro\nappend -\n", "/boot/extlinux/local", (), "ro"),
        ("kernel /boot/k\nappend initrd=/boot/i1 ro initrd=/boot/i2\n", "/boot/k", ("/boot/i2",), "ro"),
        ('linux /boot/k\nappend x="a  b" c\n', "/boot/k", (), 'x="a  b" c'),
        ("linux /boot/k\nappend x=\udcff\n", "/boot/k", (), "x=\udcff"),
        ("linux /boot/k\nfdtdir /dtb\nappend ro\n", "/boot/k", (), "ro"),
    ],
)
def test_a_label_is_read(read, label, kernel, initrds, cmdline):
    found = read("default x\nappend all\nlabel x\n menu label ^X of all\n" + label).default
    assert (found.id, found.title, found.problem) == ("x", "X of all", None)
    assert (found.kernel, found.initrds, found.cmdline) == (kernel, initrds, cmdline)


@pytest.mark.parametrize(
    ("text", "default", "problem"),
    [
        ("default a\n" + A + B, "a", None),
        ("" + A + B, "b", None),
        (A + A.replace("label a", "label c"), "a", None),
        # Under a menu program that DEFAULT names, the marked label counts; under UI, DEFAULT does.
        ("default menu.c32\n" + A + B, "b", None),
        ("default vesamenu.c32\n" + A, "a", None),
        ("ui menu.c32\ndefault a\n" + A + B, "a", None),
        ("ui menu.c32\n" + A + B, "b", None),
        ("default a\nprompt 1\ntimeout 50\nontimeout b\n" + A + B, "b", None),
        ("default a\nprompt 0\ntimeout 50\nontimeout b\n" + A + B, "a", None),
        ("default a\nprompt 1\nontimeout b\n" + A + B, "a", None),
        (A + "default b\n" + B, "b", None),
        ("default gone\n" + A, None, "the default 'gone' in /boot/extlinux/extlinux.conf is no label that starts"),
        ("default a single\n" + A, None, "the default 'a single' is a command line, not a label"),
        ("default c\nlabel c\n localboot 0\n" + A, None, "the default 'c' in"),
        ("default c\nlabel c\n kernel chain.c32\n" + A, None, "the default 'c' in"),
        ("menu save\n" + A, None, "MENU SAVE starts the entry that was started last"),
        ("timeout 5\n", None, "there is no label"),
    ],
)
def test_the_default_is_chosen_as_syslinux_does(read, text, default, problem):
    config = read(text)
    assert (config.default.id if config.default else None) == default
    assert (config.default_problem or "").startswith(problem or "")


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("linux /boot/gone\n", "the kernel /boot/gone was removed"),
        ("linux gone\n", "the kernel gone was removed"),
        ("linux /boot/k\ninitrd /boot/i1,gone\n", "the initrd gone was removed"),
        ("linux tftp::k\n", "the kernel 'tftp::k' is not a path on the boot loader's file system"),
        ("linux\n", "the kernel '' is not a path"),
    ],
)
def test_a_label_that_cannot_be_staged_says_why(read, label, problem):
    assert problem in read("label x\n" + label).default.problem


def test_a_link_out_of_boot_is_not_staged(read, host):
    host.write("home/k", "content")
    (host.root / "boot/extlinux").mkdir(parents=True)
    (host.root / "boot/extlinux/link").symlink_to("../../home/k")
    assert read("label x\nlinux link\n").default.problem == (
        "the kernel link is a symbolic link out of /boot, to /home/k"
    )


def test_included_files_belong_to_the_menu(read):
    config = read("include one\n" + A, one="menu include two\n", two="default b\n" + B)
    assert ([entry.id for entry in config.entries], config.default.id) == (["b", "a"], "b")


@pytest.mark.parametrize(
    ("text", "files", "sentence"),
    [
        ("\ninclude extlinux.conf\n", {}, "extlinux.conf line 2: the files that are included here have no end"),
        ("include a\n", {"a": "include b\n", "b": "include a\n"}, "/b line 1: the files that are included here"),
        ("include none\n", {}, "extlinux.conf line 1: the included file none was removed"),
        ("include a\ninclude a\n", {"a": ""}, "extlinux.conf line 2: /boot/extlinux/a is included for the second time"),
        ("include a\n", {"a": "\nx\0\n"}, "/boot/extlinux/a line 2: the file contains zero bytes"),
        ("include a\n", {"a": "#" * 1100000}, "/boot/extlinux/a is larger than"),
    ],
)
def test_files_that_cannot_be_read_are_refused(read, text, files, sentence):
    with pytest.raises(KexecError) as error:
        read(text, **{name: content + "\n" for name, content in files.items()})
    assert sentence in str(error.value)


def test_includes_are_followed_to_a_depth(read):
    files = {"f%d" % number: "include f%d\n" % (number + 1) for number in range(12)}
    with pytest.raises(KexecError, match="have no end"):
        read("include f0\n", f12="label x\n", **files)


@settings(max_examples=300, deadline=1000)
@given(st.text(alphabet=st.sampled_from("labeinuxkrdftmosp 01,/\n\t#\0\udcff-")))
def test_any_text_is_a_menu_or_refused(text):
    refusal = None
    try:
        extlinux.parse(text, "/x.conf")
    except KexecError as error:
        refusal = str(error)
    assert refusal is None or refusal.startswith("/x.conf line ")


LABELS = st.lists(st.sampled_from("abc"), max_size=3)
DIRECTIVES = st.lists(
    st.tuples(
        st.sampled_from(["default", "ui", "ontimeout", "timeout", "prompt", "menu save"]),
        st.sampled_from(["a", "b", "menu.c32", "5", "", "a b"]),
    ),
    max_size=4,
)


@settings(max_examples=300, deadline=1000)
@given(LABELS, DIRECTIVES)
def test_the_default_is_named_or_refused(names, directives):
    labels = tuple(extlinux.Label(name, "x", (("menu default", ""),)) for name in names)
    name, problem = extlinux.default_label(extlinux.Settings(tuple(directives), labels))
    assert bool(problem) != bool(name)
