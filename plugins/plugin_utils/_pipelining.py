# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of a task in one round each: one SSH client on the control node instead of five."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Pipelining:
    """Pipelines modules where nobody has said whether to.

    ansible-core's default is off, because sudo can be set to want a terminal (``requiretty``), and then there must be
    none of it. Such a sudo refuses before anything has run, and the module goes the ordinary way. ansible-core 2.16
    shows its default as if somebody had given it (tried), so there it stays as it is.

    :param connection: of the task, on which nobody has set the option ``pipelining`` yet: what this sets is told from
        the default no more. So one object is for all modules of a task; they may run at the same time.
    """

    def __init__(self, connection: Any, variables: Mapping[str, Any]) -> None:
        self._connection = connection
        self._is_to_try = _is_undecided(connection, variables)

    def run(self, module: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of running a module, which is run again where sudo has refused."""
        if not self._is_to_try:
            return module()
        self._connection.set_option("pipelining", True)
        result = module()
        if not (self._connection.become and _was_refused(result)):
            return result
        self._is_to_try = False
        self._connection.set_option("pipelining", False)
        return module()


def _is_undecided(connection: Any, variables: Mapping[str, Any]) -> bool:
    if not connection.has_pipelining:
        return False
    try:
        return bool(connection.get_option_and_origin("pipelining", hostvars=variables)[1] == "default")
    except KeyError:  # a connection plugin that has no such option
        return False


def _was_refused(result: Mapping[str, Any]) -> bool:
    """Whether sudo ended without the module's having run. Why, it says on standard error, in its own language.

    ansible-core returns ``module_stdout`` only where it is no module's answer.
    """
    return result.get("module_stdout") == "" and result.get("rc") == 1
