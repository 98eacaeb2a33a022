# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what of a playbook is the roll's, and is shown as such."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ansible.executor.task_result import TaskResult
from ansible.inventory.host import Host
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.ansible_objects import (
    end_of,
    shape_of,
    step_of,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.events import (
    FAILED,
    UNREACHABLE,
    End,
    Events,
    Note,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.output import Log, PlainDisplay, Screen, View
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.plain import HAS_RICH
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.roll import Roll
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.step import Step
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.summary import summary
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.table import table
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.view import Row, rows
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import reason_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import TableError, terminal_width


class Presenter:
    """Follows a playbook. Each method tells whether all is said; what is left, the default callback shows.

    :param on_terminal: whether a live view is drawn. :param summary_seconds: between two summaries in a log.
    :param bad_color: Ansible's name of the colour of what went wrong. :param color: whether there are colours at all.
    """

    def __init__(self, display: Any, on_terminal: bool, summary_seconds: float, bad_color: str, color: bool) -> None:
        self.roll = Roll()
        self.display = display
        """Through which the default callback shows what is left."""
        self._raw_display = display
        self._events = Events(self.roll)
        # Not the display's: what prints may hold other locks, and take that one too.
        self._lock = threading.Lock()
        self._is_quiet = False
        self._showed_others = False
        self._reasons: dict[str, list[str]] = {}
        self._view: View = (
            Screen(display, self._rows, self._give_up, color)
            if on_terminal and HAS_RICH
            else Log(display, bad_color, self._summary, summary_seconds, self._give_up)
        )
        self._has_given_up = False
        atexit.register(self._interrupted)

    # What is asked for by the views

    def _rows(self, width: int, height: int) -> list[Row]:
        with self._lock:
            return rows(self.roll, time.monotonic(), datetime.now().astimezone(), width, height)

    def _summary(self) -> Note | None:
        with self._lock:
            return summary(self.roll, time.monotonic(), datetime.now().astimezone())

    # What happens

    def all_is_said(self, take: Callable[[], bool]) -> bool:
        """Take an event. An error of this callback's own leaves everything from then on to the default callback."""
        if self._has_given_up:
            return False
        try:
            return take()
        except Exception as error:
            self._give_up(error)
            return False

    def play(self, play: Play) -> bool:
        """A play begins."""
        shape = shape_of(play)
        self._events.play(shape)
        return self._changes_to(shape.is_ours or (self.roll.is_reported and shape.only_fails))

    def task(self, task: Task) -> bool:
        """A task begins. Where nobody could know before that the play is the roll's, it is so from here on."""
        return self._is_quiet or (step_of(task).is_ours and self._changes_to(True))

    def _changes_to(self, is_quiet: bool) -> bool:
        self._is_quiet = is_quiet
        if is_quiet:
            self.display = PlainDisplay(self._raw_display)
            self._view.begin()
        else:
            self._showed_others = True
            self.display = self._raw_display
            self._view.end()
        return is_quiet

    def begins(self, host: Host, task: Task) -> bool:
        """A task begins on a host."""
        if not self._is_quiet:
            return False
        step = step_of(task)
        if _asks_the_operator(step):
            self._view.end()
        with self._lock:
            notes = self._events.begins(host.get_name(), step, time.monotonic())
        self._view.tell(notes)
        return True

    def ended(self, status: str, result: TaskResult) -> bool:
        """A task has ended on a host."""
        if not self._is_quiet:
            return False
        end = end_of(status, result)
        with self._lock:
            notes = self._events.ends(end, time.monotonic())
        if _asks_the_operator(end.step):
            self._view.begin()
        for name, reason in (end.result.get("not_good") or {}).items() if end.step.is_ours else ():
            self._reasons.setdefault(name, []).append(reason_of({"msg": reason}))
        if self._is_repeated(end):
            return True
        self._view.tell(notes)
        if end.result.get("_ansible_verbose_always"):
            return False
        if status == UNREACHABLE:
            return bool(result._task.ignore_unreachable)
        return status != FAILED

    def _is_repeated(self, end: End) -> bool:
        """Whether a task only passes on why an earlier one has failed, as the last ones of role and playbook do."""
        if end.status not in (FAILED, UNREACHABLE):
            return False
        reason, told = reason_of(end.result), self._reasons.setdefault(end.host, [])
        is_repeated = end.step.action == "fail" and any(each in reason for each in told)
        told.append(reason)
        return is_repeated

    def of_an_item(self, result: TaskResult) -> bool:
        """An item of a loop has gone well."""
        return self._is_quiet and not result._result.get("_ansible_verbose_always")

    def only_of_others(self) -> bool:
        """Something that tells nothing of a roll."""
        return self._is_quiet

    def no_hosts(self) -> bool:
        """A play has no hosts; where there is a plan, it says why."""
        return self._is_quiet and self.roll.began is not None

    def asks(self) -> bool:
        """The operator is asked for a variable."""
        self._view.end()
        return False

    def stats(self, wants_more: bool) -> bool:
        """The playbook has ended. :param wants_more: whether the default callback has more to show than the recap."""
        self._close()
        if self.roll.is_reported:
            return not self._showed_others and not wants_more
        self._show_table()
        return False

    # The end

    def _close(self) -> None:
        atexit.unregister(self._interrupted)
        self._view.end()
        self.display = self._raw_display

    def _show_table(self) -> None:
        try:
            text = table(self.roll, time.monotonic(), terminal_width())
        except TableError as error:
            text = str(error)
        if text:
            self._raw_display.display(text)

    def _interrupted(self) -> None:
        """ansible-playbook ends before the playbook does."""
        self._close()
        if self._is_quiet and not self._has_given_up and not self.roll.is_reported:
            self._show_table()

    def _give_up(self, error: Exception) -> None:
        self._has_given_up = True
        self._close()
        self._raw_display.warning(
            "the callback fleetops.kexec.rollout has failed, and the default callback goes on in its place; the roll "
            "itself is not touched by that: %s: %s" % (type(error).__name__, error)
        )


def _asks_the_operator(step: Step) -> bool:
    return step.action == "pause"
