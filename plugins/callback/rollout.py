# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout
type: stdout
short_description: Shows how a roll of reboots goes
version_added: 1.0.0
description:
  - Shows a roll of M(fleetops.kexec.kexec_reboot) as its operator wants to see it, and every other play as
    P(ansible.builtin.default#callback) does. A play is the roll's when one of its tasks is of this collection.
  - "On a terminal it draws a live view: how many hosts are done, which are in flight, what each of them is at and for
    how long, how many wait for a slot, what became of the last ones, and when the roll is expected to end. It is never
    higher than the terminal."
  - In a log it writes a line when a host reboots, is back, and has ended, or when something went wrong, and a summary
    every O(summary_seconds). The output of AWX and ansible-runner is a log.
  - Failures, and what M(ansible.builtin.debug) says, are shown as the default callback does. A failure that is ignored
    is one line with its message.
  - With C(-v) and more, everything is shown as the default callback does.
  - Ansible shows a task's result only when the task has ended. While M(fleetops.kexec.kexec_reboot) runs, it is known
    for how long it has, and how long it was expected to take, and not whether the host is down. Why a host waits for
    its slot is told by what was said to the host that got the last one.
  - An error of this callback's own ends with a warning, and the default callback goes on in its place.
requirements:
  - set as stdout in configuration
  - the Python package rich for the live view and the table
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  view:
    description:
      - V(auto) draws the live view on a terminal that can be drawn on, and writes a log elsewhere.
      - V(log) writes a log on a terminal too.
    type: str
    choices: [auto, log]
    default: auto
    env:
      - name: FLEETOPS_KEXEC_VIEW
    ini:
      - section: callback_fleetops_kexec_rollout
        key: view
  summary_seconds:
    description: Seconds between two summaries in a log; V(0) for none.
    type: float
    default: 60
    env:
      - name: FLEETOPS_KEXEC_SUMMARY_SECONDS
    ini:
      - section: callback_fleetops_kexec_rollout
        key: summary_seconds
"""

EXAMPLES = r"""
# In the shell:
#   ANSIBLE_STDOUT_CALLBACK=fleetops.kexec.rollout ansible-playbook -i inventory fleetops.kexec.fast_reboot
#
# Or for good, in ansible.cfg:
#   [defaults]
#   stdout_callback = fleetops.kexec.rollout
#
#   [callback_fleetops_kexec_rollout]
#   view = log
#   summary_seconds = 300
"""

import os
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

from ansible import constants
from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import TaskResult
from ansible.inventory.host import Host
from ansible.playbook.included_file import IncludedFile
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.events import (
    FAILED,
    IGNORED,
    OK,
    SKIPPED,
    UNREACHABLE,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.plain import plain
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.presenter import Presenter


class CallbackModule(Default):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "fleetops.kexec.rollout"

    _presenter: Presenter | None = None

    def set_options(self, *args: Any, **options: Any) -> None:
        super().set_options(*args, **options)
        if self._display.verbosity == 0:
            self._presenter = Presenter(
                self._display,
                on_terminal=self.get_option("view") == "auto"
                and self.CALLBACK_NAME == CallbackModule.CALLBACK_NAME
                and _can_be_drawn_on(),
                summary_seconds=self.get_option("summary_seconds"),
                bad_color=constants.config.get_config_value("COLOR_ERROR"),
                color=not constants.config.get_config_value("ANSIBLE_NOCOLOR"),
            )

    @staticmethod
    def host_label(result: TaskResult) -> str:
        return plain(Default.host_label(result))

    def _all_is_said(self, take: Callable[[Presenter], bool]) -> bool:
        presenter = self._presenter
        if presenter is None:
            return False
        is_said = presenter.all_is_said(lambda: take(presenter))
        self._display = presenter.display
        return is_said

    def _handle_exception(self, result: MutableMapping[str, Any], use_stderr: bool = False) -> None:
        # The task's message is in what follows. Printed as an error, it would come by Ansible's display as it is.
        if self._presenter is not None and self._presenter.only_of_others():
            result.pop("exception", None)
        else:
            super()._handle_exception(result, use_stderr)

    def v2_playbook_on_play_start(self, play: Play) -> None:
        if self._all_is_said(lambda presenter: presenter.play(play)):
            # What the default callback would know of the play, for the failures that it shows.
            self._play = play
        else:
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        if self._all_is_said(lambda presenter: presenter.task(task)):
            self._last_task_name = None
        else:
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        if self._all_is_said(lambda presenter: presenter.task(task)):
            self._last_task_name = None
        else:
            super().v2_playbook_on_handler_task_start(task)

    def v2_runner_on_start(self, host: Host, task: Task) -> None:
        if not self._all_is_said(lambda presenter: presenter.begins(host, task)):
            super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result: TaskResult) -> None:
        if not self._all_is_said(lambda presenter: presenter.ended(OK, result)):
            super().v2_runner_on_ok(result)

    def v2_runner_on_skipped(self, result: TaskResult) -> None:
        if not self._all_is_said(lambda presenter: presenter.ended(SKIPPED, result)):
            super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result: TaskResult, ignore_errors: bool = False) -> None:
        if not self._all_is_said(lambda presenter: presenter.ended(IGNORED if ignore_errors else FAILED, result)):
            super().v2_runner_on_failed(result, ignore_errors=ignore_errors)

    def v2_runner_on_unreachable(self, result: TaskResult) -> None:
        if not self._all_is_said(lambda presenter: presenter.ended(UNREACHABLE, result)):
            super().v2_runner_on_unreachable(result)

    def v2_runner_item_on_ok(self, result: TaskResult) -> None:
        if not self._all_is_said(lambda presenter: presenter.of_an_item(result)):
            super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_skipped(self, result: TaskResult) -> None:
        if not self._all_is_said(Presenter.only_of_others):
            super().v2_runner_item_on_skipped(result)

    def v2_runner_retry(self, result: TaskResult) -> None:
        if not self._all_is_said(Presenter.only_of_others):
            super().v2_runner_retry(result)

    def v2_runner_on_async_poll(self, result: TaskResult) -> None:
        if not self._all_is_said(Presenter.only_of_others):
            super().v2_runner_on_async_poll(result)

    def v2_runner_on_async_ok(self, result: TaskResult) -> None:
        if not self._all_is_said(Presenter.only_of_others):
            super().v2_runner_on_async_ok(result)

    def v2_playbook_on_include(self, included_file: IncludedFile) -> None:
        if not self._all_is_said(Presenter.only_of_others):
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_notify(self, handler: Task, host: Host) -> None:
        if not self._all_is_said(Presenter.only_of_others):
            super().v2_playbook_on_notify(handler, host)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        if not self._all_is_said(Presenter.no_hosts):
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_vars_prompt(self, *args: Any, **options: Any) -> None:
        self._all_is_said(Presenter.asks)
        super().v2_playbook_on_vars_prompt(*args, **options)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        wants_more = bool(stats.custom) and self.get_option("show_custom_stats")
        if not self._all_is_said(lambda presenter: presenter.stats(wants_more)):
            super().v2_playbook_on_stats(stats)


def _can_be_drawn_on() -> bool:
    """Whether standard output is a terminal that can move its cursor, and so can rich."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
