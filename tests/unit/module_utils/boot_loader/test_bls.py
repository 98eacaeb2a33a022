# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import Rules
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import bls, grub_bls
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.links import real_path
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.mounts import leads_out
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from ansible_collections.fleetops.kexec.plugins.module_utils._survey import survey
from ansible_collections.fleetops.kexec.plugins.module_utils._target import Selection
from hypothesis import given, settings
from hypothesis import strategies as st

HEADER = "# GRUB Environment Block\n"
ENTRY = "title A\nversion 6.1\nlinux /vmlinuz-6.1\ninitrd /initrd-6.1\noptions root=/dev/vda1 ro\n"


@pytest.mark.parametrize(
    ("text", "lines", "end"),
    [
        ("title A b\nlinux /k\n", [("title", "A b"), ("linux", "/k")], None),
        ("title A\r\n  linux\t /k  \r\n", [("title", "A"), ("linux", "/k")], None),
        ("# title A\n\tlinux /k\n", [("linux", "/k")], None),
        ("options a\noptions b\ninitrd /1\ninitrd /2\n", [("options", "a"), ("options", "b"), ("initrd", "/1")], None),
        ("title A\n\nlinux /k\n", [("title", "A"), ("linux", "/k")], 2),
        ("title A\narchitecture\nlinux /k\n", [("title", "A"), ("architecture", ""), ("linux", "/k")], 2),
        ("title \udcff\udc80\n", [("title", "\udcff\udc80")], None),
        ("title no end of line", [("title", "no end of line")], None),
        ("", [], None),
    ],
)
def test_an_entry_file_is_read(text, lines, end):
    file = bls.parse(text, "/a.conf")
    assert [(line.key, line.value) for line in file.lines][: len(lines)] == lines
    assert file.end_for_grub == end


def test_keys_repeat():
    file = bls.parse("initrd /1\ntitle A\ninitrd /2\ntitle B\n", "/boot/loader/entries/x.conf")
    assert (file.name, file.values("initrd"), file.last("title"), file.last("efi")) == ("x", ("/1", "/2"), "B", None)
    assert file.first_line("title").number == 2


@settings(max_examples=300, deadline=1000)
@given(st.text(alphabet=st.sampled_from("alinuxoptitrdse \t\n\r\0#$'\"\\{};&|=/\udcff")))
def test_any_text_is_an_entry_file_or_refused(text):
    refusal = None
    try:
        grub_bls.menu_items([bls.parse(text, "/a.conf")], {"x": "y"}.get)
    except KexecError as error:
        refusal = str(error)
    assert refusal is None or refusal.startswith("/a.conf line ")


@pytest.fixture
def read(host):
    """The menu of a host whose grub.cfg is *script* and whose entry files are *files*."""

    def build(files, script="set default=$saved_entry\nblscfg\n", block="", kernels=("6.1",)):
        host.write("boot/grub/grub.cfg", "load_env\n" + script)
        host.write("boot/grub/grubenv", HEADER + block + "####")
        for kernel in kernels:
            host.write("boot/vmlinuz-" + kernel, "k")
            host.write("boot/initrd-" + kernel, "i")
        for name, text in files.items():
            host.write("boot/loader/entries/" + name, text.replace(" /", " /boot/").encode("utf-8", "surrogateescape"))
        return read_boot_loader(host.machine())

    return build


def entry(options="root=/dev/vda1 ro", more="", release="6.1"):
    return "title A\nlinux /vmlinuz-%s\ninitrd /initrd-%s\noptions %s\n%s" % (release, release, options, more)


@pytest.mark.parametrize(
    ("options", "block", "script", "cmdline"),
    [
        ("a $b c", "", "set b=x\n", "a x c"),
        ("$kernelopts $tuned_params", "kernelopts=root=/dev/vda1 ro\n", "", "root=/dev/vda1 ro"),
        ("$kernelopts $tuned_params", "kernelopts=ro\n", "set kernelopts=rw\nset tuned_params='x y'\n", "rw x y"),
        # Nothing is left of the options, so the default ones count.
        ("$kernelopts", "", "set default_kernelopts='root=/dev/sda1 rw'\n", "root=/dev/sda1 rw"),
        ('dyndbg="file a.c +p" ro', "", "", '"dyndbg=file a.c +p" ro'),
        ("init=/bin/sh\udcff", "", "", "init=/bin/sh\udcff"),
    ],
)
def test_options_are_expanded_as_grub_does(read, options, block, script, cmdline):
    config = read({"m-6.1.conf": entry(options)}, script + "blscfg\n", block)
    assert (config.entries[0].cmdline, config.entries[0].problem) == (cmdline, None)
    assert config.default == config.entries[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (entry("$kernelopts ro"), "uses the variable $kernelopts, which neither GRUB's configuration nor"),
        (entry("$kernelopts"), "uses the variable $kernelopts"),
        (entry("${b}"), "uses the variable $, which"),
        (entry(more="initrd /x$foo\n"), "uses the variable $foo"),
        (entry('a="b'), "/boot/loader/entries/m-6.1.conf line 4: the quotation that begins here has no end"),
        (entry(more="options quiet\n"), "m-6.1.conf line 5: GRUB reads only the first options line"),
        (entry().replace("options ", "options\t"), "m-6.1.conf line 4: Red Hat's GRUB takes a blank for the end"),
        (entry(release="6.2"), "the kernel /boot/vmlinuz-6.2 was removed"),
        (entry(more="initrd /initrd-none\n"), "the initrd /boot/initrd-none was removed"),
    ],
)
def test_an_entry_that_cannot_be_staged_says_why(read, text, sentence):
    config = read({"m-6.1.conf": text, "m-6.0.conf": entry()}, block="saved_entry=m-6.0\n")
    bad, good = config.entries
    assert sentence in bad.problem
    assert (good.problem, config.default) == (None, good)


def test_grub_stops_at_an_empty_line(read):
    config = read({"m-6.1.conf": "title A\nlinux /vmlinuz-6.1\n\noptions root=/dev/vda1\n"})
    assert config.entries[0].cmdline == ""


def test_files_without_a_kernel_are_no_entries(read):
    files = {"uki.conf": "title U\nefi /EFI/Linux/a.efi\n", "empty.conf": "", "x.txt": entry(), ".x.conf": entry()}
    assert read(files).entries == ()


@pytest.mark.parametrize(
    ("saved", "default", "problem"),
    [
        ("m-6.0", "m-6.0", None),
        ("B", "m-6.0", None),
        ("1", "m-6.0", None),
        ("", "m-6.1", None),
        ("7", "m-6.1", None),
        # Red Hat's GRUB takes only a whole number for one: what is not in the menu is the first entry.
        ("1a-6.0", "m-6.1", None),
        ("gone", "m-6.1", None),
        ("2", None, "starts no Linux kernel"),
    ],
)
def test_the_default_is_named_by_id_title_or_number(read, saved, default, problem):
    files = {"m-6.0.conf": entry().replace("title A", "title B"), "m-6.1.conf": entry()}
    script = "set default=$saved_entry\nblscfg\nmenuentry firmware { fwsetup; }\n"
    config = read(files, script, "saved_entry=%s\n" % saved)
    assert (config.default.id if config.default else None) == default
    assert (problem or "") in (config.default_problem or "")


def test_an_id_that_begins_with_a_digit_is_an_id(read):
    config = read({"3c1f-6.0.conf": entry(), "3c1f-6.1.conf": entry()}, block="saved_entry=3c1f-6.0\n")
    assert config.default.id == "3c1f-6.0"


def test_the_one_shot_entry_is_not_the_default(read):
    script = 'if [ "${next_entry}" ]; then set default=$next_entry; else set default=$saved_entry; fi\nblscfg\n'
    files = {"m-6.0.conf": entry(), "m-6.1.conf": entry()}
    config = read(files, script, "saved_entry=m-6.1\nnext_entry=m-6.0\n")
    assert (config.default.id, config.one_shot) == ("m-6.1", "m-6.0")


def test_names_that_grub_takes_for_one_version_are_not_staged(read):
    config = read({"m-6.1.conf": entry(), "m-6_1.conf": entry()})
    assert all("takes" in item.problem and "for one version" in item.problem for item in config.entries)


def test_microcode_goes_before_the_initrd(read, host):
    host.write("boot/ucode.img", "u")
    config = read({"m-6.1.conf": entry()}, "set early_initrd=ucode.img\nblscfg\n")
    assert config.entries[0].initrds == ("/boot/ucode.img", "/boot/initrd-6.1")


def test_the_folder_may_be_named_in_the_environment_block(read, host):
    host.write("boot/other/x.conf", entry().replace(" /", " /boot/"))
    assert read({"m-6.1.conf": entry()}, block="blsdir=/boot/other\n").entries[0].id == "x"


def test_blscfg_with_arguments_is_refused(read):
    with pytest.raises(KexecError, match=r"grub.cfg line 2: blscfg with arguments is not known"):
        read({}, "blscfg non-default\n")


def test_a_folder_that_may_not_be_read_is_no_empty_menu(read, host, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    read({"m-6.1.conf": entry()})
    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(KexecError, match="cannot look into /boot/loader/entries for boot entries: Permission denied"):
        bls.read_folder(host.machine(), "/boot/loader/entries")


def test_a_damaged_file_is_refused(read):
    with pytest.raises(KexecError, match=r"/boot/loader/entries/m-6.1.conf line 1: the file contains zero bytes"):
        read({"m-6.1.conf": "\0\0\0"})


def test_a_huge_file_is_refused(read):
    with pytest.raises(KexecError, match="is larger than"):
        read({"m-6.1.conf": "#" * 70000})


@pytest.mark.parametrize(("path", "mode"), [("m-6.1.conf", 0o666), ("", 0o777)])
def test_entry_files_that_anybody_may_write_are_told_of(read, host, path, mode):
    read({"m-6.1.conf": entry()})
    (host.root / "boot/loader/entries" / path).chmod(mode)
    (warning,) = read_boot_loader(host.machine()).warnings
    assert warning == "%s may be written by every user, who decides by it what this host boots" % os.path.normpath(
        "/boot/loader/entries/" + path
    )


def test_the_survey_warns_of_such_files(read, host):
    read({"m-6.1.conf": entry()})
    (host.root / "boot/loader/entries/m-6.1.conf").chmod(0o666)
    blockers = survey(host.machine(), Selection(None, None, ()), Rules())["blockers"]
    assert [blocker["severity"] for blocker in blockers if blocker["id"] == "boot_entry_files"] == ["warn"]


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("vmlinuz-6.1", None),
        ("../boot/vmlinuz-6.1", None),
        ("../home/vmlinuz", "the kernel /boot/vmlinuz is a symbolic link out of /boot, to /home/vmlinuz"),
        ("other", "the kernel /boot/vmlinuz is a symbolic link to /boot/other/vmlinuz on another file system, where"),
    ],
)
def test_a_link_that_the_boot_loader_would_not_follow_is_refused(read, host, target, problem):
    host.write(
        "proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /boot/other rw - ext4 /dev/sda2 rw\n"
    )
    for path in ("home/vmlinuz", "boot/vmlinuz-6.1", "boot/other/vmlinuz"):
        host.write(path, "k")
    (host.root / "boot/vmlinuz").symlink_to("other/vmlinuz" if target == "other" else target)
    config = read({"m-6.1.conf": entry().replace("vmlinuz-6.1", "vmlinuz")})
    found = config.entries[0].problem
    assert found is None if problem is None else found.startswith(problem)


@pytest.mark.parametrize(
    ("links", "path", "real"),
    [
        ({"boot": "/mnt/boot", "mnt": "data"}, "/boot/k", "/data/boot/k"),
        ({"a/b": "../c", "c/k": "/d/../e"}, "/a/b/k", "/e"),
        ({"a": "../../../b"}, "/a/./k", "/b/k"),
    ],
)
def test_links_are_followed_as_on_the_machine_itself(host, links, path, real):
    for link, target in links.items():
        (host.root / link).parent.mkdir(parents=True, exist_ok=True)
        if (host.root / link).is_dir():
            (host.root / link).rename(host.root / "elsewhere")
        (host.root / link).symlink_to(target)
    assert real_path(host.machine(), path) == real


def test_boot_may_be_a_link_itself(host):
    host.write("data/k", "content")
    (host.root / "efi").symlink_to("data")
    assert leads_out(host.machine(), (), "/efi/k") is None
    (host.root / "data/link").symlink_to("../boot/grub")
    assert leads_out(host.machine(), (), "/efi/link") == "is a symbolic link out of /efi, to /boot/grub"


def test_links_without_end_are_given_up(host):
    (host.root / "a").symlink_to("a")
    assert real_path(host.machine(), "/a/k") == "/a/k"
