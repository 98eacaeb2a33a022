# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a roll. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import (
    GOOD,
    Outcome,
    outcome_of_reboot,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import Plan


def outcomes(
    plan: Plan,
    staged: Mapping[str, Mapping[str, Any]],
    reboots: Mapping[str, Mapping[str, Any]],
    commits: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Outcome]:
    """Exactly one outcome for each host of the plan, those that had their turn first.

    :param staged: results of kexec_load by host. :param reboots: results of kexec_reboot by host.
    :param commits: results of kexec_commit by host.
    """
    found: dict[str, Outcome] = {}
    stopped = plan.stopped
    for host in plan.order:
        reboot = reboots.get(host.name, {})
        if reboot.get("boot_id", {}).get("before") not in (None, host.boot_id):
            reboot = {}
        outcome = (
            None if plan.stopped else outcome_of_reboot(staged.get(host.name), reboot, (commits or {}).get(host.name))
        )
        if outcome is None:
            outcome = Outcome("deferred", "untouched: %s" % (stopped or "the roll ended before its turn"))
        elif outcome.name not in GOOD:
            stopped = "the roll stopped, because %s %s" % (host.name, _ended_as(outcome))
        before = outcome.kernel_before or host.kernel_before
        after = host.kernel_after if outcome.name == "planned" else outcome.kernel_after
        found[host.name] = Outcome(outcome.name, outcome.reason, before, after, outcome.down_seconds)
    return {**found, **plan.left_out}


def _ended_as(outcome: Outcome) -> str:
    said = {"lost": "did not come back", "unreachable": "was unreachable", "rolled_back": "rolled back"}
    return said.get(outcome.name, outcome.name)


def summary(found: Mapping[str, Outcome]) -> str:
    """The whole roll in one line: ``3 hosts: 2 rebooted, 1 current``."""
    counts = Counter(outcome.name for outcome in found.values())
    parts = ", ".join("%d %s" % (count, name) for name, count in counts.items())
    return "%d host%s: %s" % (len(found), "" if len(found) == 1 else "s", parts or "nothing to do")


def not_good(found: Mapping[str, Outcome]) -> dict[str, str]:
    """The hosts that somebody has to look at, with the reason."""
    return {
        name: "%s: %s" % (outcome.name, outcome.reason) for name, outcome in found.items() if outcome.name not in GOOD
    }
