# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reboot engine against a host that lives in virtual time."""

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostError, HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer
from ansible_collections.fleetops.kexec.plugins.plugin_utils._reboot import Reboot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request
from ansible_collections.fleetops.kexec.plugins.plugin_utils._return import WHO_IS_THERE
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.fake_host import (
    BLOCKED,
    NEW,
    NEW_ID,
    OLD,
    OLD_ID,
    STARTED,
    FakeClock,
    FakeHost,
    FakePending,
    reboot,
)


def test_a_kexec_into_the_staged_image_is_proven():
    outcome, host = reboot()
    assert not outcome.failed
    assert (outcome.changed, outcome.rebooted, outcome.method, outcome.fell_back) == (True, True, "kexec", False)
    assert outcome.release == {"before": OLD, "after": NEW}
    assert outcome.boot_id == {"before": OLD_ID, "after": NEW_ID}
    assert outcome.phase == "proof"
    assert host.log.count("fire kexec") == 1
    assert "unload" not in host.log


def test_the_timeline_follows_what_happened_closely():
    outcome, host = reboot(down=3.0, answering=20.0)
    fired = host.fired - 1000.0
    assert fired + 3.0 <= outcome.timeline["down"] <= fired + 5.0
    assert fired + 20.0 <= outcome.timeline["answering"] <= fired + 20.6
    assert outcome.timeline["ready"] <= fired + 21.0
    assert outcome.elapsed - outcome.timeline["ready"] < 0.1
    assert outcome.down_seconds == pytest.approx(outcome.timeline["ready"] - outcome.timeline["down"], abs=0.02)


def test_a_reboot_through_the_firmware_unloads_the_image_first():
    outcome, host = reboot(method="firmware", token=None, loader_type="114")
    assert not outcome.failed
    assert outcome.method == "firmware"
    assert host.log.index("unload") < host.log.index("fire reboot")


@pytest.mark.parametrize("init", ["systemd", "runit"])
def test_kexec_now_jumps_whatever_the_init_system_thinks_of_it(init):
    outcome, host = reboot(method="kexec_now", init=init, inhibitors=BLOCKED)
    assert not outcome.failed
    assert outcome.method == "kexec_now"
    assert host.log.count("fire now") == 1


def test_inhibitors_are_overridden_when_told():
    outcome, _host = reboot(inhibitors=BLOCKED, ignore_inhibitors=True)
    assert not outcome.failed


@pytest.mark.parametrize("init", ["init"])
def test_sysvinit_reboots_by_its_own_scripts(init):
    outcome, host = reboot(init=init)
    assert not outcome.failed
    assert "fire reboot" in host.log


@pytest.mark.parametrize("method", ["kexec", "firmware"])
@pytest.mark.parametrize(
    ("before", "again", "warned", "most"),
    [
        (False, None, False, 0.1),
        (False, 20.0, False, 0.1),
        (True, 20.0, False, 0.1),
        (True, 26.0, False, 10.0),
        (True, None, True, 16.5),
        (True, 60.0, True, 16.5),
    ],
    ids=["had none", "has one now", "there at once", "a little later", "never", "too late"],
)
def test_a_crash_kernel_that_is_lost_is_a_warning(method, before, again, warned, most):
    by_kexec = {} if method == "kexec" else {"token": None, "loader_type": "114"}
    outcome, _host = reboot(method=method, crash_loaded=before, crash_again=again, **by_kexec)
    assert not outcome.failed
    assert outcome.warnings == (
        ["a crash kernel was loaded before the reboot and is not any more; check the kdump service"] if warned else []
    )
    assert outcome.elapsed - outcome.timeline["ready"] <= most


def test_the_crash_kernel_is_looked_for_within_the_deadline():
    outcome, _host = reboot(timeout=25.0, crash_loaded=True)
    assert not outcome.failed
    assert outcome.warnings
    assert outcome.elapsed <= 25.0


def test_a_host_that_falls_silent_while_its_crash_kernel_is_looked_for_is_no_failure():
    class Silent(FakeHost):
        def start(self, command):
            if self.is_new(self.elapsed()) and self.elapsed() > 21.5:
                return FakePending(self.clock, HostUnreachable("connection reset"), self.clock.time + 0.1)
            return super().start(command)

    clock = FakeClock()
    host = Silent(clock, crash_loaded=True)
    outcome = Reboot(host, clock, Request(method="kexec", timeout=120.0), say=lambda line: None).run()
    assert not outcome.failed
    assert len(outcome.warnings) == 1


def test_nothing_is_unloaded_when_nothing_is_loaded():
    outcome, host = reboot(method="firmware", token=None, loader_type="114", loaded=False, staged=False)
    assert not outcome.failed
    assert "unload" not in host.log


@pytest.mark.parametrize(
    ("facts", "phase", "message"),
    [
        (
            {"token": None, "loader_type": "114"},
            "proof",
            "the kexec did not happen: the host came back through its firmware, with 6.1.0-56",
        ),
        ({"token": "OTHER"}, "proof", "not from the staged image"),
        ({"token": None}, "proof", "not from the staged image"),
        ({"release": OLD}, "proof", "came back with kernel 6.1.0-55, and 6.1.0-56 was expected"),
        ({"expect_release": "6.6"}, "proof", "came back with kernel 6.1.0-56, and 6.6 was expected"),
        ({"method": "firmware"}, "proof", "through the firmware was asked for, and the host came back by a kexec"),
        (
            {"method": "firmware", "token": None, "loader_type": "114", "expect_release": OLD},
            "proof",
            "came back with kernel 6.1.0-56, and 6.1.0-55 was expected",
        ),
        ({"down": None}, "down", "the host did not go down within 120 s: it still runs its old boot"),
        ({"answering": None}, "return", "and did not come back within 120 s"),
        ({"ready": 999.0}, "return", "no command worked within 120 s: a command ended with 1: System is booting up."),
        (
            {"fire": Answer(1, "", "Failed to start kexec.target: Access denied\n")},
            "request",
            r"refused to reboot \(return code 1\): Failed to start",
        ),
    ],
)
def test_what_is_no_success_fails_with_its_phase(facts, phase, message):
    outcome, _host = reboot(**facts)
    assert outcome.failed
    assert outcome.phase == phase
    assert message.replace("\\", "") in outcome.msg


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"unreachable": True}, "connection refused"),
        ({"question_takes": None}, "the host did not answer within 30 s; it was left alone"),
        ({"staged": False}, "an image is loaded, but kexec_load has no record of it"),
        ({"staged": False, "loaded": False}, "no image is staged; run kexec_load first"),
        ({"wanted_token": "ANOTHER"}, "another image than the one that was to be started is staged"),
        ({"uid": "1000"}, "rebooting needs root on the host; use become: true"),
        ({"init": "runit"}, "the init system 'runit' is not known"),
        ({"inhibitors": BLOCKED}, "a shutdown is inhibited by dpkg (packages are being installed)"),
        ({"inhibitors": BLOCKED, "method": "firmware"}, "or set ignore_inhibitors: true"),
        ({"container": "docker"}, "this is a container (docker)"),
        ({"method": "firmware", "unload": HostError("cannot unload")}, "cannot unload"),
    ],
)
def test_what_must_not_be_rebooted_is_left_alone(facts, message):
    outcome, host = reboot(**facts)
    assert outcome.failed
    assert message in outcome.msg
    assert (outcome.changed, outcome.rebooted, outcome.phase) == (False, False, "check")
    assert host.fired is None


def test_the_command_does_nothing_in_another_boot():
    _outcome, host = reboot()
    assert any('boot_id)" != %s ]; then exit 0' % OLD_ID in line for line in host.log)


def test_a_refusal_counts_also_where_the_host_was_too_slow_to_answer_before_it():
    """The host is silent for a moment, which looks like going down, and then says that it will not reboot."""
    outcome, _host = reboot(
        down=0.5, answers_during_shutdown=(4.0, 999.0), answering=None, fire=Answer(1, "", "no"), fire_takes=3.0
    )
    assert outcome.failed
    assert "refused to reboot (return code 1): no" in outcome.msg
    assert (outcome.changed, outcome.rebooted) == (False, False)


def test_a_refused_reboot_has_changed_nothing():
    outcome, _host = reboot(fire=Answer(1, "", "no image is loaded any more"), down=None)
    assert (outcome.changed, outcome.rebooted) == (False, False)
    assert outcome.elapsed < 5


@pytest.mark.parametrize(
    "facts",
    [
        {"fire_takes": None},
        {"fire": HostUnreachable("connection closed by remote host"), "fire_takes": 3.1},
        {"fire": Answer(255, "", "connection reset"), "fire_takes": 1.0},
        {"fire": Answer(143, "", ""), "fire_takes": 1.0},
        {"fire": Answer(1, "", "it had gone down by then"), "fire_takes": 60.0},
    ],
    ids=["never returns", "cut off by the shutdown", "ended by ssh", "ended by a signal", "ends long after"],
)
def test_a_command_that_fires_the_reboot_and_hangs_does_not_matter(facts):
    outcome, _host = reboot(**facts)
    assert not outcome.failed
    assert outcome.timeline["ready"] < 25


def test_the_old_boot_that_answers_again_is_not_back():
    outcome, _host = reboot(down=2.0, answers_during_shutdown=(6.0, 12.0), answering=40.0, ready=40.0)
    assert not outcome.failed
    assert outcome.timeline["down"] > 11
    assert outcome.timeline["answering"] > 39


def test_a_reboot_between_two_looks_is_seen_by_the_boot_id():
    outcome, _host = reboot(down=3.0, answering=3.01, ready=3.01)
    assert not outcome.failed
    assert (outcome.timeline["down"], outcome.down_seconds) == (None, None)
    assert outcome.rebooted


@pytest.mark.parametrize("fire", [HostUnreachable("connection reset"), Answer(255, "", ""), Answer(143, "", "")])
def test_an_outage_of_half_a_second_is_noticed_where_it_breaks_the_connection_of_the_request(fire):
    outcome, host = reboot(down=0.3, answering=0.8, ready=0.8, fire=fire, fire_takes=0.35)
    assert not outcome.failed
    assert outcome.timeline["ready"] <= host.fired - 1000.0 + 0.8 + 1.0 + 0.3


def test_a_host_that_is_slow_to_log_in_is_asked_again_without_haste():
    outcome, host = reboot(answering=20.0, ready=40.0)
    assert not outcome.failed
    assert outcome.timeline["answering"] < 21
    assert 40 <= outcome.timeline["ready"] - outcome.timeline["requested"] <= 41.5
    assert host.log.count("reset") < 45


@pytest.mark.parametrize(
    "facts", [{"down": None}, {"answering": None}, {"ready": 9999.0}, {"fire_takes": None, "down": None}]
)
def test_one_deadline_holds_for_the_whole(facts):
    outcome, _host = reboot(timeout=60.0, **facts)
    assert outcome.failed
    assert 60 <= outcome.elapsed <= 61


def test_a_question_that_dies_with_the_old_boot_does_not_delay_the_return():
    """SSH answers once more during the shutdown, and the command that is tried then never ends."""

    class Hanging(FakeHost):
        def start(self, command):
            if command == WHO_IS_THERE and 6.0 <= self.elapsed() < 8.0:
                return FakePending(self.clock, None, None)
            return super().start(command)

    clock = FakeClock()
    host = Hanging(clock, down=2.0, answers_during_shutdown=(6.0, 8.0), answering=20.0)
    outcome = Reboot(host, clock, Request(method="kexec", timeout=120.0), say=lambda line: None).run()
    assert not outcome.failed
    assert outcome.timeline["ready"] <= host.fired - 1000.0 + 21.0


def test_a_machine_that_is_slow_to_run_a_command_is_asked_once():
    outcome, host = reboot(question_takes=12.0, timeout=300.0)
    assert not outcome.failed
    assert outcome.timeline["ready"] - outcome.timeline["answering"] == pytest.approx(12.0, abs=0.1)
    assert host.log.count("reset") == 1


def test_check_mode_asks_and_does_nothing():
    outcome, host = reboot(check_mode=True, staged=False, loaded=False)
    assert not outcome.failed
    assert (outcome.changed, outcome.rebooted) == (True, False)
    assert outcome.msg == "would reboot by kexec"
    assert host.fired is None


def test_check_mode_refuses_as_a_real_run_does():
    outcome, _host = reboot(check_mode=True, init="runit")
    assert outcome.failed


def test_the_result_is_complete_whatever_happened():
    complete = set(reboot()[0].as_result(STARTED))
    assert set(reboot(unreachable=True)[0].as_result(STARTED)) == complete
