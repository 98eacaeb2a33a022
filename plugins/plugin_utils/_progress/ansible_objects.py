# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the objects that Ansible hands to a callback, as ansible-core 2.16 and later have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.executor.task_result import TaskResult
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.events import End
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.step import Shape, Step, shape, step


def step_of(task: Task) -> Step:
    """A task before its templates are filled in."""
    role = "" if task._role is None else task._role.get_name()
    return step(task.action, str(task.name or task.action), task.args, role)


def end_of(status: str, result: TaskResult) -> End:
    """How a task has ended on a host. :param status: as :mod:`events` has them."""
    task, fields = result._task, result._task_fields
    args = fields.get("args")
    name = str(fields.get("name") or task.name or task.action)
    done = step(task.action, name, args if isinstance(args, Mapping) else task.args)
    return End(result._host.get_name(), done, status, result._result)


def shape_of(play: Play) -> Shape:
    """A play's, by all of its tasks that are known before it runs."""
    blocks = [*play.pre_tasks, *play.tasks, *play.post_tasks]
    for role in play.roles:
        blocks += role.get_task_blocks()
    return shape(step_of(task) for task in _tasks(blocks))


def _tasks(items: list[Any]) -> Iterator[Task]:
    for item in items:
        if isinstance(item, Block):
            yield from _tasks([*item.block, *item.rescue, *item.always])
        else:
            yield item
