# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam to time, and the one deadline of a task."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic time; tests bring a clock that they turn themselves."""

    def now(self) -> float:
        """Seconds since some fixed moment; never set back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class MonotonicClock:
    """The real one."""

    def now(self) -> float:
        """Seconds since some fixed moment; never set back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Deadline:
    """How long a task has been at work, and how long it may go on."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._start = clock.now()
        self._end = self._start + seconds

    def now(self) -> float:
        """The clock's."""
        return self._clock.now()

    def elapsed(self) -> float:
        """Seconds since the start, as they are shown."""
        return round(self._clock.now() - self._start, 2)

    def remaining(self) -> float:
        """Seconds until the end; 0 from then on."""
        return max(self._end - self._clock.now(), 0.0)

    def extend(self, seconds: float) -> None:
        """Allow for a wait that was asked for."""
        self._end += seconds

    def sleep(self, seconds: float) -> None:
        """Wait so long, but not beyond the end."""
        self.sleep_until(self._clock.now() + seconds)

    def sleep_until(self, moment: float) -> None:
        """Wait until then, but not beyond the end."""
        remaining = min(moment, self._end) - self._clock.now()
        if remaining > 0:
            self._clock.sleep(remaining)
