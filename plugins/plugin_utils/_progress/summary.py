# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roll in one line, for a log. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.events import Note, numbers
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.plain import plain
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.roll import Roll, Turn
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import duration
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.words import counted

_MOST_NAMED = 3
_MOST_CHARACTERS_OF_A_NAME = 60


def log_line(note: Note, moment: datetime) -> str:
    """Time, host, and what has happened."""
    host = short(note.host)
    return "%s  %s" % (moment.strftime("%H:%M:%S"), "  ".join(part for part in (host, plain(note.text)) if part))


def short(host: str) -> str:
    """The name of a host; a very long one is cut."""
    name = plain(host)
    return name if len(name) <= _MOST_CHARACTERS_OF_A_NAME else name[: _MOST_CHARACTERS_OF_A_NAME - 1] + "…"


def summary(roll: Roll, now: float, moment: datetime) -> Note | None:
    """Where the roll stands; None while there is nothing to tell."""
    parts = survey_parts(roll, now) if roll.began is None else _of_the_roll(roll, now, moment)
    return Note("", "; ".join(parts)) if parts else None


def survey_parts(roll: Roll, now: float) -> list[str]:
    """How far the looks at the hosts have come."""
    survey = roll.survey
    if survey.began is None:
        return []
    parts = ["%s surveyed in %s" % (counted(survey.looked_at, "host"), took(now - survey.began))]
    if survey.failed:
        parts.append("%d of them could not be" % survey.failed)
    if survey.under_way:
        parts.append("%d under way" % len(survey.under_way))
    return parts


def _of_the_roll(roll: Roll, now: float, moment: datetime) -> list[str]:
    parts = [progress(roll)]
    if roll.ended:
        parts.append(numbers(roll.outcomes()))
    if roll.in_flight:
        parts.append("in flight: %s" % _in_flight(roll, now))
    if roll.waiting:
        parts.append("%s for a slot" % waiting(len(roll.waiting)))
    left = time_left(roll, now, moment)
    return parts + ([left] if left else [])


def progress(roll: Roll) -> str:
    """How many hosts are done."""
    if not roll.planned:
        return "%s done" % counted(len(roll.ended), "host")
    done = sum(host in roll.planned for host in roll.ended)
    return "%d of %s done" % (done, counted(len(roll.planned), "host"))


def waiting(hosts: int) -> str:
    """``1 host waits``, ``2 hosts wait``."""
    return "%s wait%s" % (counted(hosts, "host"), "s" if hosts == 1 else "")


def _in_flight(roll: Roll, now: float) -> str:
    """All of a few, or of many those that have been at the same thing for longest."""
    turns = longest_first(roll)
    shown = [
        "%s %s %s" % (short(host), plain(turn.phase), took(now - turn.since)) for host, turn in turns[:_MOST_NAMED]
    ]
    return ", ".join(shown) + (" and %d more" % (len(turns) - _MOST_NAMED) if len(turns) > _MOST_NAMED else "")


def longest_first(roll: Roll) -> list[tuple[str, Turn]]:
    """The hosts in flight; those that have been in their phase for longest come first."""
    return sorted(roll.in_flight.items(), key=lambda item: item[1].since)


def time_left(roll: Roll, now: float, moment: datetime) -> str:
    """How much longer it is expected to take, and until when; empty where nobody can tell."""
    remaining = roll.remaining(now)
    if remaining is None:
        return ""
    ends = moment + timedelta(seconds=remaining)
    day = "" if ends.date() == moment.date() else "%d %s " % (ends.day, ends.strftime("%b"))
    return "about %s left, until %s%s" % (took(remaining), day, ends.strftime("%H:%M"))


def took(seconds: float) -> str:
    """A length of time as people say it."""
    return duration(timedelta(seconds=max(0.0, seconds)))
