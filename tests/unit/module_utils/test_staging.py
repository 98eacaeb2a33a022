# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import json
import os

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from ansible_collections.fleetops.kexec.plugins.module_utils._staging import RECORD, Request, plan_for
from parserfuzz.images import BUILD

# include/uapi/linux/kexec.h
KEXEC_FILE_ON_CRASH = 0x2

NEW, OLD = "6.1.0-56-cloud-amd64", "6.1.0-55-cloud-amd64"
DEFAULTS = {
    "state": "loaded",
    "entry": None,
    "kernel": None,
    "initrd": None,
    "cmdline": None,
    "append": None,
    "remove": None,
    "panic_seconds": 30,
    "force": False,
}


def plan(host, **params):
    return plan_for(host.machine(), Request.of(dict(DEFAULTS, **params)))


def stage(host, syscall="auto", **params):
    return plan(host, **params).apply(host.machine(), syscall)


def unrecorded(staged):
    """What was staged, but for the token."""
    return staged["cmdline"].replace(staged["token"], "T")


def test_the_default_entry_is_staged_with_its_initrd_and_command_line(host):
    staged = stage(host)
    assert staged["release"] == NEW
    assert staged["entry"] == "debian-" + NEW
    assert (staged["build"], staged["call"]) == (BUILD, "file")
    assert unrecorded(staged) == "root=LABEL=root ro quiet panic=30 fleetops.boot=T"
    assert host.calls.loaded["cmdline"] == staged["cmdline"]
    assert host.calls.loaded["kernel"] == (host.root / ("boot/vmlinuz-" + NEW)).read_bytes()
    assert host.calls.loaded["initrd"] == (host.root / ("boot/initrd.img-" + NEW)).read_bytes()


@pytest.mark.parametrize("entry", ["default", "debian-" + NEW, "Debian, " + NEW, NEW])
def test_an_entry_is_found_by_id_title_and_release(host, entry):
    assert stage(host, entry=entry)["release"] == NEW


def test_the_running_kernel_is_staged_with_its_present_command_line(host):
    host.write("proc/cmdline", "BOOT_IMAGE=/x root=LABEL=root ro debug panic=30 fleetops.boot=LAST\n")
    staged = stage(host, entry="running")
    assert staged["kernel"] == "/boot/vmlinuz-" + OLD
    assert staged["initrds"] == ["/boot/initrd.img-" + OLD]
    assert unrecorded(staged) == "root=LABEL=root ro debug panic=30 fleetops.boot=T"


def test_an_unknown_entry_is_refused_with_the_known_ones(host):
    with pytest.raises(KexecError, match=r"debian-6.1.0-56-cloud-amd64 \(Debian, 6.1.0-56") as refusal:
        plan(host, entry="6.6.6")
    assert refusal.value.facts == {"known_entries": ["debian-" + NEW, "debian-" + OLD]}


def test_files_are_staged_with_the_running_command_line(host, make):
    host.write("opt/vmlinuz-custom", make.bzimage(release="6.12.0-own"))
    staged = stage(host, kernel="/opt/vmlinuz-custom")
    assert (staged["release"], staged["entry"], staged["initrds"]) == ("6.12.0-own", None, [])
    assert host.calls.loaded["initrd"] is None
    assert unrecorded(staged) == "root=LABEL=root ro quiet panic=30 fleetops.boot=T"


def test_several_initrds_become_one_with_padding(host, make):
    host.write("opt/vmlinuz", make.bzimage())
    host.write("opt/early", make.cpio(("early", b"1")) + b"\0")
    host.write("opt/main", make.cpio(("main", b"2")))
    stage(host, kernel="/opt/vmlinuz", initrd=["/opt/early", "/opt/main"])
    joined = (host.root / "opt/early").read_bytes() + b"\0\0\0" + (host.root / "opt/main").read_bytes()
    assert host.calls.loaded["initrd"] == joined
    assert os.listdir(str(host.root / "run/fleetops-kexec")) == ["staged.json"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"append": ["console=ttyS0 debug"]}, "root=LABEL=root ro quiet console=ttyS0 debug panic=30"),
        ({"append": "console=ttyS0,115200n8 debug"}, "root=LABEL=root ro quiet console=ttyS0,115200n8 debug panic=30"),
        ({"append": ""}, "root=LABEL=root ro quiet panic=30"),
        ({"remove": "quiet ro"}, "root=LABEL=root panic=30"),
        ({"remove": ["quiet"]}, "root=LABEL=root ro panic=30"),
        ({"cmdline": "root=/dev/vdb"}, "root=/dev/vdb panic=30"),
        ({"panic_seconds": 0}, "root=LABEL=root ro quiet"),
    ],
)
def test_the_operator_changes_the_command_line(host, params, words):
    assert unrecorded(stage(host, **params)) == words + " fleetops.boot=T"


def test_staging_the_same_again_changes_nothing(host):
    first = stage(host)
    again = plan(host)
    assert not again.changed
    assert again.diff()["before"] == again.diff()["after"]
    assert again.apply(host.machine(), "auto") == first
    assert host.calls.count == 1


def test_by_force_it_is_staged_again_whatever_the_record_says(host):
    first = stage(host)
    assert stage(host, force=True)["token"] != first["token"]


def test_a_kernel_without_an_initrd_is_warned_of(host):
    assert "is staged without an initrd" in plan(host, kernel="/boot/vmlinuz-" + NEW).warnings()[0]
    assert plan(host).warnings() == []


def _replace_kernel(host):
    path = host.root / ("boot/vmlinuz-" + NEW)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def _change_record(host, **values):
    record = json.loads((host.root / RECORD.lstrip("/")).read_text())
    host.write(RECORD, json.dumps(dict(record, **values)))


@pytest.mark.parametrize(
    "change",
    [
        _replace_kernel,
        lambda host: host.write("proc/sys/kernel/random/boot_id", "11111111-9b1d-4a5d-9e0d-3c1cd2b2f0b5\n"),
        lambda host: host.write("sys/kernel/kexec_loaded", "0\n"),
        lambda host: host.write(RECORD, "{}"),
        lambda host: host.write(RECORD, "[1]"),
        lambda host: host.write(RECORD, "\0 no json"),
        lambda host: host.write(RECORD, "[" * 100000),
        lambda host: _change_record(host, cmdline=7),
        lambda host: _change_record(host, initrds=[None]),
        lambda host: _change_record(host, more=""),
        lambda host: (host.root / RECORD.lstrip("/")).unlink(),
    ],
    ids=[
        "kernel replaced",
        "other boot",
        "unloaded by somebody",
        "empty",
        "no record",
        "damaged",
        "nested",
        "a number",
        "a null",
        "more",
        "record lost",
    ],
)
def test_it_is_staged_again_when_the_record_does_not_vouch_for_it(host, change):
    first = stage(host)
    change(host)
    assert plan(host).changed
    assert stage(host)["token"] != first["token"]


def test_check_mode_tells_what_would_be_staged(host):
    preview = plan(host).preview()
    assert preview["release"] == NEW
    assert preview["cmdline"] == "root=LABEL=root ro quiet panic=30"
    assert preview["token"] is None
    assert host.calls.count == 0


def test_the_diff_shows_both_kernels_and_no_token(host):
    stage(host, entry=OLD)
    diff = plan(host).diff()
    assert "release: %s\n" % OLD in diff["before"]
    assert "release: %s\n" % NEW in diff["after"]
    assert "fleetops.boot" not in diff["before"] + diff["after"]


def test_unloading_empties_the_slot_once(host):
    stage(host)
    assert plan(host, state="unloaded").changed
    assert stage(host, state="unloaded") is None
    assert host.calls.loaded is None
    assert not plan(host, state="unloaded").changed


def test_an_image_that_somebody_else_has_loaded_is_unloaded_too(host):
    host.write("sys/kernel/kexec_loaded", "1\n")
    assert plan(host, state="unloaded").diff()["before"] == "kernel: one that somebody else has staged\n"
    stage(host, state="unloaded")
    assert (host.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


def test_a_refused_load_leaves_the_earlier_image_and_its_record(host):
    first = stage(host, entry=OLD)
    host.calls.errno = errno.ENOMEM
    with pytest.raises(KexecError, match="not enough free memory"):
        stage(host)
    assert host.calls.loaded["cmdline"] == first["cmdline"]
    host.calls.errno = None
    assert not plan(host, entry=OLD).changed


def test_an_image_whose_record_cannot_be_kept_is_not_left_behind(host):
    host.calls.after_load = lambda: host.write("run/fleetops-kexec", "in the way of the folder")
    with pytest.raises(KexecError, match=r"cannot write /run/fleetops-kexec/staged.json"):
        stage(host)
    assert host.calls.loaded is None


def _kexec_program(host, rc=0, stderr=""):
    host.write("usr/sbin/kexec", "")
    ran = []

    def answer(argv):
        ran.append(argv)
        host.write("sys/kernel/kexec_loaded", "1\n" if rc == 0 and argv[0] == "-l" else "0\n")
        return rc, "", stderr

    host.program("/usr/sbin/kexec", answer)
    return ran


def test_the_kexec_program_helps_where_the_kernel_lacks_the_call(host):
    host.calls.errno = errno.ENOSYS
    ran = _kexec_program(host)
    staged = stage(host)
    assert staged["call"] == "tools"
    assert list(ran[-1][:2]) == ["-l", "/boot/vmlinuz-" + NEW]
    assert "--append=" + staged["cmdline"] in ran[-1]
    assert "--initrd=/boot/initrd.img-" + NEW in ran[-1]
    stage(host, state="unloaded")
    assert list(ran[-1]) == ["-u"]


def test_a_failing_kexec_program_is_quoted(host):
    _kexec_program(host, rc=255, stderr="kexec_load failed: Operation not permitted\n")
    with pytest.raises(KexecError, match=r"kexec -l ended with 255: kexec_load failed: Operation not permitted$"):
        stage(host, syscall="tools")


@pytest.mark.parametrize("syscall", ["auto", "tools"])
def test_without_call_and_program_the_package_is_named(host, syscall):
    host.calls.errno = errno.ENOSYS
    with pytest.raises(KexecError, match="install kexec-tools"):
        stage(host, syscall=syscall)


@pytest.mark.parametrize("syscall", ["auto", "tools"])
def test_under_lockdown_the_kexec_program_is_not_even_tried(host, syscall):
    host.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    host.calls.errno = errno.ENOSYS
    ran = _kexec_program(host)
    with pytest.raises(KexecError, match=r"kernel lockdown \(integrity\) permits the kexec_file_load call only"):
        stage(host, syscall=syscall)
    assert not any("-l" in argv for argv in ran)


def test_a_signed_kernel_is_staged_under_lockdown(host):
    host.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    assert stage(host)["call"] == "file"


@pytest.mark.parametrize("by", ["call", "program"])
def test_the_crash_kernel_is_left_alone(host, by):
    host.write("sys/kernel/kexec_crash_loaded", "1\n")
    host.calls.errno = errno.ENOSYS if by == "program" else None
    ran = _kexec_program(host)
    stage(host)
    stage(host, entry=OLD)
    stage(host, state="unloaded")
    assert not any(flags & KEXEC_FILE_ON_CRASH for flags in host.calls.flags)
    assert not any({"-p", "--load-panic"}.intersection(argv) for argv in ran)
    assert (host.root / "sys/kernel/kexec_crash_loaded").read_text() == "1\n"
    assert bool(ran) == (by == "program")


def test_the_memory_for_the_crash_kernel_is_kept_and_what_is_kdumps_own_is_not(host):
    line = "root=LABEL=root ro crashkernel=1G-:256M elfcorehdr=0x1000 disable_cpu_apicid=0"
    host.write("proc/cmdline", line + "\n")
    assert (
        unrecorded(stage(host, entry="running")) == "root=LABEL=root ro crashkernel=1G-:256M panic=30 fleetops.boot=T"
    )


def _remove(host, path):
    (host.root / path).unlink()


BAD_HOSTS = {
    "kernel is missing": (
        lambda host: _remove(host, "boot/vmlinuz-" + NEW),
        {"kernel": "/boot/vmlinuz-" + NEW},
        "the kernel /boot/vmlinuz-6.1.0-56-cloud-amd64 does not exist on the host",
    ),
    "kernel is empty": (
        lambda host: host.write("boot/vmlinuz-" + NEW, ""),
        {},
        "the kernel /boot/vmlinuz-6.1.0-56-cloud-amd64 is empty",
    ),
    "kernel is a directory": (
        lambda host: None,
        {"kernel": "/boot"},
        "the kernel /boot is a directory, not a file",
    ),
    "kernel is a device": (
        lambda host: os.mkfifo(str(host.root / "boot/fifo")),
        {"kernel": "/boot/fifo"},
        "the kernel /boot/fifo is not a regular file",
    ),
    "kernel is a text": (
        lambda host: host.write("boot/vmlinuz-" + NEW, "#!/bin/sh\n"),
        {},
        "vmlinuz-6.1.0-56-cloud-amd64 is not a bootable kernel image for x86_64",
    ),
    "kernel is truncated": (
        lambda host: os.truncate(str(host.root / ("boot/vmlinuz-" + NEW)), 3000),
        {},
        "the kernel /boot/vmlinuz-6.1.0-56-cloud-amd64 is truncated: it has 3000 of 6656 bytes",
    ),
    "relative path": (lambda host: None, {"kernel": "vmlinuz"}, "'vmlinuz' is not an absolute path on the host"),
    "initrd is missing": (
        lambda host: None,
        {"kernel": "/boot/vmlinuz-" + NEW, "initrd": ["/boot/none"]},
        "the initrd /boot/none does not exist on the host",
    ),
    "initrd is empty": (
        lambda host: host.write("boot/initrd.img-" + NEW, ""),
        {},
        "the initrd /boot/initrd.img-6.1.0-56-cloud-amd64 is empty",
    ),
    "initrd is truncated": (
        lambda host: os.truncate(str(host.root / ("boot/initrd.img-" + NEW)), 130),
        {},
        "the initrd /boot/initrd.img-6.1.0-56-cloud-amd64 is truncated or damaged",
    ),
    "command line too long": (
        lambda host: None,
        {"append": ["x" * 2000]},
        "the command line is too long: 2065 bytes, and /boot/vmlinuz-6.1.0-56-cloud-amd64 takes 2016 at most",
    ),
    "empty command line": (lambda host: None, {"cmdline": " "}, "the command line that was given is empty"),
    "words that are none": (lambda host: None, {"append": [{"a": 1}]}, "append takes words of a command line"),
    "open quote": (lambda host: None, {"append": ['a="b']}, "a double quote is never closed"),
    "negative panic": (lambda host: None, {"panic_seconds": -1}, "panic_seconds is -1; it must be 0 or more"),
    "load disabled": (
        lambda host: host.write("proc/sys/kernel/kexec_load_disabled", "1\n"),
        {},
        "kernel.kexec_load_disabled is 1, which lasts until the next boot",
    ),
    "no kexec": (lambda host: _remove(host, "sys/kernel/kexec_loaded"), {}, "built without kexec"),
    "container": (
        lambda host: host.write("run/systemd/container", "lxc\n"),
        {},
        "this is a container \\(lxc\\)",
    ),
    "old container": (
        lambda host: host.write("proc/1/environ", "HOME=/\0container=docker\0"),
        {},
        "this is a container \\(docker\\)",
    ),
    "grub.cfg is missing": (lambda host: _remove(host, "boot/grub/grub.cfg"), {}, "grub.cfg"),
    "grub.cfg is malformed": (
        lambda host: host.write("boot/grub/grub.cfg", "set default=0\nmenuentry 'x' {\n linux /vmlinuz\n"),
        {},
        "/boot/grub/grub.cfg line ",
    ),
    "no boot id": (
        lambda host: host.write("proc/sys/kernel/random/boot_id", "Permission denied\n"),
        {},
        "does not hold a boot id, but 'Permission denied'",
    ),
}


@pytest.mark.parametrize(("spoil", "params", "message"), list(BAD_HOSTS.values()), ids=list(BAD_HOSTS))
def test_what_cannot_be_staged_is_refused_before_anything_is_loaded(host, spoil, params, message):
    spoil(host)
    with pytest.raises(KexecError, match=message):
        stage(host, **params)
    assert host.calls.count == 0
    assert not (host.root / RECORD.lstrip("/")).exists()


def test_root_is_needed(host):
    with pytest.raises(KexecError, match="use become: true"):
        plan_for(host.machine(euid=1000), Request.of(dict(DEFAULTS)))


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENODATA, "the image is not signed"),
        (errno.ENOKEY, "a key that this kernel does not trust"),
        (errno.EKEYREJECTED, "the signature does not match"),
        (errno.ELIBBAD, "truncated"),
        (errno.ENOEXEC, "not a bootable kernel image"),
        (errno.EINVAL, "wrong format"),
        (errno.EBUSY, "another kexec operation"),
        (errno.EADDRNOTAVAIL, "no room for the image"),
        (errno.ENOMEM, "not enough free memory"),
        (errno.ETXTBSY, "open for writing"),
        (errno.EFBIG, "too large"),
        (errno.EBADF, "could not be read"),
        (errno.EACCES, "Secure Boot or IMA"),
        (errno.EPERM, "CAP_SYS_BOOT"),
        (errno.EXDEV, "Invalid cross-device link \\(errno 18\\)"),
    ],
)
def test_each_errno_becomes_a_sentence(host, code, sentence):
    host.calls.errno = code
    with pytest.raises(KexecError, match="cannot stage the kernel /boot/vmlinuz-6.1.0-56.*" + sentence):
        stage(host)


@pytest.mark.parametrize(
    ("path", "content", "sentence"),
    [
        ("proc/sys/kernel/kexec_load_limit_reboot", "0\n", "kexec_load_limit_reboot is used up"),
        ("sys/kernel/security/lockdown", "none [integrity] confidentiality\n", r"kernel lockdown \(integrity\)"),
    ],
)
def test_a_missing_permission_is_told_by_its_cause(host, path, content, sentence):
    host.write(path, content)
    host.calls.errno = errno.EPERM
    with pytest.raises(KexecError, match=sentence):
        stage(host)


def test_the_record_is_for_root_alone(host):
    stage(host)
    record = host.root / RECORD.lstrip("/")
    assert record.stat().st_mode & 0o777 == 0o600
    assert json.loads(record.read_text())["release"] == NEW
