# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from hosts and people as one plain line. Pure."""

from __future__ import annotations

from typing import Any

try:
    from rich.cells import cell_len, set_cell_size
except ImportError:
    HAS_RICH = False
else:
    HAS_RICH = True


def plain(text: Any) -> str:
    r"""One line in which each character stands for itself: what would steer a terminal is written out, as ``\x1b``."""
    text = str(text)
    return text if text.isprintable() else " ".join(plain_lines(text).split())


def plain_lines(text: str) -> str:
    """The same for several lines, whose ends and tabs are kept."""
    return "".join(character if _is_harmless(character) else _written_out(character) for character in text)


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character in "\n\t"


def _written_out(character: str) -> str:
    return " " if character.isspace() and ord(character) > 0x1F else character.encode("unicode_escape").decode()


def fit(text: str, width: int) -> str:
    """Exactly so many columns of a terminal: padded, or cut with an ellipsis. Needs rich."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def columns_of(text: str) -> int:
    """How many columns of a terminal it takes. Needs rich."""
    return cell_len(text)
