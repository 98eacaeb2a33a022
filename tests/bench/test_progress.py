# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback costs the controller: the events of a roll, replayed into it and into the default callback."""

from __future__ import annotations

import io
import sys
import time
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.fleetops.kexec.plugins.callback.rollout import CallbackModule
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.presenter import Presenter
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.view import rows
from pretended_roll import plan, reboot
from rich.console import Console, Group
from rich.text import Text

pytestmark = pytest.mark.bench

# What a reboot costs the controller by itself: the processor seconds of kexec_reboot in test_notice.py.
SECONDS_OF_A_REBOOT = 0.22
MOST = 0.02
IN_FLIGHT = 50

OURS = "fleetops.kexec.rollout"
OPTIONS = ("display_ok_hosts", "display_skipped_hosts")
UNSET = {"show_per_host_start": False, "check_mode_markers": False, "result_format": "json", "pretty_results": None}

TURN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("rollout_slot", {"state": "acquired"}, {"admitted": True, "answer": "admitted", "reason": "1 of 50 hosts"}),
    ("kexec_load", {}, {"changed": True}),
    ("kexec_reboot", {}, reboot()),
    ("kexec_commit", {}, {"changed": True}),
    ("rollout_slot", {"state": "released"}, {"outcome": "rebooted", "reason": ""}),
]


def a_task(action: str, args: dict[str, Any]) -> Any:
    name = "fleetops.kexec." + action
    values = {"action": name, "name": name, "args": args, "_uuid": name + str(args), "loop": None, "_role": None}
    unset = {"delegate_to": None, "no_log": False, "check_mode": False, "ignore_unreachable": False}
    return SimpleNamespace(**values, **unset, get_name=lambda: name)


def a_result(host: Any, task: Any, result: dict[str, Any]) -> Any:
    fields = {"name": task.name, "args": task.args}
    names = {"host": host, "task": task, "result": dict(result), "task_fields": fields}
    return SimpleNamespace(**names, **{"_" + name: value for name, value in names.items()})


def a_play(tasks: list[Any]) -> Any:
    empty: dict[str, list[Any]] = {"pre_tasks": [], "post_tasks": [], "roles": []}
    return SimpleNamespace(**empty, tasks=tasks, strategy="host_pinned", check_mode=False, get_name=lambda: "Roll")


def replay(name: str, hosts: int, monkeypatch: pytest.MonkeyPatch) -> tuple[float, Any]:
    """Processor seconds of a roll, in which so many hosts at a time are in flight; and the callback."""
    plugin: Any = CallbackModule if name == OURS else Default
    callback = plugin()
    if name == OURS:
        callback._presenter = Presenter(callback._display, False, 60.0, "red", color=False)
    # As they are where nobody sets them, and without a loader of plugins that would be there for all other tests.
    callback._plugin_options = {**dict.fromkeys(OPTIONS, True), **UNSET}
    names = ["host%04d.example.org" % number for number in range(hosts)]
    survey, planning = a_task("kexec_info", {}), a_task("rollout_plan", {})
    turn = [(a_task(action, args), result) for action, args, result in TURN]
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    start = time.process_time()
    all_hosts = [SimpleNamespace(name=name, get_name=lambda name=name: name) for name in names]
    callback.v2_playbook_on_play_start(a_play([survey, planning]))
    for task, some in ((survey, all_hosts), (planning, all_hosts[:1])):
        callback.v2_playbook_on_task_start(task, False)
        for host in some:
            callback.v2_runner_on_start(host, task)
            callback.v2_runner_on_ok(a_result(host, task, plan(names) if task is planning else {}))
    callback.v2_playbook_on_play_start(a_play([task for task, _result in turn]))
    for first in range(0, hosts, IN_FLIGHT):
        for task, result in turn:
            for host in all_hosts[first : first + IN_FLIGHT]:
                callback.v2_playbook_on_task_start(task, False)
                callback.v2_runner_on_start(host, task)
                callback.v2_runner_on_ok(a_result(host, task, result))
    seconds = time.process_time() - start
    monkeypatch.undo()
    return seconds, callback


def drawing(roll: Any) -> float:
    """Processor seconds of one drawing on a large terminal."""
    page = Console(file=io.StringIO(), width=200, height=60, force_terminal=True)
    start = time.process_time()
    for _ in range(20):
        found = rows(roll, time.monotonic(), datetime.now().astimezone(), 200, 59)
        page.print(Group(*(Text.assemble(*row, no_wrap=True, overflow="crop") for row in found)))
    return (time.process_time() - start) / 20


@pytest.mark.parametrize("hosts", [200, 1000])
def test_it_costs_little(hosts: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    default, _callback = replay("default", hosts, monkeypatch)
    ours, callback = replay(OURS, hosts, monkeypatch)
    roll = callback._presenter.roll
    assert roll.outcomes() == {"rebooted": hosts}
    for name in list(roll.ended)[:IN_FLIGHT]:
        roll.turn(name, time.monotonic())
    picture = drawing(roll)
    callback._presenter.stats(False)
    with capsys.disabled():
        figures = (default, ours, 100 * ours / (hosts * SECONDS_OF_A_REBOOT), 1000 * picture)
        print("\n%d hosts: default %.2f s, rollout %.2f s: %.2f %%; one drawing %.1f ms" % (hosts, *figures))
    assert ours <= MOST * hosts * SECONDS_OF_A_REBOOT
    assert picture <= MOST
