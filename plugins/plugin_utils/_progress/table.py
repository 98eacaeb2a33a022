# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has become of the hosts, for a roll that has not come to its report. Pure."""

from __future__ import annotations

from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.events import numbers
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.plain import plain
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.roll import Roll, is_bad
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.summary import (
    longest_first,
    progress,
    short,
    took,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import draw

_MOST_ROWS = 50


def table(roll: Roll, now: float, width: int) -> str:
    """Hosts in flight first, then those to look at, then the others; of very many, the first ones.

    Empty where no host has had its turn. Raises TableError.
    """
    found = [
        (short(host), "in flight: %s for %s" % (plain(turn.phase), took(now - turn.since)), "")
        for host, turn in longest_first(roll)
    ]
    ended = sorted(roll.ended.items(), key=lambda item: not is_bad(item[1]))
    for host, outcome in ended:
        down = "" if outcome.down_seconds is None else "%.1f" % outcome.down_seconds
        text = outcome.name + (": %s" % outcome.reason if outcome.reason else "")
        found.append((short(host), plain(text), down))
    if not found:
        return ""
    lines = [draw(("host", "outcome", "seconds down"), found[:_MOST_ROWS], width)]
    if len(found) > _MOST_ROWS:
        lines.append("and %d more" % (len(found) - _MOST_ROWS))
    parts = [progress(roll), numbers(roll.outcomes())]
    if roll.to_come():
        parts.append("%d have not had their turn" % roll.to_come())
    return "\n".join([*lines, "; ".join(part for part in parts if part)])
