# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a slot, at little cost: up to as many processes do so as Ansible has forks.

A look costs one SELECT of a single number. Only where that has changed, or time may have changed the answer, the store
is asked in earnest. The more hosts wait, the less often each of them looks: together they look about ten times as often
as one would alone, so a slot that becomes free is taken soon, and the cost does not grow with the fleet.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import Clock
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import StoreError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import Holder
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import Admit, Stop, Wait
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Ended, Reply, Store

Result = TypeVar("Result")

# Hosts that wait and do not yet look less often; and how much less often at most.
_FEW = 10
_MOST_SLOWDOWN = 10

# Seconds after which the store is asked in earnest, even where nothing seems to have changed. Less than policy.py's
# CANARY_SECONDS, in which a planned canary has to ask.
_MOST_IDLE_SECONDS = 60.0

# Seconds between the first looks of hosts that begin together, and after which the last of them has looked.
_FIRST_PAUSE, _MOST_FIRST_PAUSE = 0.1, 2.0

# Seconds between tries to reach a store that is out of reach.
_RETRY_SECONDS = 2.0


@dataclass
class Waiting:
    """How a host's task waits.

    poll_seconds: between two looks, where few hosts wait. patience_seconds: how long the store may be out of reach.
    forks: how many hosts' tasks run at the same time. is_orphan: whether ansible-playbook has died.
    say: tells an operator who wants to know.
    """

    clock: Clock
    poll_seconds: float
    patience_seconds: float
    forks: int
    is_orphan: Callable[[], bool]
    say: Callable[[str], None]

    def for_slot(self, store: Store, rollout: str, host: str, holder: Holder) -> Admit | Stop | Ended:
        """Wait until it is known whether the host may go down. Raises StoreError."""
        said = ""
        while True:
            reply = self.for_store(lambda: store.acquire(rollout, host, holder))
            if not isinstance(reply.answer, Wait):
                return reply.answer
            if reply.answer.reason != said:
                said = reply.answer.reason
                self.say(said)
            self._until_worth_asking(store, rollout, reply, reply.answer)

    def _until_worth_asking(self, store: Store, rollout: str, reply: Reply, wait: Wait) -> None:
        idle = _MOST_IDLE_SECONDS
        if wait.until is not None:
            idle = min(idle, max(0.0, (wait.until - reply.at).total_seconds()))
        ask_at = self.clock.now() + idle
        while True:
            pause = poll_pause(self.poll_seconds, min(reply.waiting, self.forks), random.random())
            self.clock.sleep(max(0.05, min(pause, ask_at - self.clock.now())))
            if self.clock.now() >= ask_at or self.for_store(lambda: store.revision(rollout)) != reply.revision:
                return

    def for_store(self, ask: Callable[[], Result]) -> Result:
        """What a question to the store gives, asked again while the store is out of reach. Raises StoreError."""
        since = self.clock.now()
        while True:
            if self.is_orphan():
                raise StoreError("ansible-playbook has ended; nothing is asked of the store any more")
            try:
                return ask()
            except StoreError as error:
                if not error.temporary or self.clock.now() - since >= self.patience_seconds:
                    raise
                self.say("waiting: %s" % error)
            self.clock.sleep(_RETRY_SECONDS * (0.5 + random.random()))


def first_pause(place: int, forks: int) -> float:
    """Seconds until the first look, so that of hosts that begin together the first one asks first.

    Later on it is whoever looks first that gets a slot: a queue would make slots wait for a host's next look.

    :param place: in the order of the play, from 0.
    """
    return min(_FIRST_PAUSE, _MOST_FIRST_PAUSE / forks) * place if place < forks else 0.0


def poll_pause(poll_seconds: float, waiting: int, chance: float) -> float:
    """Seconds until the next look. :param waiting: hosts that wait. :param chance: from 0 to 1."""
    slowdown = min(_MOST_SLOWDOWN, max(1.0, waiting / _FEW))
    return poll_seconds * slowdown * (0.75 + 0.5 * chance)


def as_result(
    answer: Admit | Stop | Ended | None,
    waited_seconds: float,
    at: datetime,
    planned: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """For Ansible.

    :param answer: None in check mode, in which no slot is taken. :param at: when it was given.
    :param planned: the host's line of the plan.
    """
    opens = answer.opens if isinstance(answer, Stop) else None
    ended = answer if isinstance(answer, Ended) else None
    return {
        "changed": isinstance(answer, Admit),
        "admitted": answer is None or isinstance(answer, Admit),
        "answer": _named(answer),
        "cause": answer.cause if isinstance(answer, Stop) else None,
        "outcome": ended.outcome if ended is not None else None,
        "opens": opens.isoformat() if opens is not None else None,
        "reason": "no slot is taken in check mode" if answer is None else answer.reason,
        "waited_seconds": round(waited_seconds, 3),
        "at": at.isoformat(),
        "planned": planned,
    }


def _named(answer: Admit | Stop | Ended | None) -> str:
    if isinstance(answer, Stop):
        return "stopped" if answer.ends_roll else "deferred"
    return "ended" if isinstance(answer, Ended) else "admitted"
