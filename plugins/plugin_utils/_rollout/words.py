# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and names in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_NAMED = 10


def counted(number: int, noun: str) -> str:
    """``1 host``, ``2 hosts``."""
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


def named(hosts: Sequence[str]) -> str:
    """All of a few hosts, or the first ones of many."""
    shown = ", ".join(hosts[:_MOST_NAMED])
    return shown if len(hosts) <= _MOST_NAMED else "%s and %d more" % (shown, len(hosts) - _MOST_NAMED)


def printable(text: str) -> str:
    """In one line, and without what a terminal would obey: names and reasons come from hosts."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
