# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way of dying between arming and committing, and each moment of it: nothing of it is a surprise weeks later.

Every row ends in an ordinary reboot, which has to start the boot loader's default, and nothing may be left then.
"""

import pytest

pytestmark = pytest.mark.slow

OLD, NEW = "6.1.0-55-cloud-amd64", "6.1.0-56-cloud-amd64"


def ends_well(sim):
    """An ordinary reboot starts the default, and nobody could tell that there has been a net."""
    sim.reboot()
    assert sim.running == NEW
    assert sim.traces() == []
    assert sim.host.calls.loaded is None


# Each is a death in which nobody is left to tidy up, and the kernel that runs after it.


def controller_dies_before_firing(sim):
    sim.load()
    return OLD


def power_cut_before_the_kexec(sim):
    sim.load()
    sim.reset()
    return OLD


def controller_dies_after_firing(sim):
    sim.load()
    sim.kexec()
    return NEW


def controller_dies_after_a_kexec_that_stops_no_service(sim):
    sim.load()
    sim.jump()
    return NEW


def new_kernel_panics(sim):
    sim.load()
    sim.kexec(comes_up=False)
    sim.reset()
    return OLD


def power_cut_before_the_commit(sim):
    sim.load()
    sim.kexec()
    sim.reset()
    return OLD


def second_staging_is_never_fired(sim):
    sim.load()
    sim.load()
    return OLD


def second_staging_after_a_kexec_is_never_fired(sim):
    sim.load()
    sim.kexec()
    sim.load(entry="running")
    return NEW


def back_and_forth(sim):
    new_kernel_panics(sim)
    sim.load()
    sim.kexec(comes_up=False)
    sim.reset()
    return OLD


DEATHS = [
    controller_dies_before_firing,
    power_cut_before_the_kexec,
    controller_dies_after_firing,
    controller_dies_after_a_kexec_that_stops_no_service,
    new_kernel_panics,
    power_cut_before_the_commit,
    second_staging_is_never_fired,
    second_staging_after_a_kexec_is_never_fired,
    back_and_forth,
]


@pytest.mark.parametrize("death", DEATHS)
def test_weeks_later_the_default_is_started(sim, death):
    assert death(sim) == sim.running
    sim.time_passes()
    assert sim.once is None
    assert sim.host.calls.loaded is None
    ends_well(sim)


@pytest.mark.parametrize("death", DEATHS)
def test_an_ordinary_reboot_at_once_starts_the_default_too(sim, death):
    assert death(sim) == sim.running
    ends_well(sim)


@pytest.mark.parametrize("death", DEATHS)
def test_a_host_that_was_switched_off_at_once_starts_the_default(sim, death):
    death(sim)
    sim.goes_down("poweroff.target")
    sim.reset()
    assert sim.running == NEW
    assert sim.traces() == []


@pytest.mark.parametrize("death", DEATHS)
def test_weeks_later_a_power_cut_leads_to_the_default(sim, death):
    death(sim)
    sim.time_passes()
    sim.reset()
    assert sim.running == NEW


# And each of the programs may die between any two of its changes.


def nothing_before(sim):
    pass


def an_armed_net(sim):
    sim.load()


def an_armed_net_and_a_kexec(sim):
    sim.load()
    sim.kexec()


def a_rollback(sim):
    sim.load()
    sim.kexec(comes_up=False)
    sim.reset()


def staging_without_a_net(sim):
    sim.load(rollback="false")


PROGRAMS = [
    pytest.param(nothing_before, lambda sim: sim.load(), id="arming"),
    pytest.param(an_armed_net, lambda sim: sim.load(), id="arming again"),
    pytest.param(an_armed_net, staging_without_a_net, id="staging without a net after one with"),
    pytest.param(an_armed_net_and_a_kexec, lambda sim: sim.load(), id="arming after a kexec"),
    pytest.param(an_armed_net, lambda sim: sim.unload(), id="calling off"),
    pytest.param(an_armed_net, lambda sim: sim.time_passes(), id="time over before the kexec"),
    pytest.param(an_armed_net_and_a_kexec, lambda sim: sim.commit(), id="committing"),
    pytest.param(an_armed_net_and_a_kexec, lambda sim: sim.time_passes(), id="time over after the kexec"),
    pytest.param(an_armed_net_and_a_kexec, lambda sim: sim.goes_down("reboot.target"), id="shutting down"),
    pytest.param(a_rollback, lambda sim: sim.commit(), id="committing after a rollback"),
]
MOST_STEPS = 40


AT_ONCE, LATER, CUT = "a reboot at once", "weeks later", "a power cut, and weeks later"


@pytest.mark.parametrize(("before", "action"), PROGRAMS)
@pytest.mark.parametrize("ending", [AT_ONCE, LATER, CUT])
@pytest.mark.parametrize("sim", ["GRUB that cannot write"], indirect=True)
def test_a_program_that_dies_halfway_leaves_no_surprise(sim, before, action, ending):
    """With the boot loader that uses nothing up by itself, which is the hardest."""
    for steps in range(MOST_STEPS):
        sim.begin_anew()
        before(sim)
        died = sim.dies_after(steps, lambda: action(sim))
        if ending == CUT or sim.jobs:
            sim.reset()
        if ending != AT_ONCE or sim.jobs:
            sim.time_passes()
            assert sim.once is None
            # Without a net, an image stays for as long as its operator likes.
            assert sim.host.calls.loaded is None or action is staging_without_a_net
        sim.reboot()
        sim.time_passes()
        assert sim.once is None
        sim.reboot()
        assert (sim.running, sim.dangers()) == (NEW, []), "died after %d changes" % steps
        if not died:
            break
    assert not died
    assert steps > 2
    assert sim.traces() == []
