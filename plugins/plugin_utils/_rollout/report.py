# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a roll. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import (
    GOOD,
    Outcome,
    outcome_of_reboot,
    reason_of,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import Plan, PlannedHost
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import FAILURES, UNAVAILABLE
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.words import counted


def outcomes(
    plan: Plan,
    staged: Mapping[str, Mapping[str, Any]],
    reboots: Mapping[str, Mapping[str, Any]],
    commits: Mapping[str, Mapping[str, Any]] | None = None,
    slots: Mapping[str, Mapping[str, Any]] | None = None,
    released: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Outcome]:
    """Exactly one outcome for each host of the plan, those that had their turn first.

    :param staged: results of kexec_load by host. :param reboots: results of kexec_reboot by host.
    :param commits: results of kexec_commit by host. :param slots: answers of rollout_slot to those that asked.
    :param released: results of rollout_slot for those that had their turn.
    """
    found: dict[str, Outcome] = {}
    for host in plan.order:
        reboot = reboot_of_this_roll(host, reboots.get(host.name, {}))
        outcome = _outcome(
            plan,
            (slots or {}).get(host.name) or {},
            outcome_of_reboot(staged.get(host.name), reboot, (commits or {}).get(host.name)),
            (released or {}).get(host.name) or {},
        )
        before = outcome.kernel_before or host.kernel_before
        after = host.kernel_after if outcome.name == "planned" else outcome.kernel_after
        found[host.name] = replace(outcome, kernel_before=before, kernel_after=after)
    return {**_with_culprit(found), **plan.left_out}


def reboot_of_this_roll(host: PlannedHost, reboot: Mapping[str, Any]) -> Mapping[str, Any]:
    """A host's result of kexec_reboot; nothing where that began in another boot than the one that was surveyed."""
    return reboot if reboot.get("boot_id", {}).get("before") in (None, host.boot_id) else {}


def _outcome(plan: Plan, slot: Mapping[str, Any], reboot: Outcome | None, released: Mapping[str, Any]) -> Outcome:
    """The outcome of a planned host. :param reboot: by the tasks of its turn; None where it had none."""
    if plan.stopped is not None:
        return Outcome("deferred", "untouched: %s" % plan.stopped, cause=plan.cause)
    if slot.get("answer") == "ended":
        return Outcome(slot["outcome"], slot["reason"])
    if slot and not slot.get("admitted"):
        return Outcome("deferred", "untouched: %s" % (slot.get("reason") or reason_of(slot)), cause=slot.get("cause"))
    if released.get("failed"):
        return Outcome("failed", "its turn is over, and its slot could not be released: %s" % reason_of(released))
    # What failed beside the tasks of the reboot, such as taking the host out of service, is known to the release alone.
    if released and (reboot is None or reboot.is_good) and released["outcome"] not in GOOD:
        return replace(reboot or Outcome(""), name=released["outcome"], reason=released["reason"])
    return reboot or Outcome("deferred", "untouched: the roll ended before its turn")


def _with_culprit(found: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Says which host has ended the roll, where its failures have."""
    culprits = [(name, outcome) for name, outcome in found.items() if outcome.name in _ENDINGS]
    if not culprits:
        return dict(found)
    name, culprit = culprits[0]
    others = " and %s more did not do well" % counted(len(culprits) - 1, "host") if len(culprits) > 1 else ""
    reason = "untouched: the roll stopped, because %s %s%s" % (name, _ENDINGS[culprit.name], others)
    return {
        name: replace(outcome, reason=reason)
        if outcome.name == "deferred" and outcome.cause in _BY_FAILURES
        else outcome
        for name, outcome in found.items()
    }


# Bad outcomes of a turn, as they are told.
_ENDINGS = {
    "failed": "failed",
    "lost": "did not come back",
    "unreachable": "was unreachable",
    "rolled_back": "rolled back",
}
_BY_FAILURES = (FAILURES, UNAVAILABLE)


def summary(found: Mapping[str, Outcome]) -> str:
    """The whole roll in one line: ``3 hosts: 2 rebooted, 1 current``."""
    counts = Counter(outcome.name for outcome in found.values())
    parts = ", ".join("%d %s" % (count, name) for name, count in counts.items())
    return "%d host%s: %s" % (len(found), "" if len(found) == 1 else "s", parts or "nothing to do")


def not_good(found: Mapping[str, Outcome]) -> dict[str, str]:
    """The hosts that somebody has to look at, with the reason."""
    return {name: "%s: %s" % (outcome.name, outcome.reason) for name, outcome in found.items() if not outcome.is_good}
