# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How method auto falls back, and what came back instead of a kexec."""

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.fake_host import (
    BY_FIRMWARE,
    OLD,
    OLD_BUILD,
    reboot,
)


def test_auto_starts_what_is_staged():
    outcome, host = reboot(method="auto")
    assert not outcome.failed
    assert (outcome.method, outcome.asked["method"], outcome.asked["not_kexec"]) == ("kexec", "kexec", None)
    assert host.log.count("fire kexec") == 1


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"loaded": False, "staged": False}, "no image is staged"),
        ({"staged": False}, "kexec_load has no record of it"),
        ({"wanted_token": "ANOTHER"}, "another image than the one that was to be started"),
    ],
)
def test_auto_goes_through_the_firmware_where_no_kexec_is_possible(facts, why):
    outcome, host = reboot(method="auto", **BY_FIRMWARE, **facts)
    assert not outcome.failed
    assert (outcome.method, outcome.asked["method"], outcome.fell_back) == ("firmware", "firmware", False)
    assert why in outcome.asked["not_kexec"]
    assert why in outcome.msg
    assert ("unload" in host.log) == facts.get("loaded", True)


def test_auto_fails_there_when_told_to():
    outcome, host = reboot(method="auto", fallback="fail", loaded=False, staged=False)
    assert outcome.failed
    assert outcome.msg == "no image is staged; run kexec_load first"
    assert host.fired is None


REFUSAL = Answer(1, "", "the shutdown scripts of this host know no kexec")


def test_auto_goes_through_the_firmware_where_the_host_refuses_a_kexec():
    outcome, host = reboot(method="auto", fire=[REFUSAL, Answer(0, "", "")], **BY_FIRMWARE)
    assert not outcome.failed
    assert (outcome.changed, outcome.rebooted, outcome.asked["method"]) == (True, True, "firmware")
    assert "know no kexec" in outcome.asked["not_kexec"]
    fired = [line for line in host.log if line.startswith("fire") or line == "unload"]
    assert fired == ["fire kexec", "unload", "fire reboot"]


@pytest.mark.parametrize("facts", [{"method": "auto", "fallback": "fail"}, {"method": "kexec"}])
def test_a_refusal_is_final_where_only_a_kexec_will_do(facts):
    outcome, host = reboot(fire=REFUSAL, **facts)
    assert outcome.failed
    assert (outcome.phase, outcome.changed) == ("request", False)
    assert len([line for line in host.log if line.startswith("fire")]) == 1


def test_a_host_that_refuses_both_has_changed_nothing():
    outcome, _host = reboot(method="auto", fire=[REFUSAL, Answer(1, "", "no permission")])
    assert outcome.failed
    assert (outcome.phase, outcome.changed) == ("request", False)
    assert "no permission" in outcome.msg


@pytest.mark.parametrize(
    ("facts", "failed", "message"),
    [
        ({"method": "auto"}, False, "rebooted by firmware into 6.1.0-56"),
        ({"method": "auto", "fallback": "fail"}, True, "the kexec did not happen"),
        ({"method": "kexec"}, True, "the kexec did not happen"),
        ({"method": "auto", "release": "6.1.0-57"}, True, "6.1.0-56 was expected"),
    ],
)
def test_a_kexec_that_became_a_reboot_through_the_firmware(facts, failed, message):
    outcome, _host = reboot(**BY_FIRMWARE, **facts)
    assert (outcome.failed, outcome.fell_back, outcome.rolled_back) == (failed, True, False)
    assert message in outcome.msg
    assert outcome.warnings == ([] if failed else ["the kexec did not happen: the host came back through its firmware"])
    assert outcome.down_seconds is not None


@pytest.mark.parametrize("method", ["auto", "kexec", "kexec_now"])
def test_the_old_kernel_again_is_a_failure_of_its_own(method):
    outcome, _host = reboot(method=method, release=OLD, build=OLD_BUILD, **BY_FIRMWARE)
    assert (outcome.failed, outcome.rolled_back, outcome.fell_back) == (True, True, True)
    assert (outcome.phase, outcome.rebooted) == ("proof", True)
    assert outcome.msg.startswith("the host has rolled back: it runs its old kernel 6.1.0-55 again, and 6.1.0-56 did")


def test_check_mode_tells_what_auto_would_do():
    outcome, host = reboot(check_mode=True, method="auto", staged=False, loaded=False)
    assert not outcome.failed
    assert outcome.msg == "would reboot by kexec if an image is staged by then, and through the firmware otherwise"
    assert (outcome.rebooted, host.fired) == (False, None)
