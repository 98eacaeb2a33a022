# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a host, in one word and a reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import WINDOW

# With which rollout_slot releases a host.
OUTCOMES = ("rebooted", "fell_back", "current", "refused", "deferred", "failed", "rolled_back", "lost", "unreachable")

# Outcomes after which nobody has to look at the host.
GOOD = ("rebooted", "fell_back", "current", "planned")


@dataclass(frozen=True)
class Outcome:
    """How the roll ended for a host.

    name: ``rebooted``; ``fell_back``, it runs the expected kernel, but came back through its firmware instead of a
    kexec, which was allowed; ``rolled_back``, it runs its old kernel again; ``current``, nothing was to do;
    ``planned``, it would be rebooted (check mode); ``refused``, it may not be rebooted so; ``deferred``, left untouched
    because the roll ended before its turn; ``failed``; ``lost``, it went down and did not return; ``unreachable``,
    before its turn.
    """

    name: str
    reason: str = ""
    kernel_before: str | None = None
    kernel_after: str | None = None
    down_seconds: float | None = None
    cause: str | None = None
    """Of a host that was deferred: as policy.py has them; ``window`` is nobody's fault."""

    @property
    def is_good(self) -> bool:
        """Whether nobody has to look at the host: a window that has closed is no failure."""
        return self.name in GOOD or (self.name == "deferred" and self.cause == WINDOW)


def is_unreachable(result: Mapping[str, Any]) -> bool:
    """Whether a task's result says that the host could not be reached."""
    return bool(result.get("unreachable"))


def reason_of(result: Mapping[str, Any]) -> str:
    """A failed task's message in one line."""
    return " ".join(str(result.get("msg") or "no reason given").split())


def outcome_of_reboot(
    staged: Mapping[str, Any] | None, reboot: Mapping[str, Any] | None, commit: Mapping[str, Any] | None = None
) -> Outcome | None:
    """The outcome of a host's turn by its tasks' results; None where it had none.

    :param staged: the result of kexec_load. :param reboot: the result of kexec_reboot.
    :param commit: the result of kexec_commit.
    """
    for result in (staged or {}, reboot or {}):
        if is_unreachable(result):
            return Outcome("unreachable", reason_of(result))
        if "timeline" in result:
            return _outcome_of(staged or {}, result, commit or {})
        if result.get("failed"):
            return Outcome("failed", reason_of(result))
    return None


def outcome_of_turn(results: Mapping[str, Any]) -> Outcome:
    """How the turn of a host that was admitted has ended.

    :param results: ``staged``, ``reboot`` and ``commit``, as for :func:`outcome_of_reboot`, and ``failure``, why the
        turn ended before its end, such as a drain that failed; empty where it did not.
    """
    found = outcome_of_reboot(results.get("staged"), results.get("reboot"), results.get("commit"))
    failure = reason_of({"msg": results.get("failure")}) if results.get("failure") else ""
    if found is None:
        return Outcome("failed", failure or "its turn ended before anything was done to it")
    return replace(found, name="failed", reason=failure) if failure and found.name in GOOD else found


def _outcome_of(staged: Mapping[str, Any], reboot: Mapping[str, Any], commit: Mapping[str, Any]) -> Outcome:
    name = _name_of(reboot)
    reason = reason_of(reboot) if reboot.get("failed") else _why_firmware(staged, reboot)
    if name in GOOD and (commit.get("failed") or is_unreachable(commit)):
        name, reason = "failed", "the new kernel runs, but could not be accepted: %s" % reason_of(commit)
    return Outcome(
        name=name,
        reason=reason,
        kernel_before=reboot["release"]["before"],
        kernel_after=reboot["release"]["after"],
        down_seconds=reboot["down_seconds"],
    )


def _name_of(reboot: Mapping[str, Any]) -> str:
    if reboot.get("failed"):
        return next((name for name in ("lost", "rolled_back") if reboot[name]), "failed")
    if not reboot["rebooted"]:
        return "planned"
    return "fell_back" if reboot["fell_back"] else "rebooted"


def _why_firmware(staged: Mapping[str, Any], reboot: Mapping[str, Any]) -> str:
    """Why a host that could have been rebooted by kexec was not; empty where nothing else was meant."""
    if reboot["fell_back"]:
        return "the kexec did not happen, and it came back through its firmware"
    if not reboot["rebooted"] or reboot["asked"]["not_kexec"] is None:
        return ""
    # Where nothing is staged because that failed, its reason is the better one.
    return "through its firmware, because %s" % " ".join(str(staged.get("msg") or reboot["asked"]["not_kexec"]).split())
