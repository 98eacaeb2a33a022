# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a host, in one word and a reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Outcomes after which nobody has to look at the host.
GOOD = ("rebooted", "current", "planned")


@dataclass(frozen=True)
class Outcome:
    """How the roll ended for a host.

    name: ``rebooted``; ``current``, nothing was to do; ``planned``, it would be rebooted (check mode); ``refused``,
    it may not be rebooted so; ``deferred``, left untouched because the roll ended before its turn; ``failed``;
    ``lost``, it went down and did not return; ``unreachable``, before its turn.
    """

    name: str
    reason: str = ""
    kernel_before: str | None = None
    kernel_after: str | None = None
    down_seconds: float | None = None


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
            return _outcome_of(result, commit or {})
        if result.get("failed"):
            return Outcome("failed", reason_of(result))
    return None


def _outcome_of(reboot: Mapping[str, Any], commit: Mapping[str, Any]) -> Outcome:
    name, reason = "rebooted", ""
    if reboot.get("failed"):
        name, reason = "failed", reason_of(reboot)
        if reboot["phase"] == "return" and reboot["timeline"]["answering"] is None:
            name = "lost"
    elif not reboot["rebooted"]:
        name = "planned"
    elif commit.get("failed") or is_unreachable(commit):
        name, reason = "failed", "the new kernel runs, but could not be accepted: %s" % reason_of(commit)
    return Outcome(
        name=name,
        reason=reason,
        kernel_before=reboot["release"]["before"],
        kernel_after=reboot["release"]["after"],
        down_seconds=reboot["down_seconds"],
    )
