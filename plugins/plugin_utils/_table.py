# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for a terminal and for a log, drawn by rich."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Sequence


class TableError(Exception):
    """Why no table can be drawn."""


def terminal_width() -> int:
    """Characters in a line of the terminal, or of a log; never so few that a kernel's name is folded."""
    return max(100, shutil.get_terminal_size((120, 24)).columns)


def draw(columns: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> str:
    """A table as plain text. Raises TableError where rich is not installed.

    :param width: characters in a line; long cells are folded, none is cut.
    """
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        raise TableError(
            "the Python package rich is missing on the control node; install the collection's requirements.txt with pip"
        )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # As Text, because a host's name or message may look like rich's markup.
        table.add_row(*(Text(cell) for cell in row))
    page = io.StringIO()
    Console(file=page, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(table)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())
