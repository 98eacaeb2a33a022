# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roll as rows for a terminal, never more than it has lines. Pure; needs rich to know how wide characters are."""

from __future__ import annotations

from datetime import datetime

from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.events import numbers
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.plain import columns_of, fit, plain
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.roll import Roll, Turn, is_bad
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.summary import (
    longest_first,
    progress,
    survey_parts,
    time_left,
    took,
    waiting,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import Outcome

# Styles of rich.
_GOOD, _BAD, _DIM, _PLAIN = "green", "red", "dim", ""

Span = tuple[str, str]
Row = list[Span]

_MOST_COLUMNS_OF_A_NAME = 32
_MOST_COLUMNS_OF_A_PHASE = 28
_COLUMNS_OF_A_BAR = 30
_MOST_LAST = 5

# So many times the expected seconds, and a reboot is shown as one that takes too long.
_OVERDUE = 2.0


def rows(roll: Roll, now: float, moment: datetime, width: int, height: int) -> list[Row]:
    """What a terminal of this size shows."""
    if roll.began is None:
        head = [[("Survey  ", _PLAIN), (", ".join(survey_parts(roll, now)), _PLAIN)]] if survey_parts(roll, now) else []
        return [_cut(row, width) for row in head[:height]]
    head = [_bar(roll, now, moment, width), *_told(roll), *_waiting(roll)]
    room = max(0, height - len(head))
    last = roll_last(roll)[: max(0, min(_MOST_LAST, room - min(len(roll.in_flight), room // 2)))]
    turns = _in_flight(roll, now, room - len(last))
    names = [row[0][0] for row in (*turns, *last) if len(row) > 1]
    wide = min(_MOST_COLUMNS_OF_A_NAME, max((columns_of(name) for name in names), default=0))
    table = [_aligned(row, wide) for row in (*turns, *last)]
    return [_cut(row, width) for row in (head + table)[:height]]


def _bar(roll: Roll, now: float, moment: datetime, width: int) -> Row:
    began = now if roll.began is None else roll.began
    text = ", ".join(part for part in (progress(roll), took(now - began), time_left(roll, now, moment)) if part)
    if not roll.planned:
        return [(text, _PLAIN)]
    whole = max(5, min(_COLUMNS_OF_A_BAR, width // 4))
    done = sum(host in roll.planned for host in roll.ended)
    bad = sum(is_bad(outcome) for host, outcome in roll.ended.items() if host in roll.planned)
    full = whole * done // len(roll.planned)
    red = min(full, -(-whole * bad // len(roll.planned)))
    return [("━" * (full - red), _GOOD), ("━" * red, _BAD), ("─" * (whole - full), _DIM), ("  " + text, _PLAIN)]


def _told(roll: Roll) -> list[Row]:
    """The outcomes so far, and who was left out."""
    counts = roll.outcomes()
    bad = {name: count for name, count in counts.items() if is_bad(Outcome(name))}
    good = {name: count for name, count in counts.items() if name not in bad}
    spans = [(numbers(good), _GOOD), (numbers(bad), _BAD)]
    if roll.left_out:
        spans.append(("left out: %s" % numbers(roll.left_out), _DIM))
    row: Row = []
    for span in spans:
        if span[0]:
            row += [("; ", _PLAIN), span] if row else [span]
    return [row] if row else []


def _waiting(roll: Roll) -> list[Row]:
    parts = []
    if roll.waiting:
        why = ": %s" % plain(roll.admitted) if roll.admitted else ""
        parts.append("%s for a slot%s" % (waiting(len(roll.waiting)), why))
    if roll.to_come():
        parts.append("%d more to come" % roll.to_come())
    return [[("; ".join(parts), _DIM)]] if parts else []


def _in_flight(roll: Roll, now: float, room: int) -> list[Row]:
    turns = longest_first(roll)
    if len(turns) <= room:
        return [_turn(roll, host, turn, now) for host, turn in turns]
    if room <= 0:
        return []
    shown = [_turn(roll, host, turn, now) for host, turn in turns[: room - 1]]
    return [*shown, [("and %d more in flight" % (len(turns) - room + 1), _DIM)]]


def _turn(roll: Roll, host: str, turn: Turn, now: float) -> Row:
    seconds = now - turn.since
    expected = roll.planned.get(host)
    style, length = _PLAIN, took(seconds)
    if expected and turn.phase == "rebooting":
        style = _BAD if seconds > _OVERDUE * expected else _PLAIN
        length += " of about %s" % took(expected)
    return [(plain(host), _PLAIN), (plain(turn.phase), style), (length, style)]


def roll_last(roll: Roll) -> list[Row]:
    """What became of the hosts that have ended, the last one first."""
    return [_ended(host, roll.ended[host]) for host in roll.last]


def _ended(host: str, outcome: Outcome) -> Row:
    style = _BAD if is_bad(outcome) else _GOOD
    down = "" if outcome.down_seconds is None else "%.1f s down" % outcome.down_seconds
    text = "; ".join(part for part in (down, plain(outcome.reason)) if part)
    return [(plain(host), _PLAIN), (plain(outcome.name), style), (text, _PLAIN)]


def _aligned(row: Row, wide: int) -> Row:
    """Name, what, and the rest below each other."""
    if len(row) == 1:
        return [("  " + row[0][0], row[0][1])]
    (host, _style), (what, style), rest = row
    phase = fit(what, min(_MOST_COLUMNS_OF_A_PHASE, max(18, columns_of(what))))
    return [("  %s  " % fit(host, wide), _PLAIN), (phase + "  ", style), rest]


def _cut(row: Row, width: int) -> Row:
    """So that no row is wider than the terminal."""
    cut: Row = []
    for text, style in row:
        room = width - sum(columns_of(span) for span, _style in cut)
        if columns_of(text) > room:
            return [*cut, (fit(text, room), style)]
        cut.append((text, style))
    return cut
