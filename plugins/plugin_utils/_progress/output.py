# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an operator sees the roll: a live view on a terminal, or lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.events import Note
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.plain import plain_lines
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.summary import log_line
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.ticker import Ticker
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.view import Row

try:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text
except ImportError:
    # Told by HAS_RICH.
    pass

_SECONDS_BETWEEN_DRAWINGS = 1.0

Failed = Callable[[Exception], None]


class PlainDisplay:
    """Ansible's display, but for characters that would steer a terminal."""

    def __init__(self, display: Any) -> None:
        self._display = display

    def __getattr__(self, name: str) -> Any:
        return getattr(self._display, name)

    def display(self, msg: str, *args: Any, **options: Any) -> None:
        """As Ansible's own."""
        self._display.display(plain_lines(msg), *args, **options)

    def banner(self, msg: str, *args: Any, **options: Any) -> None:
        """As Ansible's own."""
        self._display.banner(plain_lines(msg), *args, **options)


class View(Protocol):
    """What is shown while plays of the roll run."""

    def begin(self) -> None:
        """From now on; it may have begun already."""

    def end(self) -> None:
        """No more; it may have ended already."""

    def tell(self, notes: Iterable[Note]) -> None:
        """Something has happened."""


class Log:
    """A line for each note, and a summary every so many seconds; 0 for none."""

    def __init__(
        self, display: Any, bad_color: str, summary: Callable[[], Note | None], seconds: float, failed: Failed
    ) -> None:
        self._display, self._bad_color = display, bad_color
        self._summary, self._seconds, self._failed = summary, seconds, failed
        self._ticker: Ticker | None = None

    def begin(self) -> None:
        """Summaries begin."""
        if self._seconds and self._ticker is None:
            self._ticker = Ticker(self._sum_up, self._seconds, self._failed)

    def end(self) -> None:
        """Summaries end."""
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None

    def tell(self, notes: Iterable[Note]) -> None:
        """Write the lines, and let them be read at once."""
        for note in notes:
            line = log_line(note, datetime.now().astimezone())
            self._display.display(line, color=self._bad_color if note.is_bad else None)
        sys.stdout.flush()

    def _sum_up(self) -> None:
        summary = self._summary()
        if summary is not None:
            self.tell([summary])


class Screen:
    """The last lines of the terminal, drawn anew; what else is printed goes above them.

    Ansible forks its workers while it holds its display's lock. All drawing is done under the same lock, because a
    worker would inherit any other in the state of that moment. The cursor stays visible, so that the terminal is sane
    even where ansible-playbook is killed.
    """

    def __init__(self, display: Any, rows: Callable[[int, int], list[Row]], failed: Failed, color: bool) -> None:
        self._display, self._rows, self._failed, self._color = display, rows, failed, color
        self._live: Live | None = None
        self._ticker: Ticker | None = None

    def begin(self) -> None:
        """Draw, and go on with it."""
        if self._live is not None:
            return
        console = Console(file=sys.stdout, no_color=None if self._color else True, highlight=False)
        with self._display._lock:
            self._live = Live(
                get_renderable=lambda: self._drawn(console),
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stderr=sys.stderr.isatty(),
            )
            self._live.start()
            console.show_cursor(True)
        self._ticker = Ticker(self._draw, _SECONDS_BETWEEN_DRAWINGS, self._failed)

    def end(self) -> None:
        """Wipe it off."""
        ticker, live = self._ticker, self._live
        self._ticker, self._live = None, None
        if ticker is not None:
            ticker.stop()
        if live is not None:
            with self._display._lock:
                live.stop()

    def tell(self, notes: Iterable[Note]) -> None:
        """It is in the view soon; Ansible's log file gets the line."""
        for note in notes:
            self._display.display(log_line(note, datetime.now().astimezone()), log_only=True)
        if self._ticker is not None:
            self._ticker.wake()

    def _draw(self) -> None:
        with self._display._lock:
            if self._live is not None:
                self._live.refresh()

    def _drawn(self, console: Console) -> Group:
        width, height = console.size
        rows = self._rows(width, height - 1)
        return Group(*(Text.assemble(*row, no_wrap=True, overflow="crop") for row in rows))
