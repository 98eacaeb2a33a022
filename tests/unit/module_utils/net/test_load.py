# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arming together with staging: when, with what, and what is said where it cannot be done."""

import errno
import json
import os
import shutil

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from ansible_collections.fleetops.kexec.plugins.module_utils._net import guard, load, one_shot, state

OLD, NEW = "6.1.0-55-cloud-amd64", "6.1.0-56-cloud-amd64"


def entry_of(sim, release):
    return "debian-%s%s" % (release, ".conf" if sim.loader == "systemd-boot" else "")


def test_the_running_kernel_is_what_the_boot_loader_starts_once(sim):
    armed = sim.load()
    assert armed["staged"]["release"] == NEW
    assert armed["net"] == {
        "armed": True,
        "reason": None,
        "entry": entry_of(sim, OLD),
        "release": OLD,
        "seconds": 3600,
        "watchdog": None,
    }
    assert sim.once == entry_of(sim, OLD)
    sim.reset()
    assert sim.running == OLD


def test_the_record_outlives_the_boot_and_names_the_staging(sim):
    token = sim.load()["staged"]["token"]
    file = sim.host.root / state.STATE.lstrip("/")
    assert file.stat().st_mode & 0o777 == 0o600
    record = json.loads(file.read_text())
    assert (record["token"], record["release"], record["staged_release"]) == (token, OLD, NEW)
    assert record["boot_id"] == (sim.host.root / "proc/sys/kernel/random/boot_id").read_text().strip()


def test_the_guard_waits_before_anything_is_set(grub_sim):
    grub_sim.load()
    assert grub_sim.did == [
        "/usr/bin/systemctl enable fleetops-kexec-net.timer",
        "/usr/bin/systemctl restart fleetops-kexec-net.timer",
        "/usr/bin/grub-editenv /boot/grub/grubenv set next_entry=debian-" + OLD,
    ]
    assert grub_sim.active == {guard.TIMER, guard.SHUTDOWN}


def test_staging_the_same_again_changes_nothing_and_gives_the_time_anew(grub_sim):
    first = grub_sim.load(force=False)
    plan = grub_sim.plan(force=False)
    assert (plan.changed, plan.diff()["before"]) == (False, plan.diff()["after"])
    grub_sim.did.clear()
    assert plan.apply(grub_sim.machine(), "auto", lambda: b"the program\0") == first
    assert "/usr/bin/systemctl restart fleetops-kexec-net.timer" in grub_sim.did
    assert not any("set next_entry" in command for command in grub_sim.did)


def test_another_staging_takes_the_net_over(sim):
    sim.load()
    again = sim.load(entry="running")
    assert again["net"]["armed"] is True
    assert state.read_net(sim.machine()).token == again["staged"]["token"]
    assert sim.once == entry_of(sim, OLD)


def test_after_a_kexec_the_net_is_for_the_kernel_that_runs_then(sim):
    sim.load()
    sim.kexec()
    assert sim.load(entry="running")["net"]["release"] == NEW
    assert sim.once == entry_of(sim, NEW)


def test_a_rolled_back_host_can_be_armed_again(sim):
    sim.load()
    sim.kexec(comes_up=False)
    sim.reset()
    assert sim.load()["net"]["release"] == OLD
    assert sim.once == entry_of(sim, OLD)


def test_check_mode_and_diff_tell_and_change_nothing(sim):
    plan = sim.plan()
    assert plan.changed
    assert plan.preview()["net"]["entry"] == entry_of(sim, OLD)
    assert "net: %s (%s)\n" % (entry_of(sim, OLD), OLD) in plan.diff()["after"]
    assert "net: " not in plan.diff()["before"]
    assert sim.traces() == []


def test_unloading_takes_the_net_down(sim):
    sim.load()
    plan = sim.plan(state="unloaded")
    assert plan.changed
    assert "net: " in plan.diff()["before"]
    assert sim.unload() == {
        "staged": None,
        "net": {
            "armed": False,
            "reason": "nothing is staged",
            "entry": None,
            "release": None,
            "seconds": None,
            "watchdog": None,
        },
    }
    assert sim.traces() == []
    assert not sim.plan(state="unloaded").changed


def test_without_a_net_that_of_an_earlier_run_goes_and_the_new_image_stays(sim):
    sim.load()
    result = sim.load(rollback="false")
    assert (result["net"]["armed"], result["net"]["reason"]) == (False, "it was not asked for")
    assert sim.once is None
    assert sim.host.calls.loaded["cmdline"] == result["staged"]["cmdline"]
    assert sim.active == set()


def test_the_watchdog_is_kept_running_through_the_kexec_and_no_longer(grub_sim):
    properties = {"RuntimeWatchdogUSec": "20000000", "KExecWatchdogUSec": "0"}

    def busctl(argv):
        if argv[0] == "set-property":
            properties[argv[4]] = argv[6]
        return 0, "t %s\n" % properties[argv[4]], ""

    grub_sim.host.program("/usr/bin/busctl", busctl)
    grub_sim.host.write("sys/class/watchdog/watchdog0/state", "active\n")
    grub_sim.host.write("sys/class/watchdog/watchdog0/identity", "i6300ESB timer\n")
    grub_sim.host.write("sys/module/watchdog/parameters/stop_on_reboot", "0\n")
    for _run in range(2):
        watchdog = grub_sim.load()["net"]["watchdog"]
        assert watchdog == {"identity": "i6300ESB timer", "kept": True, "reason": None}
        assert properties["KExecWatchdogUSec"] == "600000000"
    grub_sim.unload()
    assert properties["KExecWatchdogUSec"] == "0"


@pytest.mark.parametrize(
    ("staging", "warned"),
    [
        ({}, False),
        ({"panic_seconds": 0}, True),
        ({"panic_seconds": 0, "append": "panic=5"}, False),
        ({"panic_seconds": 0, "append": "panic=0"}, True),
        ({"panic_seconds": 0, "rollback": "false"}, False),
    ],
)
def test_a_kernel_that_stays_in_its_panic_is_warned_of(grub_sim, staging, warned):
    assert any("does not reset the machine when it panics" in w for w in grub_sim.plan(**staging).warnings()) is warned


# What stands against it


def somebody_elses(sim):
    sim.editenv(["/boot/grub/grubenv", "set", "next_entry=debian-" + NEW])


def no_editor(sim):
    os.unlink(str(sim.host.root / "usr/bin/grub-editenv"))


def package_removed(sim):
    os.unlink(str(sim.host.root / ("boot/vmlinuz-" + OLD)))


def another_build(sim):
    sim.host.write("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.189-1 (2026-10-01)\n")


def deaf_configuration(sim):
    file = sim.host.root / "boot/grub/grub.cfg"
    file.write_text(file.read_text().replace('default="${next_entry}"', 'default="0"'))


def no_block(sim):
    os.unlink(str(sim.host.root / "boot/grub/grubenv"))


def another_init(sim):
    shutil.rmtree(str(sim.host.root / "run/systemd"))
    sim.host.write("proc/1/comm", "init\n")


def fleeting_disk(sim):
    mounts = (sim.host.root / "proc/self/mountinfo").read_text()
    sim.host.write("proc/self/mountinfo", mounts + "30 22 0:30 / /var rw - tmpfs tmpfs rw\n")


def another_loader(sim):
    shutil.rmtree(str(sim.host.root / "boot/grub"))
    sim.host.write("proc/sys/kernel/bootloader_type", "49\n")
    sim.host.write(
        "boot/extlinux/extlinux.conf",
        "DEFAULT a\nLABEL a\n  LINUX /boot/vmlinuz-%s\n  INITRD /boot/initrd.img-%s\n" % (NEW, NEW),
    )


def full_block(sim):
    sim.editenv(["/boot/grub/grubenv", "set", "filler=" + 960 * "x"])


def failing_systemd(sim):
    def answer(argv):
        return (1, "", "Failed to restart unit") if argv[0] == "restart" else sim.systemctl(argv)

    sim.host.program("/usr/bin/systemctl", answer)


REASONS = [
    (somebody_elses, "told by somebody else to start the entry 'debian-%s' once" % NEW),
    (no_editor, "the program grub-editenv is missing"),
    (package_removed, "has no entry for the running kernel " + OLD),
    (another_build, "or brought another build since it was started"),
    (deaf_configuration, "/boot/grub/grub.cfg does not heed an entry for one start"),
    (no_block, "/boot/grub/grub.cfg does not heed an entry for one start"),
    (another_init, "a host with the init system 'sysvinit'"),
    (fleeting_disk, "/var/lib/fleetops-kexec is on a tmpfs"),
    (another_loader, "this version cannot tell the boot loader extlinux to start an entry once"),
    (full_block, "environment block too small"),
    (failing_systemd, "Failed to restart unit"),
]


@pytest.mark.parametrize(("trouble", "reason"), REASONS)
def test_where_it_cannot_be_armed_that_is_said_and_the_kernel_staged(grub_sim, trouble, reason):
    trouble(grub_sim)
    before = grub_sim.once if trouble is not another_loader else None
    result = grub_sim.load()
    assert result["net"]["armed"] is False
    assert reason in result["net"]["reason"]
    assert grub_sim.host.calls.loaded["cmdline"] == result["staged"]["cmdline"]
    assert not grub_sim.machine().exists(state.STATE)
    if trouble is not another_loader:
        assert grub_sim.once == before


@pytest.mark.parametrize(("trouble", "reason"), REASONS)
def test_where_it_has_to_be_armed_nothing_is_staged_then(grub_sim, trouble, reason):
    trouble(grub_sim)
    with pytest.raises(KexecError) as refusal:
        grub_sim.load(rollback="true")
    assert reason in str(refusal.value)
    assert grub_sim.host.calls.loaded is None
    assert not grub_sim.machine().exists(state.STATE)


@pytest.mark.parametrize("sim", ["systemd-boot"], indirect=True)
def test_without_bootctl_systemd_boot_is_told_nothing(sim):
    os.unlink(str(sim.host.root / "usr/bin/bootctl"))
    assert "the program bootctl is missing" in sim.load()["net"]["reason"]


@pytest.mark.parametrize("action", [lambda sim: sim.unload(), lambda sim: sim.commit(), lambda sim: sim.time_passes()])
def test_what_an_administrator_has_set_meanwhile_stays(sim, action):
    sim.load()
    wanted = entry_of(sim, NEW)
    if sim.loader == "grub":
        sim.editenv(["/boot/grub/grubenv", "set", "next_entry=" + wanted])
    else:
        sim.bootctl(["set-oneshot", wanted])
    sim.host.write("sys/kernel/kexec_loaded", "0\n")
    action(sim)
    assert sim.once == wanted
    assert not sim.machine().exists(state.STATE)


def test_a_refused_load_leaves_no_net_behind(sim):
    sim.host.calls.errno = errno.ENOMEM
    with pytest.raises(KexecError, match="not enough free memory"):
        sim.load()
    assert sim.traces() == []


def test_a_refused_load_leaves_the_earlier_image_with_its_net(sim):
    first = sim.load()
    sim.host.calls.errno = errno.ENOMEM
    with pytest.raises(KexecError, match="not enough free memory"):
        sim.load()
    assert sim.host.calls.loaded["cmdline"] == first["staged"]["cmdline"]
    assert sim.once == entry_of(sim, OLD)
    assert state.read_net(sim.machine()).token == first["staged"]["token"]


def expire(sim):
    """The guard's time is over, and it does its work."""
    sim.time_passes()


def before_the_call(sim, action):
    load_image = sim.host.calls.kexec_file_load

    def late(*arguments):
        action(sim)
        load_image(*arguments)

    sim.host.calls.kexec_file_load = late


def after_the_call(sim, action):
    sim.host.calls.after_load = lambda: action(sim)


def entry_is_used_up(sim):
    """The guard has begun, and has come no further."""
    one_shot.remove_if_set(sim.machine(), state.read_net(sim.machine()).one_shot)


@pytest.mark.parametrize("moment", [before_the_call, after_the_call])
@pytest.mark.parametrize("guard_does", [expire, entry_is_used_up])
@pytest.mark.parametrize("rollback", ["auto", "true"])
def test_a_net_whose_time_is_over_before_the_kernel_is_staged_takes_it_along(sim, moment, guard_does, rollback):
    moment(sim, guard_does)
    with pytest.raises(KexecError) as refusal:
        sim.load(rollback=rollback, seconds=2)
    assert "(rollback_seconds: 2) was over by then; nothing is staged; give it more" in str(refusal.value)
    assert sim.host.calls.loaded is None
    assert (sim.once, sim.dangers()) == (None, [])


def test_a_damaged_record_is_said_to_be_one(grub_sim):
    grub_sim.host.write(state.STATE, "{}")
    with pytest.raises(KexecError, match=r"/var/lib/fleetops-kexec/net.json is damaged.*remove the file"):
        grub_sim.load()


def test_the_time_has_to_be_some(grub_sim):
    with pytest.raises(KexecError, match="rollback_seconds is 0; it must be more than 0"):
        load.Request.of({"rollback": "auto", "rollback_seconds": 0})
