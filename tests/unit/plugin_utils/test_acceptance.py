# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a proven reboot: healthy first, and only then accepted."""

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._acceptance import Acceptance
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.terms import Terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Outcome

HEALTHY = {"failed": False, "msg": "all checks hold"}
ILL = {"failed": True, "msg": "not healthy within 3 s: unit nginx:\n it is failed"}
ACCEPTED = {"failed": False, "changed": True, "net": None}


class Done:
    """What was done after a reboot, in its order."""

    def __init__(self, health=None, commit=None):
        self.log = []
        self._health, self._commit = health or HEALTHY, commit or ACCEPTED

    def await_health(self, terms):
        self.log.append(("health", terms.failed_units_before))
        return dict(self._health)

    def commit(self):
        self.log.append("commit")
        return dict(self._commit)


def follow(done, outcome, health=True, accepts=True):
    terms = Terms(checks=()) if health else None
    Acceptance(terms, accepts, done.await_health, done.commit).follow(outcome)
    return outcome


def rebooted():
    return Outcome(rebooted=True, phase="test", failed_units={"before": ["old.service"], "after": [], "new": []})


def test_a_healthy_host_is_accepted_and_units_that_had_failed_before_are_known():
    done = Done()
    outcome = follow(done, rebooted())
    assert done.log == [("health", ("old.service",)), "commit"]
    assert (outcome.failed, outcome.phase) == (False, "commit")
    assert (outcome.health, outcome.commit) == (HEALTHY, ACCEPTED)


def test_a_host_that_is_not_healthy_is_not_accepted():
    done = Done(health=ILL)
    outcome = follow(done, rebooted())
    assert done.log == [("health", ("old.service",))]
    assert (outcome.failed, outcome.phase, outcome.commit) == (True, "health", None)
    assert outcome.msg == (
        "it runs the new kernel and is not healthy: not healthy within 3 s: unit nginx: it is failed"
    )
    assert outcome.rebooted, "what was seen stays seen"


def test_a_kernel_that_cannot_be_accepted_is_a_failure():
    outcome = follow(Done(commit={"failed": True, "msg": "the host is unreachable: no route"}), rebooted())
    assert (outcome.failed, outcome.phase) == (True, "commit")
    assert outcome.msg == "the new kernel runs, but could not be accepted: the host is unreachable: no route"


def test_what_the_acceptance_warns_of_is_a_warning_of_the_reboot():
    outcome = follow(Done(commit={**ACCEPTED, "warnings": ["it was rolled back"]}), rebooted())
    assert outcome.warnings == ["it was rolled back"]
    assert outcome.commit == ACCEPTED


@pytest.mark.parametrize(("health", "accepts", "log"), [(False, True, ["commit"]), (True, False, [("health", ())])])
def test_only_what_was_asked_for_is_done(health, accepts, log):
    done = Done()
    follow(done, Outcome(rebooted=True), health=health, accepts=accepts)
    assert done.log == log


@pytest.mark.parametrize("outcome", [Outcome(), Outcome(rebooted=True, failed=True, phase="proof")])
def test_nothing_follows_where_the_reboot_did_not_succeed(outcome):
    done = Done()
    phase = outcome.phase
    follow(done, outcome)
    assert (done.log, outcome.phase) == ([], phase)
