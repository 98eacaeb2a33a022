# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from ansible_collections.fleetops.kexec.plugins.module_utils._net import commit
from ansible_collections.fleetops.kexec.plugins.module_utils._net.panic import Change, plan_panic
from ansible_collections.fleetops.kexec.plugins.module_utils._running import read_running
from parserfuzz.images import BUILD

OLD, NEW = "6.1.0-55-cloud-amd64", "6.1.0-56-cloud-amd64"
PANIC = "proc/sys/kernel/panic"


def panic(sim):
    return (sim.host.root / PANIC).read_text().strip()


def test_the_running_kernel_is_accepted_once(sim):
    token = sim.load()["staged"]["token"]
    sim.kexec()
    assert panic(sim) == "30"
    plan = sim.commit()
    assert plan.changed
    assert plan.warnings() == []
    assert plan.result()["rolled_back"] is False
    assert (
        plan.result()["net"].items() >= {"armed": True, "release": OLD, "token": token, "staged_release": NEW}.items()
    )
    assert plan.result()["kernel_panic"] == {"before": 30, "after": 0}
    assert (panic(sim), sim.traces()) == ("0", [])
    assert not sim.commit().changed
    sim.reset()
    assert sim.running == NEW


def test_pending_only_tells(sim):
    sim.load()
    before = sim.traces()
    plan = commit.plan_for(sim.machine(), False)
    plan.apply(sim.machine())
    assert (plan.changed, plan.diff()["before"] == plan.diff()["after"]) == (False, True)
    assert plan.result()["net"]["armed"] is True
    assert sim.traces() == before


def test_check_mode_and_diff_tell_what_would_change(sim):
    sim.load()
    sim.kexec()
    before = sim.traces()
    plan = commit.plan_for(sim.machine(), True)
    assert plan.diff() == {"before": "net: %s (%s)\nkernel.panic: 30\n" % (sim.once, OLD), "after": "kernel.panic: 0\n"}
    assert sim.traces() == before


def test_a_host_that_was_rolled_back_says_so(sim):
    sim.load()
    sim.kexec(comes_up=False)
    sim.reset()
    plan = commit.plan_for(sim.machine(), False)
    assert (plan.rolled_back, plan.is_armed) == (True, not sim.grub_writes)
    (warning,) = plan.warnings()
    assert warning.startswith("this host was rolled back: it runs %s (%s) again, and %s was staged" % (OLD, BUILD, NEW))
    assert sim.commit().changed
    assert sim.traces() == []


def test_another_build_of_the_known_good_release_is_no_way_back(sim):
    sim.load()
    sim.kexec(comes_up=False)
    sim.reset()
    sim.host.write("proc/sys/kernel/version", "#2 SMP Debian 6.1.191-1\n")
    assert commit.plan_for(sim.machine(), False).rolled_back is False


def test_a_kernel_that_was_not_started_yet_cannot_be_accepted(sim):
    sim.load()
    before = sim.traces()
    with pytest.raises(KexecError, match=r"the staged kernel \(%s\) has not been started yet" % NEW):
        sim.commit()
    assert sim.traces() == before


def test_a_host_without_a_net_is_left_as_it_is(grub_sim):
    plan = grub_sim.commit()
    assert (plan.changed, plan.result()) == (False, {"net": None, "rolled_back": False, "kernel_panic": None})
    assert grub_sim.did == []


def test_kernel_panic_is_restored_without_a_net_too(grub_sim):
    grub_sim.load(rollback="false")
    grub_sim.kexec()
    assert grub_sim.commit().changed
    assert panic(grub_sim) == "0"


def test_a_container_is_refused(grub_sim):
    grub_sim.host.write("run/systemd/container", "lxc\n")
    with pytest.raises(KexecError, match="this is a container"):
        grub_sim.commit()


# kernel.panic

OURS = "root=LABEL=root ro panic=30 fleetops.boot=T"


@pytest.mark.parametrize(
    ("cmdline", "now", "config", "sysctl", "change"),
    [
        (OURS, "30", "", "", Change(30, 0)),
        (OURS, "30", "CONFIG_PANIC_TIMEOUT=10\n", "", Change(30, 10)),
        (OURS, "30", "CONFIG_PANIC_TIMEOUT=-1\n", "", Change(30, -1)),
        ("panic=60 " + OURS, "30", "CONFIG_PANIC_TIMEOUT=10\n", "", Change(30, 60)),
        ("panic=30 " + OURS, "30", "", "", None),
        (OURS, "5", "", "", None),
        (OURS, "30", "", "kernel.panic = 30\n", None),
        (OURS, "30", "", "-kernel/panic=30\n", None),
        (OURS, "30", "", "# kernel.panic = 30\nkernel.panic_on_oops = 1\n", Change(30, 0)),
        ("root=LABEL=root ro panic=30", "30", "", "", None),
        ("root=LABEL=root ro fleetops.boot=T", "30", "", "", None),
    ],
)
def test_kernel_panic_becomes_what_the_entry_alone_would_give(host, cmdline, now, config, sysctl, change):
    host.write("proc/cmdline", cmdline + "\n")
    host.write(PANIC, now + "\n")
    host.write("boot/config-" + OLD, config)
    host.write("usr/lib/sysctl.d/50-default.conf", sysctl)
    assert plan_panic(host.machine(), read_running(host.machine())) == change


def test_a_file_of_sysctl_that_is_masked_does_not_count(host):
    host.write("proc/cmdline", OURS + "\n")
    host.write(PANIC, "30\n")
    host.write("usr/lib/sysctl.d/50-default.conf", "kernel.panic = 30\n")
    host.write("etc/sysctl.d/50-default.conf", "")
    assert plan_panic(host.machine(), read_running(host.machine())) == Change(30, 0)
