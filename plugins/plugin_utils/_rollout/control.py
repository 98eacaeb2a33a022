# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator looks at a rollout, holds, stops or resumes it, while runs of the playbook go on with it or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import StoreError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.status import (
    Brief,
    Status,
    rollouts_text,
    status_text,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Forgotten, Store
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.words import printable

STATES = ("status", "held", "running", "stopped")


@dataclass(frozen=True)
class Controlled:
    """What was found, and what was done."""

    changed: bool
    rollouts: Sequence[Brief]
    status: Status | None
    """Of the rollout in question, after what was done; None where only the list was asked for."""
    forgotten: Forgotten

    def text(self, width: int) -> str:
        """For a terminal. :param width: characters in a line. Raises TableError."""
        return rollouts_text(self.rollouts, width) if self.status is None else status_text(self.status, width)

    def as_result(self) -> dict[str, Any]:
        """For Ansible."""
        return {
            "changed": self.changed,
            "rollouts": [brief.as_result() for brief in self.rollouts],
            "rollout": None if self.status is None else self.status.as_result(),
            "forgotten": list(self.forgotten.hosts),
        }

    def warnings(self) -> list[str]:
        """What was asked for in vain."""
        return ["the rollout has no host %s, so there is nothing to forget" % name for name in self.forgotten.unknown]


def control(
    store: Store, state: str, rollout: str | None, reason: str | None, check: bool, forget: Sequence[str] = ()
) -> Controlled:
    """Bring a rollout into a state. Raises StoreError.

    :param state: one of STATES. :param rollout: None for the one that is not finished.
    :param check: whether nothing is to be changed. :param forget: hosts that are gone for good.
    """
    name = rollout or _the_unfinished(store.rollouts(), may_be_all=state == "status" and not forget)
    changed, forgotten = False, Forgotten((), ())
    if name is not None:
        if forget:
            forgotten = store.forget(name, forget, check)
        if state == "held":
            changed = store.hold(name, reason, check)
        elif state == "stopped":
            changed = store.stop(name, reason, check)
        elif state == "running":
            changed = store.resume(name, check)
    status = None if name is None else store.status(name)
    return Controlled(changed or bool(forgotten.hosts), store.rollouts(), status, forgotten)


def _the_unfinished(briefs: Sequence[Brief], may_be_all: bool) -> str | None:
    names = [brief.name for brief in briefs if not brief.is_finished]
    if len(names) == 1:
        return names[0]
    if may_be_all:
        return None
    if not names:
        raise StoreError("no rollout of the store is under way; name the one that is meant")
    raise StoreError(
        "%d rollouts of the store are not finished; name the one that is meant: %s"
        % (len(names), ", ".join(map(printable, names)))
    )
