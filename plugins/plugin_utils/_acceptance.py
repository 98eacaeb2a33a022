# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes after a proven reboot: the host is healthy, and its kernel is accepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.terms import Terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Outcome


@dataclass(frozen=True)
class Acceptance:
    """What has to come after the proof.

    health: what is awaited; None for nothing. accepts: whether the kernel is accepted then.
    await_health: waits for it, as await_health does. commit: accepts the kernel, as kexec_commit does.
    """

    health: Terms | None
    accepts: bool
    await_health: Callable[[Terms], dict[str, Any]]
    commit: Callable[[], dict[str, Any]]

    def follow(self, outcome: Outcome) -> None:
        """Go on from a reboot that was seen to have succeeded; what fails now is in the outcome."""
        if not outcome.rebooted or outcome.failed:
            return
        if self.health is not None:
            outcome.phase = "health"
            before = tuple(outcome.failed_units["before"] or ())
            outcome.health = self.await_health(replace(self.health, failed_units_before=before))
            if outcome.health["failed"]:
                _fail(outcome, "it runs the new kernel and is not healthy: %s", outcome.health)
                return
        if self.accepts:
            outcome.phase = "commit"
            outcome.commit = self.commit()
            outcome.warnings += map(str, outcome.commit.pop("warnings", []))
            if outcome.commit.get("failed"):
                _fail(outcome, "the new kernel runs, but could not be accepted: %s", outcome.commit)


def _fail(outcome: Outcome, sentence: str, result: Mapping[str, Any]) -> None:
    outcome.failed = True
    outcome.msg = sentence % " ".join(str(result.get("msg") or "no reason given").split())
