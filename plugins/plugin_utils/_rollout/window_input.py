# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows and blackouts as people write them. Pure.

A window: ``sat,sun 02:00 4h Europe/Berlin``, ``DTSTART;TZID=Europe/Berlin:20261101T020000 RRULE:FREQ=WEEKLY;BYDAY=SU
DURATION:PT4H`` as schedules of AWX write it, or a dict with the keys days, start,
length, timezone, or rrule and length.
A blackout: ``2026-12-24``, ``2026-12-20..2027-01-02`` (whole days, the last one included),
``2026-12-20T18:00..2026-12-21T06:00``, or a dict with the keys from, until, timezone.
Several stand in a list, or in lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import (
    PolicyError,
    is_blank,
    read_list,
    read_seconds,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.recurrence import (
    HAS_DATEUTIL,
    Rule,
    read_moment,
    read_rule,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.window import Opening, Window, Windows

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RULE_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_EVERY_DAY = ("daily", "all")

# Weekly windows recur since a Monday long ago.
_LONG_AGO = datetime(2001, 1, 1)  # noqa: DTZ001  (local time)
_LONGEST = timedelta(days=31)


def read_windows(windows: Any, blackouts: Any, zone_name: Any) -> Windows:
    """A policy's windows. Raises PolicyError.

    :param zone_name: the time zone where none is given.
    """
    zone = read_zone("UTC" if is_blank(zone_name) else zone_name)
    read = tuple(_read_window(item, zone) for item in _several(windows))
    return Windows(
        windows=read,
        blackouts=tuple(_read_blackout(item, zone) for item in _several(blackouts)),
        zone=read[0].zone if read else zone,
    )


def read_zone(name: Any) -> ZoneInfo:
    """A time zone by its name. Raises PolicyError."""
    try:
        return ZoneInfo(str(name).strip())
    except (KeyError, ValueError, OSError):
        raise PolicyError(
            "the time zone %r is not known on the control node; it must be a name such as Europe/Berlin or UTC" % name
        )


def _several(value: Any) -> list[Any]:
    if is_blank(value):
        return []
    if isinstance(value, str):
        return [line.strip() for line in value.splitlines() if line.strip()]
    return [value] if isinstance(value, Mapping | date) else list(value)


def _read_window(item: Any, zone: ZoneInfo) -> Window:
    if not HAS_DATEUTIL:
        raise PolicyError(
            "windows need the Python package python-dateutil, which is missing on the control node; install the "
            "collection's requirements.txt with pip"
        )
    if isinstance(item, Mapping):
        return _window_of(item, zone)
    text = " ".join(str(item).split())
    if re.search(r"\bRRULE:", text, re.IGNORECASE):
        return _recurring(text, None, zone)
    words = text.split(" ")
    if len(words) not in (3, 4):
        raise PolicyError(
            "the window %r is not understood; write days, start, length and time zone as in "
            "'sat,sun 02:00 4h Europe/Berlin', or DTSTART, RRULE and DURATION" % text
        )
    return _weekly(words[0], words[1], words[2], read_zone(words[3]) if len(words) == 4 else zone)


def _window_of(item: Mapping[str, Any], zone: ZoneInfo) -> Window:
    known = {"days", "start", "length", "timezone"} if "days" in item else {"rrule", "length", "timezone"}
    if set(item) - known or not set(item) >= known - {"timezone"}:
        raise PolicyError(
            "a window has the keys %s; it must have days, start, length and timezone, or rrule and length"
            % ", ".join(map(str, item))
        )
    zone = zone if is_blank(item.get("timezone")) else read_zone(item["timezone"])
    if "rrule" in item:
        return _recurring(" ".join(str(item["rrule"]).split()), item["length"], zone)
    return _weekly(item["days"], item["start"], item["length"], zone)


def _weekly(days: Any, start: Any, length: Any, zone: ZoneInfo) -> Window:
    # YAML 1.1 reads 12:30 without quotes as the number of minutes in it.
    clock = "%d:%02d" % divmod(start, 60) if isinstance(start, int) else str(start).strip()
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", clock):
        raise PolicyError("a window's start is %r; it must be a time such as 02:00" % (start,))
    hour, minute = map(int, clock.split(":"))
    rule = read_rule(
        "FREQ=WEEKLY;BYDAY=%s" % ",".join(_RULE_DAYS[day] for day in _read_days(days)),
        _LONG_AGO.replace(hour=hour, minute=minute),
        zone,
    )
    return Window((rule,), (), _read_length(length), zone)


def _read_days(value: Any) -> list[int]:
    """Days of the week as numbers, from ``sat,sun``, ``mon-fri``, ``daily``."""
    days: set[int] = set()
    for item in read_list(value):
        first, dash, last = str(item).strip().lower().partition("-")
        if first in _EVERY_DAY and not dash:
            days.update(range(7))
            continue
        try:
            begin = _DAYS.index(first[:3])
            end = _DAYS.index(last[:3]) if dash else begin
        except ValueError:
            raise PolicyError("a window's day is %r; days are mon, tue, … or mon-fri, or daily" % (item,))
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    if not days:
        raise PolicyError("a window has no days; give some, such as sat,sun")
    return sorted(days)


def _read_length(value: Any) -> timedelta:
    length = timedelta(seconds=read_seconds("a window's length", value))
    if not timedelta(0) < length <= _LONGEST:
        raise PolicyError(
            "a window's length is %s; it must be more than 0 and at most %d days" % (value, _LONGEST.days)
        )
    return length


def _recurring(text: str, length: Any, zone: ZoneInfo) -> Window:
    """From the lines DTSTART, RRULE (several), EXRULE, DURATION with blanks between them."""
    start: datetime | None = None
    rules: dict[str, list[str]] = {"RRULE": [], "EXRULE": []}
    for word in text.split(" "):
        name, _colon, value = word.partition(":")
        head, _semicolon, parameter = name.partition(";")
        head = head.upper()
        if head == "DTSTART" and start is None:
            zone = _zone_of(parameter, value, zone)
            start = read_moment("DTSTART", value.upper(), zone)
        elif head in rules and not parameter:
            rules[head].append(value)
        elif head == "DURATION" and length is None:
            length = _read_duration(value.upper())
        else:
            raise PolicyError(
                "%r in the window %r is not understood; there may be one DTSTART, RRULE, EXRULE and one "
                "length" % (word, text)
            )
    if start is None or not rules["RRULE"]:
        raise PolicyError("the window %r lacks %s" % (text, "RRULE" if start else "DTSTART"))
    if start.year < 1970:
        raise PolicyError("the window %r begins before 1970" % text)
    if is_blank(length):
        raise PolicyError("the window %r has no length; give length, or DURATION:PT4H in the text" % text)
    read: dict[str, tuple[Rule, ...]] = {
        name: tuple(read_rule(rule, start, zone) for rule in texts) for name, texts in rules.items()
    }
    return Window(read["RRULE"], read["EXRULE"], _read_length(length), zone)


def _zone_of(parameter: str, value: str, zone: ZoneInfo) -> ZoneInfo:
    """The zone in which a rule recurs, by its DTSTART."""
    if parameter.upper().startswith("TZID="):
        return read_zone(parameter[len("TZID=") :])
    if parameter:
        raise PolicyError("DTSTART;%s is not understood; write DTSTART;TZID=Europe/Berlin:20261101T020000" % parameter)
    return read_zone("UTC") if value.upper().endswith("Z") else zone


def _read_duration(value: str) -> float:
    found = re.fullmatch(r"P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?", value)
    if found is None:
        raise PolicyError("DURATION is %r; it must be a length such as PT4H or PT90M" % value)
    return sum(
        int(number or 0) * unit for number, unit in zip(found.groups(), (604800, 86400, 3600, 60, 1), strict=True)
    )


def _read_blackout(item: Any, zone: ZoneInfo) -> Opening:
    if isinstance(item, Mapping):
        if set(item) - {"from", "until", "timezone"} or not {"from", "until"} <= set(item):
            raise PolicyError("a blackout has the keys %s; it must have from and until" % ", ".join(map(str, item)))
        zone = zone if is_blank(item.get("timezone")) else read_zone(item["timezone"])
        begin, end = item["from"], item["until"]
    else:
        begin, _dots, end = str(item).partition("..")
        end = end or begin
    opens, closes = _moment(begin, zone, at_end=False), _moment(end, zone, at_end=True)
    if closes <= opens:
        raise PolicyError("the blackout from %s until %s ends before it begins" % (begin, end))
    return Opening(opens, closes)


def _moment(value: Any, zone: ZoneInfo, at_end: bool) -> datetime:
    """A day's beginning, or at the end the next one's; or a time. Where it is ambiguous, the blackout is longer."""
    text = value.isoformat() if isinstance(value, date) else str(value).strip()
    try:
        local = datetime.fromisoformat(text)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text) and at_end:
            local += timedelta(days=1)
        if local.tzinfo is not None:
            return local.astimezone(timezone.utc)
        both = [local.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc) for fold in (0, 1)]
    except (ValueError, OverflowError):
        raise PolicyError("a blackout has %r; it must be a day such as 2026-12-24, or 2026-12-24T18:00" % (value,))
    return max(both) if at_end else min(both)
