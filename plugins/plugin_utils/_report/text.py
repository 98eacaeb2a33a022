# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that came from hosts, inventories and operators, made fit to be shown. Pure."""

from __future__ import annotations

import re
import unicodedata

# What terminals take for colours and the like (ECMA-48).
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")

# Controls, halves of characters, and what turns the direction of the text around it.
_ILLEGIBLE = ("Cc", "Cs")
_DIRECTION = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

_MOST_LINES = 30
_MOST_CHARACTERS = 3000


def legible(text: str) -> str:
    """Text in lines; a character that would not be seen as one is written as its code."""
    plain = _ESCAPE_SEQUENCE.sub("", text).replace("\r\n", "\n")
    if plain.isascii() and plain.isprintable():
        return str(plain)
    return "".join(character if _is_legible(character) else _code(character) for character in plain)


def _is_legible(character: str) -> bool:
    if character in "\n\t":
        return True
    return unicodedata.category(character) not in _ILLEGIBLE and character not in _DIRECTION


def _code(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def line(text: str) -> str:
    """Text in one line."""
    return " ".join(legible(text).split())


def last_lines(text: str) -> str:
    """The end of a text of any length."""
    lines = legible(text.strip()).splitlines()
    end = "\n".join(lines[-_MOST_LINES:])[-_MOST_CHARACTERS:]
    return end if len(lines) <= _MOST_LINES and len(end) < _MOST_CHARACTERS else "…\n" + end
