# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a policy as people give them: numbers, percentages, lists and times, as text too. Pure.

Extra vars and the answers to a survey of AWX arrive as text, so "3", "10%" and "1,5%,25%" are read like 3 and a list.
A value that was left blank is the same as one not given.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class PolicyError(Exception):
    """What is wrong with a policy, as a sentence for an operator."""


@dataclass(frozen=True)
class Limit:
    """So many hosts, or such a part of them."""

    text: str
    count: int | None
    percent: Fraction | None

    def of(self, total: int, least: int = 1) -> int:
        """The limit in hosts, of so many. A part is rounded down, but not below *least*."""
        if self.percent is None:
            return self.count or 0
        return max(least, int(self.percent * total / 100))

    def raised(self, total: int) -> str | None:
        """A sentence where the part of so many hosts is less than one host, and one is taken; None where it is not."""
        if self.percent is None or self.percent * total / 100 >= 1:
            return None
        return "%s of %d is less than one host; one is taken" % (self.text, total)


def is_blank(value: Any) -> bool:
    """Whether nothing was given: also an empty text or list."""
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def read_limit(name: str, value: Any, least: int = 1) -> Limit:
    """A number of hosts or a percentage. :param least: the smallest number that makes sense. Raises PolicyError."""
    text = str(value).strip()
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*%", text)
    if found:
        percent = Fraction(found[1])
        if percent > 100:
            raise PolicyError("%s is %s; a percentage is at most 100%%" % (name, text))
        return Limit(text, None, percent)
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d{1,9}", text):
        raise PolicyError(
            "%s is %r; it must be a number of hosts such as 3, or a percentage such as 10%%" % (name, value)
        )
    if int(text) < least:
        raise PolicyError("%s is %s; it must be at least %d" % (name, text, least))
    return Limit(text, int(text), None)


def read_number(name: str, value: Any, least: int = 0) -> int:
    """A whole number. Raises PolicyError."""
    limit = read_limit(name, value, least)
    if limit.count is None:
        raise PolicyError("%s is %s; it must be a number, not a percentage" % (name, limit.text))
    return limit.count


def read_limits(name: str, value: Any) -> tuple[Limit, ...]:
    """A list of limits, none narrower than the one before it. Raises PolicyError."""
    limits = tuple(read_limit(name, item) for item in read_list(value))
    for before, after in itertools.pairwise(limits):
        if _shrinks(before, after):
            raise PolicyError(
                "%s shrink: %s comes after %s; each stage must be at least as wide as the one before"
                % (name, after.text, before.text)
            )
    return limits


def _shrinks(before: Limit, after: Limit) -> bool:
    """Whether it does whatever the number of hosts is."""
    if before.percent is not None and after.percent is not None:
        return after.percent < before.percent
    return before.count is not None and after.count is not None and after.count < before.count


def read_list(value: Any) -> list[Any]:
    """A list as such, or as text with commas; another value is a list of itself."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    if isinstance(value, Sequence):
        return list(value)
    return [value]


def read_seconds(name: str, value: Any, least: float = 0) -> float:
    """A length of time: seconds, ``90s``, ``30m``, ``4h``, ``1d``, ``04:30`` (hours and minutes). Raises PolicyError.

    :param least: the shortest that makes sense.
    """
    text = "" if isinstance(value, bool) else str(value).strip().lower()
    clock = re.fullmatch(r"(\d{1,3}):([0-5]\d)", text)
    number = re.fullmatch(r"(-?\d{1,9}(?:\.\d{1,6})?)\s*([a-z]*)", text)
    if clock:
        seconds = int(clock[1]) * 3600.0 + int(clock[2]) * 60
    elif number and number[2] in _UNITS:
        seconds = float(number[1]) * _UNITS[number[2]]
    else:
        raise PolicyError(
            "%s is %r; it must be a length of time such as 90 (seconds), 30m, 4h or 04:30" % (name, value)
        )
    if seconds < least:
        raise PolicyError("%s is %s; it must be at least %g seconds" % (name, text, least))
    return seconds
