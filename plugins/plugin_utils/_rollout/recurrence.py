# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurrence rules (RFC 5545, section 3.3.10) that are bounded in time, over dateutil. Pure.

dateutil walks from the rule's start to the next match, or to the year 9999. So rules that never match are refused, and
the others are moved close to the stretch of time that they are asked about.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import PolicyError

try:
    from dateutil.rrule import rrulestr
except ImportError:
    HAS_DATEUTIL = False
else:
    HAS_DATEUTIL = True

_KEYS = "FREQ INTERVAL COUNT UNTIL BYDAY BYMONTH BYMONTHDAY BYYEARDAY BYWEEKNO BYSETPOS BYHOUR BYMINUTE WKST".split()

_FREQUENCIES = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")

# Periods by which a rule can be moved.
_PERIODS = {"HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}

_NEVER = datetime(9999, 12, 31)  # noqa: DTZ001  (local time has no zone here)
_YEARLY = {"FREQ": "FREQ=YEARLY", "INTERVAL": "INTERVAL=1", "BYSETPOS": "INTERVAL=1"}

# More in one stretch of time are no maintenance windows.
_MOST = 10_000


@dataclass(frozen=True)
class Rule:
    """One RRULE or EXRULE. All times are local, without a zone."""

    text: str
    start: datetime
    """DTSTART."""
    frequency: str
    interval: int
    pattern: str
    """The rule without COUNT and UNTIL."""
    count: int | None
    until: datetime | None

    def between(self, after: datetime, before: datetime) -> list[datetime]:
        """When it happens, from *after* up to but not at *before*. Raises PolicyError."""
        found = []
        for moment in self._walk(self._moved(after), before):
            if moment >= after:
                found.append(moment)
            if len(found) > _MOST:
                raise PolicyError("%s happens more than %d times in %s" % (self.text, _MOST, before - after))
        return found

    def happens(self) -> bool:
        """Whether it ever does."""
        # Years are walked through much faster than days, and the days of the year that match are the same.
        if self.frequency in _PERIODS and re.search("BY(DAY|MONTHDAY|YEARDAY|WEEKNO)=", self.pattern):
            pattern = re.sub("(FREQ|INTERVAL|BYSETPOS)=[^;]+", lambda part: _YEARLY[part[1]], self.pattern)
            yearly = replace(self, pattern=pattern, frequency="YEARLY", count=None, until=None)
            if next(yearly._walk(self.start, _NEVER), None) is None:
                return False
        return next(self._walk(self.start, _NEVER), None) is not None

    def _moved(self, after: datetime) -> datetime:
        """A start shortly before *after* from which the same follows."""
        period = _PERIODS.get(self.frequency)
        if period is None or self.count is not None:
            return self.start
        step = period * self.interval
        return self.start + max(0, (after - self.start) // step - 1) * step

    def _walk(self, start: datetime, before: datetime) -> Iterator[datetime]:
        last = before - timedelta(seconds=1)
        until = last if self.until is None else min(last, self.until)
        try:
            rule = rrulestr("%s;UNTIL=%s" % (self.pattern, until.strftime("%Y%m%dT%H%M%S")), dtstart=start)
        except (ValueError, TypeError) as error:
            raise PolicyError("%s cannot be read: %s" % (self.text, error))
        return itertools.islice(rule, self.count)


def read_rule(text: str, start: datetime, zone: ZoneInfo) -> Rule:
    """The rule of what stands behind ``RRULE:``. Raises PolicyError, also where it never happens.

    :param start: DTSTART in local time. :param zone: that local time's.
    """
    parts: dict[str, str] = {}
    for part in text.upper().strip(";").split(";"):
        name, equals, value = part.partition("=")
        if name not in _KEYS or not equals or name in parts:
            raise PolicyError("%s cannot be read: %r is not understood; known are %s" % (text, part, ", ".join(_KEYS)))
        parts[name] = value
    frequency = parts.get("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise PolicyError("%s has FREQ=%s; it must be one of %s" % (text, frequency, ", ".join(_FREQUENCIES)))
    if "COUNT" in parts and "UNTIL" in parts:
        raise PolicyError("%s has both COUNT and UNTIL; RFC 5545 allows one of them" % text)
    rule = Rule(
        text=text,
        start=start,
        frequency=frequency,
        interval=_whole(text, "INTERVAL", parts.get("INTERVAL", "1")),
        pattern=";".join("%s=%s" % part for part in parts.items() if part[0] not in ("COUNT", "UNTIL")),
        count=_whole(text, "COUNT", parts["COUNT"]) if "COUNT" in parts else None,
        until=read_moment("UNTIL", parts["UNTIL"], zone) if "UNTIL" in parts else None,
    )
    if not rule.happens():
        raise PolicyError("%s never happens from %s on" % (text, start))
    return rule


def _whole(text: str, name: str, value: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,4}", value):
        raise PolicyError("%s has %s=%s; it must be a whole number from 1 to 99999" % (text, name, value))
    return int(value)


def read_moment(name: str, value: str, zone: ZoneInfo) -> datetime:
    """A time as RFC 5545 writes it, in local time of that zone; one that ends in Z is converted. Raises PolicyError."""
    try:
        if len(value) == 8:
            return datetime.strptime(value + "235959", "%Y%m%d%H%M%S")  # noqa: DTZ007  (local time has no zone here)
        moment = datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007
    except ValueError:
        raise PolicyError("%s is %r; it must be a time such as 20261101T020000 or 20261101T020000Z" % (name, value))
    if value.endswith("Z"):
        return moment.replace(tzinfo=timezone.utc).astimezone(zone).replace(tzinfo=None)
    return moment
