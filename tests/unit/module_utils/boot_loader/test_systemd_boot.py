# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import fnmatch
import json
import os
import shutil

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import systemd_boot
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.systemd_boot import glob_matches
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from hypothesis import given, settings
from hypothesis import strategies as st

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures", "boot_loader")
BOOTCTL = "/usr/bin/bootctl"
MACHINE = "6a9857a393724b7a981ebb5b8495b9ea"
NEW, OLD = MACHINE + "-6.1.0-56-amd64.conf", MACHINE + "-6.1.0-55-amd64.conf"


class SystemdBootHost:
    """A machine with the system partition on /efi, started by systemd-boot."""

    def __init__(self, root):
        self.root = root
        self.answer = None
        self.write("efi/loader/loader.conf", "")
        self.variable("LoaderInfo", "systemd-boot 252.30")
        self.write("proc/self/mountinfo", "1 0 8:2 / / rw - ext4 /dev/sda2 rw\n2 1 8:1 / /efi rw - vfat /dev/sda1 rw\n")

    def write(self, path, content):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
        return file

    def variable(self, name, text):
        path = "sys/firmware/efi/efivars/%s-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" % name
        self.write(path, b"\7\0\0\0" + (text + "\0").encode("utf-16-le"))

    def entry(self, name, more="", kernel=True, folder="efi"):
        path = "/k-" + name
        if kernel:
            self.write(folder + path, "kernel")
        self.write("%s/loader/entries/%s" % (folder, name), "title %s\nlinux %s\n%s" % (name, path, more))

    def bootctl(self, *entries, **result):
        self.write(BOOTCTL[1:], "#!/bin/sh\n").chmod(0o755)
        self.answer = (result.get("rc", 0), result.get("stdout", json.dumps(entries)), "")

    def read(self):
        def run(argv):
            assert list(argv) == [BOOTCTL, "list", "--json=short", "--no-pager"]
            return self.answer

        return systemd_boot.read(Machine(str(self.root), run, arch="x86_64"))


@pytest.fixture
def boot(tmp_path):
    return SystemdBootHost(tmp_path)


def listed(name, **more):
    values = {"type": "type1", "id": name, "path": "/efi/loader/entries/" + name, "root": "/efi", "title": name}
    return dict(values, showTitle=name, linux="/k-" + name, options="ro", **more)


FIRMWARE = {"type": "auto", "id": "auto-reboot-to-firmware-setup", "title": "Reboot Into Firmware Interface"}


@pytest.mark.parametrize(
    ("loader_conf", "variables", "default"),
    [
        ("", {}, "c.conf"),
        ("default a.conf\n", {}, "a.conf"),
        ("default A*\n", {}, "a.conf"),
        ("default gone.conf\n", {}, "c.conf"),
        ("default b-*\n", {}, "c.conf"),
        ("default a.conf\n", {"LoaderEntryDefault": "b.conf"}, "b.conf"),
        ("default a.conf\n", {"LoaderEntryDefault": "gone.conf"}, "a.conf"),
        ("default a.conf\n", {"LoaderEntryOneShot": "b.conf"}, "a.conf"),
        ("default @saved\n", {"LoaderEntryLastBooted": "b.conf"}, "b.conf"),
        ("default @saved\n", {}, "c.conf"),
        ("default a.conf\n", {"LoaderEntryDefault": "@saved", "LoaderEntryLastBooted": "b.conf"}, "b.conf"),
        ("default a.conf\npreferred b.conf\n", {}, "b.conf"),
        ("preferred t.conf\ndefault a.conf\n", {}, "a.conf"),
        ("default t.conf\n", {}, "t.conf"),
        ("default t+0.conf\n", {}, "t.conf"),
    ],
)
@pytest.mark.parametrize("by_bootctl", [True, False])
def test_the_default_is_chosen_as_systemd_boot_does(boot, loader_conf, variables, default, by_bootctl):
    boot.write("efi/loader/loader.conf", loader_conf)
    names = ["c.conf", "b.conf", "a.conf", "t+0.conf"]
    for name in names:
        boot.entry(name)
    for name, text in variables.items():
        boot.variable(name, text)
    if by_bootctl:
        tried = dict(listed("t+0.conf"), id="t.conf")
        boot.bootctl(*([FIRMWARE] + [listed(name) for name in names[:3]] + [tried]))
    config = boot.read()
    assert (config.default.id, config.default_problem) == (default, None)
    assert config.one_shot == variables.get("LoaderEntryOneShot")
    assert sorted(entry.id for entry in config.entries) == ["a.conf", "b.conf", "c.conf", "t.conf"]


@pytest.mark.parametrize(
    ("entries", "order"),
    [
        (["a-6.1.conf", "a-6.10.conf", "a-6.9.conf"], ["a-6.10.conf", "a-6.9.conf", "a-6.1.conf"]),
        (["b.conf", "a+0-3.conf", "a+1-1.conf"], ["b.conf", "a+1-1.conf", "a+0-3.conf"]),
        (["a+3.conf", "a+2-1.conf"], ["a+3.conf", "a+2-1.conf"]),
        (
            [
                "z.conf",
                "s1.conf sort-key debian version 6.1",
                "s2.conf sort-key debian version 6.9",
                "s0.conf sort-key arch",
            ],
            ["s0.conf", "s2.conf", "s1.conf", "z.conf"],
        ),
        (
            ["1.conf sort-key d machine-id b version 9", "2.conf sort-key d machine-id a version 1"],
            ["2.conf", "1.conf"],
        ),
    ],
)
def test_entry_files_are_in_the_order_of_the_menu(boot, entries, order):
    for text in entries:
        words = text.split()
        boot.entry(words[0], "".join("%s %s\n" % pair for pair in zip(words[1::2], words[2::2])))
    assert [entry.title for entry in boot.read().entries] == order


def test_what_bootctl_252_prints(tmp_path):
    shutil.copytree(os.path.join(FIXTURES, "debian12-systemd-boot"), str(tmp_path / "root"), symlinks=True)
    boot = SystemdBootHost.__new__(SystemdBootHost)
    boot.root = tmp_path / "root"
    common = {"title": "Debian GNU/Linux 12 (bookworm)", "sortKey": "debian", "machineId": MACHINE, "root": "/efi"}
    kernel = {"linux": "/%s/%s/linux", "initrd": ["/%s/%s/initrd.img-%s"]}
    entries = [FIRMWARE]
    for name, file, release in (
        (NEW, NEW.replace(".conf", "+2-1.conf"), "6.1.0-56-amd64"),
        (OLD, OLD, "6.1.0-55-amd64"),
    ):
        values = dict(common, type="type1", id=name, path="/efi/loader/entries/" + file, version=release)
        values["showTitle"] = "Debian GNU/Linux 12 (bookworm) (%s)" % release
        values["linux"] = kernel["linux"] % (MACHINE, release)
        values["initrd"] = [kernel["initrd"][0] % (MACHINE, release, release)]
        values["options"] = "root=UUID=5e0c1d2f-8888-4a5b-8c9d-0123456789ab ro quiet"
        entries.append(values)
    boot.bootctl(*entries)
    config = boot.read()
    assert [entry.id for entry in config.entries] == [NEW, OLD]
    assert config.default == config.entries[0]
    assert config.default.title == "Debian GNU/Linux 12 (bookworm) (6.1.0-56-amd64)"
    assert config.default.initrds == ("/efi/%s/6.1.0-56-amd64/initrd.img-6.1.0-56-amd64" % MACHINE,)
    assert config.default.problem is None


def test_bootctl_is_a_second_opinion(boot):
    boot.entry("a.conf")
    boot.entry("b.conf")
    boot.bootctl(listed("b.conf"), listed("a.conf", isDefault=True))
    assert boot.read().default_problem == "systemd-boot would start 'b.conf', but bootctl says 'a.conf'"
    # It takes the one-shot entry for the default.
    boot.variable("LoaderEntryOneShot", "a.conf")
    assert boot.read().default.id == "b.conf"


@pytest.mark.parametrize("result", [{"rc": 1}, {"stdout": "not JSON"}, {"stdout": "[1]"}, {"stdout": '{"a": 1}'}])
def test_where_bootctl_cannot_tell_the_files_do(boot, result):
    boot.entry("a.conf")
    boot.bootctl(**result)
    assert boot.read().default.id == "a.conf"


def test_an_entry_without_its_kernel_is_not_in_the_menu(boot):
    boot.entry("b.conf", kernel=False)
    boot.entry("a.conf", "initrd /none\n")
    config = boot.read()
    assert config.default.id == "a.conf"
    assert config.entries[0].problem == (
        "the kernel /efi/k-b.conf was removed: the entry names it, but it does not exist on the host"
    )
    assert "the initrd /efi/none was removed" in config.entries[1].problem


@pytest.mark.parametrize(
    ("loader_conf", "problem"),
    [
        ("default shell.conf\n", "the default entry 'shell' starts no Linux kernel"),
        ("default auto-windows\n", "the default, by loader.conf, is auto-windows, which systemd-boot makes by itself"),
    ],
)
def test_a_default_that_is_no_linux_is_told(boot, loader_conf, problem):
    boot.write("efi/loader/loader.conf", loader_conf)
    boot.entry("a.conf")
    boot.write("efi/loader/entries/shell.conf", "title shell\nefi /shell.efi\n")
    config = boot.read()
    assert (config.default, config.default_problem) == (None, problem)
    assert [entry.id for entry in config.entries] == ["a.conf"]


def test_unified_kernel_images_are_listed_and_not_staged(boot):
    boot.entry("a.conf")
    boot.write("efi/EFI/Linux/u.efi", "MZ")
    config = boot.read()
    assert "the place of unified kernel images is unknown" in config.default_problem
    unified = next(entry for entry in config.entries if entry.id == "u.efi")
    assert (unified.kernel, "unified kernel image" in unified.problem) == ("/efi/EFI/Linux/u.efi", True)
    boot.bootctl(dict(listed("u.efi"), type="type2", linux="/EFI/Linux/u.efi"), listed("a.conf"))
    config = boot.read()
    assert (config.default.id, config.default_problem) == ("u.efi", None)
    assert "unified kernel image" in config.default.problem


def test_the_extended_boot_partition_has_entries_too(boot):
    mounts = (boot.root / "proc/self/mountinfo").read_text()
    boot.write("proc/self/mountinfo", mounts + "3 1 8:3 / /boot rw - vfat /dev/sda3 rw\n")
    boot.entry("a.conf")
    boot.entry("b.conf", folder="boot")
    assert [(entry.id, entry.kernel) for entry in boot.read().entries] == [
        ("b.conf", "/boot/k-b.conf"),
        ("a.conf", "/efi/k-a.conf"),
    ]


def test_several_system_partitions_are_refused(boot):
    mounts = (boot.root / "proc/self/mountinfo").read_text()
    boot.write("proc/self/mountinfo", mounts + "3 1 8:3 / /boot rw - vfat /dev/sda3 rw\n")
    boot.write("boot/loader/loader.conf", "")
    with pytest.raises(KexecError, match="cannot be told which one it starts from: /boot, /efi"):
        boot.read()


def test_bytes_that_are_no_text_survive(boot):
    boot.entry("a.conf", "title \udcff\noptions a=\udcfe\n")
    entry = boot.read().entries[0]
    assert (entry.title, entry.cmdline) == ("\udcff", "a=\udcfe")


def test_a_folder_that_anybody_may_write_is_told_of(boot):
    boot.entry("a.conf")
    (boot.root / "efi/loader/entries").chmod(0o777)
    assert "/efi/loader/entries may be written by every user" in boot.read().warnings[0]


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("arch.conf", "arch.conf", True),
        ("arch-*", "arch-6.1.conf", True),
        ("*", "", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a[b-d]e", "ace", True),
        ("a[!b-d]e", "ace", False),
        ("a[]x]e", "a]e", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("a[", "a[", True),
        ("*b*d", "abcd", True),
        ("*b*d", "abcde", False),
    ],
)
def test_patterns(pattern, text, matches):
    assert glob_matches(pattern, text) is matches


def test_a_pattern_takes_no_time():
    assert not glob_matches("*a" * 200 + "b", "a" * 250)


@settings(max_examples=300, deadline=1000)
@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab", max_size=8))
def test_stars_and_question_marks_match_as_pythons_do(pattern, text):
    assert glob_matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@settings(max_examples=300, deadline=1000)
@given(st.text(alphabet="ab*?[]!-\\"), st.text(alphabet="ab*?[]!-\\"))
def test_any_pattern_matches_or_not(pattern, text):
    assert glob_matches(pattern, text) in (True, False)


@pytest.mark.parametrize("answer", ['[{"id": "\\ud800"}]', "[" * 100000, "9" * 5000, '{"a":' * 5000])
def test_an_answer_of_bootctls_that_means_nothing_is_left_aside(boot, answer):
    boot.entry("a.conf")
    boot.bootctl(stdout=answer)
    assert [entry.id for entry in boot.read().entries] == ["a.conf"]


def test_a_path_that_no_file_can_have_is_refused(boot):
    boot.bootctl({"type": "type1", "id": "a.conf", "root": "/efi", "linux": "/k\0"})
    with pytest.raises(KexecError, match=r"'/efi/k\\x00' cannot be the path of a file"):
        boot.read()


def test_more_entries_than_a_menu_has_are_refused(boot):
    boot.bootctl(*[{"type": "type1", "id": "a%d.conf" % number} for number in range(501)])
    with pytest.raises(KexecError, match="bootctl lists 501 boot entries; more than 500 are no menu"):
        boot.read()
