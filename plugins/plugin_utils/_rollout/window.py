# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a roll may reboot hosts: maintenance windows less blackouts. Pure.

A window begins at a local time and lasts a length of elapsed time. Where the local time does not exist or exists twice,
because the clocks are changed, RFC 5545 (section 3.3.5) is followed: the offset before the gap counts, and the first of
the two. The opening says so in its note.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.recurrence import Rule

# How far it is looked ahead, in steps that grow; who looks farther has no window.
_AHEAD = tuple(timedelta(days=days) for days in (9, 70, 400, 3700))
# Who does not find what is needed among so many openings does not find it farther on.
_ENOUGH = 2000
_MOST_KNOWN = 64


@dataclass(frozen=True)
class Opening:
    """A stretch of time, in UTC, in which hosts may be rebooted."""

    opens: datetime
    closes: datetime
    note: str = ""
    """What is odd about its beginning."""


@dataclass(frozen=True)
class Window:
    """Openings of one length at local times that recur."""

    rules: tuple[Rule, ...]
    excluded: tuple[Rule, ...]
    length: timedelta
    zone: ZoneInfo

    def openings(self, after: datetime, before: datetime) -> list[Opening]:
        """Those that are open at some time from *after* to *before*. Raises PolicyError."""
        # A day more on both sides: no zone is farther from UTC, and no clock is changed by more.
        begin = (after - self.length).replace(tzinfo=None) - timedelta(days=1)
        end = before.replace(tzinfo=None) + timedelta(days=1)
        local = {moment for rule in self.rules for moment in rule.between(begin, end)}
        local -= {moment for rule in self.excluded for moment in rule.between(begin, end)}
        found = (self._opening(moment) for moment in local)
        return [opening for opening in found if opening.opens < before and opening.closes > after]

    def _opening(self, local: datetime) -> Opening:
        opens = local.replace(tzinfo=self.zone).astimezone(timezone.utc)
        return Opening(opens, opens + self.length, _oddity(local, opens, self.zone))


def _oddity(local: datetime, opens: datetime, zone: ZoneInfo) -> str:
    seen = opens.astimezone(zone)
    if seen.replace(tzinfo=None) != local:
        return "%s does not exist in %s, where the clocks go forward; the window opens at %s" % (
            local.isoformat(" ", "minutes"),
            zone.key,
            seen.strftime("%H:%M %Z"),
        )
    if seen.utcoffset() != seen.replace(fold=1).utcoffset():
        return "%s comes twice in %s, where the clocks go back; the window opens the first time, in %s" % (
            local.isoformat(" ", "minutes"),
            zone.key,
            seen.strftime("%Z"),
        )
    return ""


class Windows:
    """All windows and blackouts of a policy; without windows it is always open, but for the blackouts.

    :param zone: in which times are told.
    """

    def __init__(self, windows: tuple[Window, ...], blackouts: tuple[Opening, ...], zone: ZoneInfo) -> None:
        self._windows = windows
        self._blackouts = blackouts
        self._zone = zone
        self._known: dict[tuple[datetime, timedelta], list[Opening]] = {}

    def __bool__(self) -> bool:
        return bool(self._windows or self._blackouts)

    def told(self, moment: datetime) -> str:
        """A moment as an operator reads it."""
        return moment.astimezone(self._zone).strftime("%a %Y-%m-%d %H:%M %Z")

    def now_open(self, now: datetime) -> Opening | None:
        """The opening that *now* is in. Raises PolicyError."""
        return next((opening for opening in self._ahead(now, _AHEAD[0]) if opening.opens <= now < opening.closes), None)

    def earliest(self, now: datetime, seconds: float) -> datetime | None:
        """From when on it stays open for so many seconds; None where it never does. Raises PolicyError."""
        needed = timedelta(seconds=seconds)
        for ahead in _AHEAD:
            openings = self._ahead(now, ahead)
            for opening in openings:
                start = max(opening.opens, now)
                if opening.closes - start >= needed:
                    return start
            if len(openings) > _ENOUGH:
                break
        return None

    def opening_at(self, now: datetime) -> Opening | None:
        """The opening that *now* is in, or else the next one. Raises PolicyError."""
        for ahead in _AHEAD:
            for opening in self._ahead(now, ahead):
                if opening.closes > now:
                    return opening
        return None

    def _ahead(self, now: datetime, ahead: timedelta) -> list[Opening]:
        """Openings from the day of *now* on. The last one may really close later than it says."""
        day = now.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        if (day, ahead) not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[day, ahead] = self._openings(day, day + ahead)
        return self._known[day, ahead]

    def _openings(self, after: datetime, before: datetime) -> list[Opening]:
        every = [Opening(after, before)]
        if self._windows:
            every = [opening for window in self._windows for opening in window.openings(after, before)]
        return _without(_merged(every), self._blackouts)


def _merged(openings: Iterable[Opening]) -> list[Opening]:
    """Those that overlap or touch become one."""
    merged: list[Opening] = []
    for opening in sorted(openings, key=lambda opening: opening.opens):
        if merged and opening.opens <= merged[-1].closes:
            last = merged.pop()
            opening = Opening(last.opens, max(last.closes, opening.closes), last.note)  # noqa: PLW2901
        merged.append(opening)
    return merged


def _without(openings: list[Opening], blackouts: Iterable[Opening]) -> list[Opening]:
    """What is left of them."""
    for blackout in blackouts:
        left = []
        for opening in openings:
            if blackout.closes <= opening.opens or blackout.opens >= opening.closes:
                left.append(opening)
                continue
            if opening.opens < blackout.opens:
                left.append(Opening(opening.opens, blackout.opens, opening.note))
            if blackout.closes < opening.closes:
                left.append(Opening(blackout.closes, opening.closes))
        openings = left
    return openings
