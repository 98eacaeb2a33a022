# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam to time."""

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
