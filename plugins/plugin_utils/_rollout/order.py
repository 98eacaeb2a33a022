# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order hosts are rebooted, and how long that takes. Pure.

The order is the one in which hosts would start if each place that becomes free went to the best of all hosts that may
go down then: a class's canaries first, and then the domain with most left to do, because its limit decides when the
roll ends. A fixed order that keeps to it never lets a worker wait for one domain while hosts of another could go.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from datetime import datetime, timezone

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    SUCCEEDED,
    Candidate,
    Group,
    Policy,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.simulation import Forecast, Line, Simulation
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.window_input import read_windows

# The stage of a host that its class waits for.
CANARY = "canary"

_ANY_TIME = datetime(2000, 1, 1, tzinfo=timezone.utc)


class _Pool:
    """Hosts of which any may ask; of those that are alike, the first does."""

    def __init__(self, policy: Policy, hosts: Iterable[Candidate], proven: Mapping[str, int]) -> None:
        self._alike: dict[tuple[str, str], deque[tuple[int, Candidate]]] = {}
        self._left: Counter[str] = Counter()
        self._canaries: Counter[str] = Counter()
        for place, host in enumerate(hosts):
            self._alike.setdefault((host.domain, host.host_class), deque()).append((place, host))
            self._left[host.domain] += 1
            self._canaries[host.host_class] = policy.canaries_per_class - proven.get(host.host_class, 0)

    def askers(self, in_flight: Sized) -> Iterator[Candidate]:
        """See Queue."""
        heads = [self._with_urgency(line[0]) for line in self._alike.values()]
        heapq.heapify(heads)
        while heads:
            _urgency, (place, host) = heapq.heappop(heads)
            yield host
            line = self._alike.get((host.domain, host.host_class))
            if line and line[0][0] != place:
                heapq.heappush(heads, self._with_urgency(line[0]))

    def _with_urgency(self, head: tuple[int, Candidate]) -> tuple[tuple[bool, int], tuple[int, Candidate]]:
        host = head[1]
        return (self._canaries[host.host_class] <= 0, -self._left[host.domain]), head

    def remove(self, host: Candidate) -> None:
        """See Queue."""
        line = self._alike[host.domain, host.host_class]
        line.popleft()
        if not line:
            del self._alike[host.domain, host.host_class]
        self._left[host.domain] -= 1
        self._canaries[host.host_class] -= 1


def put_in_order(
    policy: Policy, hosts: Sequence[Candidate], others: Iterable[Group], seconds: Mapping[str, float]
) -> list[Candidate]:
    """All hosts, in the order of the roll; those whose turn cannot come are last.

    :param hosts: in the order that is kept where no limit speaks. :param others: the fleet's other hosts.
    :param seconds: how long each host's turn takes, by name.
    """
    at_any_time = replace(policy, windows=read_windows(None, None, None), soak_seconds=0.0)
    groups = list(others)
    pool = _Pool(policy, hosts, _proven(groups))
    forecast = Simulation(at_any_time, hosts, groups, seconds).run(pool, _ANY_TIME)
    return [*forecast.starts, *(host for host in hosts if host.name in forecast.stops)]


def forecast_roll(
    policy: Policy,
    order: Sequence[Candidate],
    others: Iterable[Group],
    seconds: Mapping[str, float],
    forks: int,
    start: datetime,
) -> Forecast:
    """How a roll in this order goes if every host returns in the time expected of it."""
    return Simulation(policy, order, others, seconds).run(Line(order, forks), start)


def _proven(groups: Iterable[Group]) -> Counter[str]:
    """Hosts that have ended well, by class."""
    proven: Counter[str] = Counter()
    for group in groups:
        proven[group.host_class] += group.hosts if group.standing == SUCCEEDED else 0
    return proven


def stage_names(policy: Policy, order: Sequence[Candidate], others: Iterable[Group]) -> dict[str, str]:
    """The stage of each host by name: ``canary``, ``1``, ``2``, … or ``rest``.

    :param others: the fleet's other hosts.
    """
    groups = list(others)
    canaries = _proven(groups)
    fleet = len(order) + sum(group.hosts for group in groups)
    ends = [stage.of(fleet) for stage in policy.stages]
    names = {}
    for place, host in enumerate(order, canaries.total()):
        stage = next((str(number) for number, end in enumerate(ends, 1) if place < end), "rest")
        canaries[host.host_class] += 1
        names[host.name] = CANARY if canaries[host.host_class] <= policy.canaries_per_class else stage
    return names
