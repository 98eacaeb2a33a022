# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's task on a host: in one round where that works, and unreachable where the host goes away in the middle."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action.normal import ActionModule as Normal


class QuietCleanup:
    """For an action on a host that may be gone when ansible-core tidies up there, beside its base class.

    What the action has found out is its result. ansible-core would report the host as unreachable instead.
    """

    def cleanup(self, *arguments: Any, **named: Any) -> None:
        """See ActionBase."""
        with contextlib.suppress(AnsibleConnectionFailure):
            super().cleanup(*arguments, **named)  # type: ignore[misc]


class ModuleAction(QuietCleanup, Normal):
    """As ansible-core runs any module, with two differences.

    It is pipelined where nobody has said whether to pipeline: one SSH client on the control node instead of five.
    ansible-core's default is off, because sudo can be set to want a terminal (``requiretty``), and then there must be
    none of it. Such a sudo refuses before anything has run, and the task goes the ordinary way. ansible-core 2.16 shows
    its default as if somebody had given it (tried), so there it stays as it is.

    A host that is gone when ansible-core tidies up is unreachable, and has not failed. ansible-core 2.16 removes its
    folder on the host also after the connection has failed, and reports what that raises.
    """

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See ActionBase."""
        if self._is_pipelining_undecided(task_vars or {}):
            self._connection.set_option("pipelining", True)
            result: dict[str, Any] = super().run(tmp, task_vars)  # type: ignore[no-untyped-call]
            if not (self._connection.become and _was_refused(result)):
                return result
            self._connection.set_option("pipelining", False)
        again: dict[str, Any] = super().run(tmp, task_vars)  # type: ignore[no-untyped-call]
        return again

    def _is_pipelining_undecided(self, variables: Mapping[str, Any]) -> bool:
        if not self._connection.has_pipelining:
            return False
        try:
            return bool(self._connection.get_option_and_origin("pipelining", hostvars=variables)[1] == "default")
        except KeyError:  # a connection plugin that has no such option
            return False


def _was_refused(result: Mapping[str, Any]) -> bool:
    """Whether sudo ended without the module's having run. Why, it says on standard error, in its own language.

    ansible-core returns ``module_stdout`` only where it is no module's answer.
    """
    return result.get("module_stdout") == "" and result.get("rc") == 1
