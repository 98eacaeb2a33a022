# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling kernel update of real machines. The tests build on each other, as a maintenance night does."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_run import Run
from driver import Fleet, Observer

pytestmark = pytest.mark.lab

HOSTS = ("lab1", "lab2")
FIRMWARE, KEXEC = "114", "208"
MOST_TASKS_PER_HOST = 10
# The roll needs a login and two commands after its watch has seen the host, and a login takes a busy emulated machine
# seconds; tests/bench/test_notice.py measures the watch itself.
MOST_SECONDS_TO_NOTICE = 2.0
LOGINS_TO_NOTICE = 12
"""Many, because a host has more to do right after its boot than when a login is timed, and this computer perhaps other
work. How soon a return is noticed is measured by tests/bench/test_notice.py."""


def tasks_of(run: Run, host: str) -> list[str]:
    """Without meta tasks, for which Ansible starts no process."""
    return [task.task for task in run.tasks if task.host == host and not task.action.endswith("meta")]


def test_a_check_run_shows_the_plan_and_changes_nothing(fleet: Fleet) -> None:
    older, newer = fleet.kernels("lab1")
    before = {host: fleet.boot(host) for host in HOSTS}
    run = fleet.playbook("--check", "--diff")
    assert run.rc == 0
    assert run.outcomes() == {"lab1": "planned", "lab2": "planned"}
    assert "kernel %s is to run, and %s is running" % (newer, older) in " ".join(run.output.split())
    assert "+kernel: /boot/vmlinuz-" + newer in run.output
    assert {host: fleet.boot(host) for host in HOSTS} == before
    assert fleet.ssh("lab1", "ls /run | grep -c fleetops || true") == "0"


def test_an_unreachable_host_stops_the_roll_before_it_begins(fleet: Fleet, tmp_path: Path) -> None:
    before = {host: fleet.boot(host) for host in HOSTS}
    absent = tmp_path / "absent.yml"
    absent.write_text("lab: {hosts: {absent: {ansible_port: 1, ansible_ssh_timeout: 3}}}\n")
    run = fleet.playbook("-i", str(absent))
    assert run.rc != 0
    assert run.outcomes() == {"lab1": "deferred", "lab2": "deferred", "absent": "unreachable"}
    assert "leave it out with --limit 'all:!absent'" in " ".join(run.output.split())
    assert {host: fleet.boot(host) for host in HOSTS} == before


def test_a_host_that_fails_stops_the_roll_and_the_next_one_is_untouched(fleet: Fleet) -> None:
    _older, newer = fleet.kernels("lab1")
    before = {host: fleet.boot(host) for host in HOSTS}
    fleet.ssh("lab1", "cd /boot && mv initrd.img-%s whole && head -c 5000000 whole > initrd.img-%s" % (newer, newer))
    run = fleet.playbook()
    fleet.ssh("lab1", "cd /boot && mv whole initrd.img-" + newer)
    assert run.rc != 0
    assert run.outcomes() == {"lab1": "failed", "lab2": "deferred"}
    assert "the initrd /boot/initrd.img-%s is truncated or damaged" % newer in " ".join(run.output.split())
    assert "untouched: the roll stopped, because lab1 failed" in " ".join(run.output.split())
    assert {host: fleet.boot(host) for host in HOSTS} == before


def test_the_roll_brings_both_hosts_to_the_newer_kernel_by_kexec(fleet: Fleet) -> None:
    _older, newer = fleet.kernels("lab1")
    before = {host: fleet.boot(host) for host in HOSTS}
    observers = {host: Observer(fleet, host) for host in HOSTS}
    run = fleet.playbook("-vv")
    for observer in observers.values():
        observer.end()
    assert run.rc == 0
    assert run.outcomes() == {"lab1": "rebooted", "lab2": "rebooted"}
    for host in HOSTS:
        after = fleet.boot(host)
        assert (after["release"], after["loader_type"], after["kexec_loaded"]) == (newer, KEXEC, "0")
        assert after["boot_id"] != before[host]["boot_id"]
        assert len(tasks_of(run, host)) <= MOST_TASKS_PER_HOST

    start = time.monotonic()
    fleet.ssh("lab2", "true")
    most = MOST_SECONDS_TO_NOTICE + LOGINS_TO_NOTICE * (time.monotonic() - start)
    print("\na login takes %.1f s" % (time.monotonic() - start))
    print("seconds   requested    down  answering   ready   noticed after")
    for host in HOSTS:
        (task,) = run.of("kexec_reboot", host)
        moments = task.result["timeline"]
        ready = observers[host].ready
        assert ready is not None
        # Not the task's end: the kernel is accepted in it too, by a module on the emulated host.
        noticed = datetime.fromisoformat(task.result["started"]).timestamp() + moments["ready"] - ready
        print("%-9s %9.1f %7.1f %10.1f %7.1f %15.1f" % (host, *moments.values(), noticed))
        assert moments["requested"] < moments["down"] < moments["answering"] <= moments["ready"]
        assert task.result["method"] == "kexec"
        assert noticed <= most


def test_the_same_run_again_changes_nothing(fleet: Fleet) -> None:
    before = {host: fleet.boot(host) for host in HOSTS}
    run = fleet.playbook()
    assert run.rc == 0
    assert run.outcomes() == {"lab1": "current", "lab2": "current"}
    assert all(not task.result.get("changed") for task in run.tasks)
    assert {host: fleet.boot(host) for host in HOSTS} == before


def test_staging_is_idempotent_and_undone(fleet: Fleet) -> None:
    older, newer = fleet.kernels("lab1")
    running_token = fleet.ssh("lab1", "cat /proc/cmdline").rpartition("fleetops.boot=")[2]
    first, again, running = fleet.modules(
        "lab1", "kexec_load", [{"entry": older}, {"entry": older}, {"entry": "running"}]
    )
    assert (first["changed"], again["changed"], running["changed"]) == (True, False, True)
    assert first["staged"] == again["staged"]
    assert (first["staged"]["release"], running["staged"]["release"]) == (older, newer)
    assert running_token not in running["staged"]["cmdline"]
    assert running["staged"]["cmdline"].count("panic=") == 1

    info = fleet.module("lab1", "kexec_info")["kexec"]
    assert info["loaded"]["image"] is True
    assert info["loaded"]["ours"]["token"] == running["staged"]["token"]
    assert (info["boot_loader"], info["init"], info["running"]["booted_by"]) == ("grub", "systemd", "kexec")
    assert [blocker for blocker in info["blockers"] if blocker["severity"] == "refuse"] == []

    undone, again = fleet.modules("lab1", "kexec_load", [{"state": "unloaded"}, {"state": "unloaded"}])
    assert (undone["changed"], again["changed"]) == (True, False)
    assert fleet.boot("lab1")["kexec_loaded"] == "0"


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"entry": "6.6.6"}, "has no entry with the id, title or release '6.6.6'; it has: gnulinux-"),
    ({"kernel": "/boot/none"}, "the kernel /boot/none does not exist on the host"),
    ({"kernel": "/etc/passwd"}, "/etc/passwd is not a bootable kernel image"),
    ({"kernel": "/boot"}, "the kernel /boot is a directory"),
    ({"append": ["x" * 3000]}, "the command line is too long"),
    ({"syscall": "tools"}, "install kexec-tools"),
    ({"state": "present"}, "value of state must be one of: loaded, unloaded"),
    ({"krenel": "/boot/x"}, "Unsupported parameters"),
]


def test_bad_input_is_refused_and_nothing_is_staged(fleet: Fleet) -> None:
    results = fleet.modules("lab1", "kexec_load", [arguments for arguments, _message in BAD_INPUT])
    for result, (_arguments, message) in zip(results, BAD_INPUT, strict=True):
        assert result["failed"] is True
        assert message in result["msg"]
        assert "Traceback" not in result["msg"]
    assert fleet.boot("lab1")["kexec_loaded"] == "0"


def test_the_kernel_itself_refuses_what_looks_whole(fleet: Fleet) -> None:
    _older, newer = fleet.kernels("lab1")
    # Offset 0x206: a boot protocol so old that the kernel's loader refuses it with ENOEXEC.
    fleet.ssh(
        "lab1",
        "cp /boot/vmlinuz-%s /root/altered && printf '\\001\\002' | dd of=/root/altered bs=1 seek=518 conv=notrunc"
        % newer,
    )
    result = fleet.module("lab1", "kexec_load", kernel="/root/altered")
    assert (
        "cannot stage the kernel /root/altered: it is not a bootable kernel image for this architecture"
        in result["msg"]
    )


def test_a_reboot_through_the_firmware_is_one_although_an_image_was_staged(fleet: Fleet) -> None:
    """Over a name that only ssh's own settings know."""
    fleet.module("lab1", "kexec_load")
    before = fleet.boot("lab1")
    assert before["kexec_loaded"] == "1"
    alias = {"ansible_host": "lab1.invalid", "ansible_ssh_extra_args": "-o HostName=127.0.0.1"}
    (result,) = fleet.modules("lab1", "kexec_reboot", [{"method": "firmware"}], **alias)
    assert result["failed"] is False
    assert (result["rebooted"], result["method"]) == (True, "firmware")
    after = fleet.boot("lab1")
    assert after["loader_type"] == FIRMWARE
    assert after["boot_id"] == result["boot_id"]["after"] != before["boot_id"]


def test_where_loading_is_disabled_the_host_is_refused_and_left_alone(fleet: Fleet) -> None:
    fleet.ssh("lab1", "sysctl -q -w kernel.kexec_load_disabled=1")
    before = fleet.boot("lab1")
    result = fleet.module("lab1", "kexec_load")
    assert "kernel.kexec_load_disabled is 1, which lasts until the next boot" in result["msg"]
    run = fleet.playbook("--limit", "lab1", fast_reboot_force=True)
    assert run.rc != 0
    assert run.outcomes() == {"lab1": "refused"}
    assert fleet.boot("lab1") == before
