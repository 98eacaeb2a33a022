# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The geometry of the page's charts. Pure.

Shapes are in the units of what they show, seconds and hosts, and stretched by the browser; marks along an axis are in
percent of its length.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import HostReport, Phase, spread

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

# Between two marks on an axis of time, in seconds.
_SMALL_STEPS = (1, 2, 5, 10, 15, 30)
_STEPS = (
    *_SMALL_STEPS,
    *(_MINUTE * step for step in _SMALL_STEPS),
    *(_HOUR * step for step in (1, 2, 3, 6, 12)),
)

_MOST_MARKS = 6
_MOST_BINS = 48

# A value so much beyond the 95 % is shown at the end of the chart, or all the others would be in one bar.
_FAR_BEYOND = 2.5


class Mark(NamedTuple):
    """A mark on an axis."""

    percent: float
    label: str


class Bar(NamedTuple):
    """A bar of a histogram: so many hosts from a number of seconds to below another; the last one has all above."""

    start: float
    end: float
    by_kexec: int
    others: int

    @property
    def hosts(self) -> int:
        """All of them."""
        return self.by_kexec + self.others


def time_step(seconds: float) -> int:
    """Between two marks, so that there are not too many."""
    return next(
        (step for step in _STEPS if seconds / step <= _MOST_MARKS), _DAY * math.ceil(seconds / _DAY / _MOST_MARKS)
    )


def clock_marks(started: datetime, seconds: float) -> list[Mark]:
    """The time of day along a roll."""
    step = time_step(seconds)
    style = "%H:%M:%S" if step < _MINUTE else "%H:%M" if seconds < _DAY else "%a %H:%M"
    first = -started.timestamp() % step
    moments = itertools.takewhile(
        lambda moment: moment <= seconds, (first + step * number for number in itertools.count())
    )
    return [
        Mark(_percent(moment, seconds), (started + timedelta(seconds=moment)).strftime(style)) for moment in moments
    ]


def second_marks(seconds: float) -> list[Mark]:
    """Lengths of time from 0 on."""
    step = time_step(seconds)
    unit, name = (1, "s") if step < _MINUTE else (_MINUTE, "min") if step < _HOUR else (_HOUR, "h")
    return [
        Mark(_percent(moment, seconds), "%g %s" % (moment / unit, name)) for moment in range(0, int(seconds) + 1, step)
    ]


def count_marks(most: int) -> list[Mark]:
    """Numbers of hosts, from 0 to a round one that is at least so many."""
    step = next(step for step in _round_numbers() if most / step <= 4)
    top = max(1, math.ceil(most / step)) * step
    return [Mark(_percent(number, top), str(number)) for number in range(0, top + 1, step)]


def _percent(value: float, total: float) -> float:
    return round(100 * value / total, 3) if total else 0.0


def _round_numbers() -> itertools.chain[int]:
    return itertools.chain.from_iterable((10**power, 2 * 10**power, 5 * 10**power) for power in itertools.count())


def area(steps: Sequence[tuple[float, int]], seconds: float) -> str:
    """The path of a number of hosts over time, down to 0 at both ends; upwards is negative."""
    path = ["M0 0"]
    for moment, number in steps:
        path.append("H%gV%d" % (moment, -number))
    return "".join(path) + "H%gV0Z" % seconds


def longest_turn(hosts: Sequence[HostReport]) -> float:
    """Seconds from where a host has its slot to its end, at most."""
    turns = [(turn_start(host), host.phases[-1].end) for host in hosts if host.phases]
    return max((end - start for start, end in turns), default=0.0)


def turn_start(host: HostReport) -> float:
    """Where a host has its slot, or begins to wait where it has got none."""
    turn = host.out_of_service
    return host.phases[0].start if turn is None else turn[0]


# A phase's place in a row that is 10 high: what is more than waiting is thicker.
_PLACES = {"waiting": (4, 2), "draining": (2, 6), "down": (0, 10), "answering": (2, 6), "healthy": (3, 4)}


def phase_path(phase: Phase) -> str:
    """The path of a phase's bar."""
    top, height = _PLACES[phase.name]
    width = round(phase.end - phase.start, 2)
    return "M%g %dh%gv%dh-%gz" % (phase.start, top, width, height, width)


def bars(hosts: Sequence[HostReport]) -> list[Bar]:
    """How the seconds down are spread."""
    down = [(host.down_seconds, host.method != "firmware") for host in hosts if host.down_seconds is not None]
    values = spread([seconds for seconds, _by_kexec in down])
    if values is None:
        return []
    top = min(values.most, max(values.p95 * _FAR_BEYOND, 1.0))
    width = next(step for step in _round_numbers() if (top - values.least) / step <= _MOST_BINS)
    first, last = int(values.least // width), int(top // width)
    found = [[0, 0] for _bar in range(first, last + 1)]
    for seconds, by_kexec in down:
        found[min(int(seconds // width), last) - first][0 if by_kexec else 1] += 1
    return [
        Bar((first + place) * width, (first + place + 1) * width, kexecs, others)
        for place, (kexecs, others) in enumerate(found)
    ]
