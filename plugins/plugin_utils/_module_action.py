# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's task on a host: in one round where that works, and unreachable where the host goes away in the middle."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action.normal import ActionModule as Normal
from ansible_collections.fleetops.kexec.plugins.plugin_utils._pipelining import Pipelining


class QuietCleanup:
    """For an action on a host that may be gone when ansible-core tidies up there, beside its base class.

    What the action has found out is its result. ansible-core would report the host as unreachable instead.
    """

    def cleanup(self, *arguments: Any, **named: Any) -> None:
        """See ActionBase."""
        with contextlib.suppress(AnsibleConnectionFailure):
            super().cleanup(*arguments, **named)  # type: ignore[misc]


class ModuleAction(QuietCleanup, Normal):
    """As ansible-core runs any module, but pipelined where nobody has said whether to.

    A host that is gone when ansible-core tidies up is unreachable, and has not failed. ansible-core 2.16 removes its
    folder on the host also after the connection has failed, and reports what that raises.
    """

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See ActionBase."""
        run: Callable[..., dict[str, Any]] = super().run
        return Pipelining(self._connection, task_vars or {}).run(lambda: run(tmp, task_vars))
