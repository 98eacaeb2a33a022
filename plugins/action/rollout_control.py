# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.control import STATES, control
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import (
    Database,
    StoreError,
    default_store,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import TableError, terminal_width

ARGUMENT_SPEC = {
    "state": {"type": "str", "default": "status", "choices": list(STATES)},
    "rollout": {"type": "str"},
    "store": {"type": "str", "no_log": True},
    "reason": {"type": "str"},
    "forget": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = validated(ARGUMENT_SPEC, self._task.args)
        rollout, reason = ((arguments[name] or "").strip() or None for name in ("rollout", "reason"))
        try:
            store = Store(Database(arguments["store"] or default_store()))
            forget = [name.strip() for name in arguments["forget"] if name.strip()]
            controlled = control(store, arguments["state"], rollout, reason, self._task.check_mode, forget)
            Display().display(controlled.text(terminal_width()))
        except (StoreError, TableError) as error:
            raise AnsibleActionFail(str(error))
        for warning in controlled.warnings():
            Display().warning(warning)
        return controlled.as_result()
