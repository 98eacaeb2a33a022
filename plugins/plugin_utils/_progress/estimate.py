# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much longer a roll takes, by its plan and by what its hosts have taken so far. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# A host that takes longer than planned is not as good as done before it is.
_MOST_OF_A_TURN = 0.95


def remaining_seconds(
    planned_seconds: float,
    expected: Mapping[str, float],
    taken: Mapping[str, float],
    running: Iterable[tuple[str, float]],
    ended: int,
) -> float:
    """Until the last host is back.

    :param planned_seconds: of the whole roll. :param expected: of each planned host's turn.
    :param taken: what the turns of hosts that are back have taken. :param running: hosts in flight, with their seconds.
    :param ended: how many of the planned hosts have ended in any way.
    """
    hosts = len(expected)
    if not hosts:
        return 0.0
    foreseen = sum(expected[host] for host in taken)
    pace = sum(taken.values()) / foreseen if foreseen > 0 else 1.0
    done = float(ended)
    for host, seconds in running:
        whole = expected.get(host, 0.0) * pace
        done += min(_MOST_OF_A_TURN, seconds / whole) if whole > 0 else 0.0
    return max(0.0, planned_seconds * pace * (hosts - done) / hosts)
