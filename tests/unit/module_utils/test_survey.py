# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import gzip
import json

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import Rules
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, shown
from ansible_collections.fleetops.kexec.plugins.module_utils._survey import Intent, survey
from ansible_collections.fleetops.kexec.plugins.module_utils._target import Selection

OLD, NEW = "6.1.0-55-cloud-amd64", "6.1.0-56-cloud-amd64"
DEFAULT = Selection(None, None, ())
BUILD = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-30)"


def look(host, selection=DEFAULT, euid=0, rules=None):
    return shown(survey(host.machine(euid=euid), selection, rules or Rules()))


def blocker_ids(result):
    return [(blocker["id"], blocker["severity"]) for blocker in result["blockers"]]


def test_a_host_with_a_newer_default_needs_a_reboot(host):
    result = look(host)
    assert result["reboot_needed"] is True
    assert result["reboot_reasons"] == ["kernel %s is to run, and %s is running" % (NEW, OLD)]
    assert result["running"]["booted_by"] == "firmware"
    assert result["default_entry"]["release"] == NEW
    assert [entry["release"] for entry in result["entries"]] == [NEW, OLD]
    assert result["target"]["kernel"] == "/boot/vmlinuz-" + NEW
    assert result["loaded"] == {"image": False, "crash": False, "ours": None}
    assert result["blockers"] == []


def test_the_rollback_net_is_told(host):
    assert look(host)["net"] is None
    one_shot = {"loader": "grub", "place": "/boot/grub/grubenv", "value": "debian-" + OLD}
    net = {
        "boot_id": "b",
        "since": "2026-11-23T17:06:38Z",
        "seconds": 3600,
        "token": "T",
        "release": OLD,
        "build": BUILD,
    }
    net.update(staged_release=NEW, one_shot=one_shot, slot_free=True, watchdog=False)
    host.write("var/lib/fleetops-kexec/net.json", json.dumps(net))
    told = {"armed": False, "entry": "debian-" + OLD, "since": "2026-11-23T17:06:38Z", "token": "T"}
    assert look(host)["net"] == told
    menu = host.root / "boot/grub/grub.cfg"
    menu.write_text("load_env\n" + menu.read_text())
    host.write("boot/grub/grubenv", "# GRUB Environment Block\nnext_entry=debian-%s\n###" % OLD)
    assert look(host)["net"] == dict(told, armed=True)


def test_a_damaged_record_of_the_net_is_told_with_what_to_do(host):
    host.write("var/lib/fleetops-kexec/net.json", "damaged")
    result = look(host)
    assert (result["net"], blocker_ids(result)) == (None, [("rollback_net", "refuse")])
    assert "/var/lib/fleetops-kexec/net.json is damaged" in result["blockers"][0]["message"]
    assert "remove the file" in result["blockers"][0]["message"]


def test_a_host_that_runs_its_default_needs_nothing(host):
    host.write("proc/sys/kernel/osrelease", NEW + "\n")
    result = look(host)
    assert result["reboot_needed"] is False
    assert result["reboot_reasons"] == []


@pytest.mark.parametrize(
    ("selection", "needed"),
    [
        (Selection(OLD, None, ()), False),
        (Selection("running", None, ()), False),
        (Selection(NEW, None, ()), True),
        (Selection(None, "/boot/vmlinuz-" + NEW, ()), True),
        (Selection(None, "/boot/vmlinuz-" + OLD, ()), False),
    ],
)
def test_the_need_is_judged_by_the_kernel_that_is_to_run(host, selection, needed):
    assert look(host, selection)["reboot_needed"] is needed


def test_another_build_of_the_same_release_needs_a_reboot(host, make):
    host.write("boot/vmlinuz-" + OLD, make.bzimage(OLD, build="#1 SMP PREEMPT_DYNAMIC Debian 6.1.191-1 (2026-11-11)"))
    result = look(host, Selection(OLD, None, ()))
    assert result["reboot_needed"] is True
    assert result["reboot_reasons"] == [
        "another build of kernel %s is to run: #1 SMP PREEMPT_DYNAMIC Debian 6.1.191-1 (2026-11-11) instead of %s"
        % (OLD, BUILD)
    ]


def test_the_distribution_asks_for_a_reboot(host):
    host.write("run/reboot-required", "*** System restart required ***\n")
    host.write("run/reboot-required.pkgs", "libc6\ndbus\nlibc6\n")
    result = look(host, Selection("running", None, ()))
    assert result["reboot_reasons"] == ["the distribution asks for a reboot: dbus libc6"]


@pytest.mark.parametrize(
    ("loader_type", "cmdline", "device_tree", "booted_by"),
    [
        ("114", "ro", False, "firmware"),
        ("33", "ro", False, "firmware"),
        ("208", "ro", False, "kexec"),
        ("114", "ro fleetops.boot=T", False, "firmware"),
        (None, "ro", True, "kexec"),
        (None, "ro fleetops.boot=T", False, "kexec"),
        (None, "ro", False, "unknown"),
    ],
)
def test_how_the_kernel_was_started(host, loader_type, cmdline, device_tree, booted_by):
    if loader_type is None:
        (host.root / "proc/sys/kernel/bootloader_type").unlink()
    else:
        host.write("proc/sys/kernel/bootloader_type", loader_type + "\n")
    if device_tree:
        host.write("proc/device-tree/chosen/linux,booted-from-kexec", "")
    host.write("proc/cmdline", cmdline + "\n")
    assert look(host)["running"]["booted_by"] == booted_by


@pytest.mark.parametrize(
    ("path", "content", "blocker"),
    [
        ("proc/sys/kernel/kexec_load_disabled", "1\n", ("load_disabled", "refuse")),
        ("run/systemd/container", "podman\n", ("container", "refuse")),
        (".dockerenv", "", ("container", "refuse")),
        ("boot/grub/grub.cfg", "if [ x ; then\n", ("boot_loader", "refuse")),
        ("boot/grub/grub.cfg", "set default=5\nmenuentry 'memtest' { linux16 /memtest }\n", ("target", "refuse")),
    ],
)
def test_what_stands_against_a_kexec_is_a_blocker(host, path, content, blocker):
    host.write(path, content)
    assert blocker in blocker_ids(look(host))


def test_a_kernel_without_kexec_is_a_blocker(host):
    (host.root / "sys/kernel/kexec_loaded").unlink()
    result = look(host)
    assert blocker_ids(result) == [("no_kexec", "refuse")]
    assert (result["capabilities"]["file_load"], result["capabilities"]["legacy_load"]) == (False, False)


def test_without_a_known_boot_loader_there_is_an_honest_blocker_and_no_guess(host):
    (host.root / "boot/grub/grub.cfg").unlink()
    result = look(host)
    assert blocker_ids(result) == [("boot_loader", "refuse")]
    assert (result["boot_loader"], result["default_entry"], result["entries"]) == (None, None, [])
    assert (result["target"], result["reboot_needed"]) == (None, None)


def test_given_files_do_not_need_a_known_boot_loader(host):
    (host.root / "boot/grub/grub.cfg").unlink()
    result = look(host, Selection(None, "/boot/vmlinuz-" + NEW, ()))
    assert blocker_ids(result) == [("boot_loader", "warn")]
    assert result["reboot_needed"] is True


@pytest.mark.parametrize(
    ("first", "openrc", "init", "expected"),
    [
        ("init", False, "sysvinit", []),
        ("init", True, "openrc", []),
        ("runit", False, "runit", [("init", "refuse")]),
    ],
)
def test_init_systems_beside_systemd(host, first, openrc, init, expected):
    (host.root / "run/systemd/system").rmdir()
    host.write("proc/1/comm", first + "\n")
    if openrc:
        host.write("run/openrc/softlevel", "default\n")
    result = look(host)
    assert result["init"] == init
    assert blocker_ids(result) == expected


def test_without_root_it_answers_as_far_as_it_can(host):
    result = look(host, euid=1000)
    assert blocker_ids(result) == [("not_root", "refuse")]
    assert result["reboot_needed"] is True


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, {"secure_boot": None, "lockdown": None, "signature_enforced": False, "file_load": True}),
        (
            {
                "sys/firmware/efi/efivars/SecureBoot-8be4": b"\6\0\0\0\1",
                "sys/firmware/efi/efivars/SetupMode-8be4": b"\6\0\0\0\0",
            },
            {"secure_boot": True},
        ),
        (
            {
                "sys/firmware/efi/efivars/SecureBoot-8be4": b"\6\0\0\0\1",
                "sys/firmware/efi/efivars/SetupMode-8be4": b"\6\0\0\0\1",
            },
            {"secure_boot": False},
        ),
        ({"sys/firmware/efi/efivars/Boot0000-8be4": b"\6\0\0\0\1"}, {"secure_boot": False}),
        (
            {"sys/kernel/security/lockdown": b"none [integrity] confidentiality\n"},
            {"lockdown": "integrity", "signature_enforced": True},
        ),
        ({"sys/kernel/security/lockdown": b"[none] integrity\n"}, {"lockdown": "none", "signature_enforced": False}),
        (
            {
                "boot/config-" + OLD: b"CONFIG_KEXEC_SIG=y\nCONFIG_IMA_ARCH_POLICY=y\n",
                "sys/firmware/efi/efivars/SecureBoot-8be4": b"\6\0\0\0\1",
            },
            {"secure_boot": True, "signature_enforced": True},
        ),
        (
            {"boot/config-" + OLD: b"CONFIG_KEXEC_SIG=y\nCONFIG_IMA_ARCH_POLICY=y\n"},
            {"secure_boot": None, "signature_enforced": False},
        ),
        (
            {"boot/config-" + OLD: b"# CONFIG_KEXEC is not set\nCONFIG_KEXEC_FILE=y\nCONFIG_KEXEC_SIG_FORCE=y\n"},
            {"file_load": True, "legacy_load": False, "signature_enforced": True},
        ),
        (
            {"boot/config-" + OLD: None, "proc/config.gz": gzip.compress(b"CONFIG_KEXEC=y\n")},
            {"file_load": False, "legacy_load": True},
        ),
        ({"boot/config-" + OLD: None}, {"file_load": None, "legacy_load": None, "signature_enforced": None}),
        ({"boot/config-" + OLD: None, "proc/config.gz": b"damaged"}, {"file_load": None}),
    ],
)
def test_capabilities(host, files, expected):
    for path, content in files.items():
        if content is None:
            (host.root / path).unlink()
        else:
            host.write(path, content)
    capabilities = look(host)["capabilities"]
    assert {name: capabilities[name] for name in expected} == expected


def test_it_costs_one_command(host):
    host.systemd(Virtualization="kvm", FirmwareTimestampMonotonic=0)
    host.program("/usr/bin/systemd-detect-virt", lambda argv: (0, "kvm\n", ""))
    host.program("/usr/sbin/dmidecode", lambda argv: (0, "", ""))
    look(host)
    assert [argv[:2] for argv in host.ran] == [("/usr/bin/systemctl", "show")]


def test_bytes_that_are_no_text_do_not_break_the_answer(host):
    host.write("proc/cmdline", b"root=/dev/sda1 name=\xff\n")
    assert look(host)["running"]["cmdline"] == "root=/dev/sda1 name=\ufffd"


def intend(host, **params):
    intent = Intent.of({"method": "kexec", "reasons": [], "objections": [], "entry": None, "kernel": None, **params})
    return shown(survey(host.machine(), DEFAULT, Rules(), intent))


@pytest.mark.parametrize(
    ("path", "content", "method", "remaining"),
    [
        ("proc/sys/kernel/kexec_load_disabled", "1\n", "kexec", ["load_disabled"]),
        ("proc/sys/kernel/kexec_load_disabled", "1\n", "kexec_now", ["load_disabled"]),
        ("proc/sys/kernel/kexec_load_disabled", "1\n", "firmware", []),
        ("run/systemd/container", "podman\n", "firmware", ["container"]),
        ("boot/grub/grub.cfg", "if [ x ; then\n", "firmware", ["boot_loader"]),
    ],
)
def test_only_what_stands_against_the_way_to_reboot_is_told(host, path, content, method, remaining):
    host.write(path, content)
    assert [name for name, _severity in blocker_ids(intend(host, method=method))] == remaining


def test_kexec_now_needs_no_init_system_that_is_known(host):
    (host.root / "run/systemd/system").rmdir()
    host.write("proc/1/comm", "runit\n")
    assert blocker_ids(intend(host)) == [("init", "refuse")]
    assert blocker_ids(intend(host, method="kexec_now")) == []


def test_an_operators_reason_is_one(host):
    host.write("boot/grub/grub.cfg", "if [ x ; then\n")
    result = intend(host, method="firmware", reasons=["it was asked for"])
    assert (result["reboot_needed"], result["reboot_reasons"]) == (True, ["it was asked for"])
    assert result["blockers"] == []


@pytest.mark.parametrize("method", ["kexec", "kexec_now", "firmware"])
def test_an_operators_objection_stands_against_every_way(host, method):
    result = intend(host, method=method, objections=["a database\nmoves", " "])
    (told,) = result["blockers"]
    assert told == {"id": "objection", "severity": "refuse", "message": "a database moves"}
    assert result["reboot_needed"] is True


@pytest.mark.parametrize("choice", [{"entry": OLD}, {"entry": "running"}, {"kernel": "/boot/vmlinuz"}])
def test_the_firmware_cannot_be_told_which_kernel_to_start(host, choice):
    with pytest.raises(KexecError, match="cannot be chosen with method firmware"):
        intend(host, method="firmware", **choice)


def test_what_only_root_may_read_does_not_end_the_survey(host):
    config = host.root / ("boot/config-" + OLD)
    config.unlink()
    config.mkdir()  # as unreadable as a file of mode 0600, for root too
    assert look(host, euid=1000)["capabilities"]["file_load"] is None


def test_halves_of_characters_do_not_break_the_answer():
    assert shown(["\ud800x", {"a": "\udcff"}]) == ["\ufffdx", {"a": "\ufffd"}]
