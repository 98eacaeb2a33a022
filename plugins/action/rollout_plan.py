# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import make_plan
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.show import plan_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import TableError, terminal_width

ARGUMENT_SPEC = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    "survey": {"type": "str", "required": True},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = validated(ARGUMENT_SPEC, self._task.args)
        hostvars = (task_vars or {})["hostvars"]
        surveys = {host: hostvars[host].get(arguments["survey"]) or {} for host in arguments["hosts"]}
        plan = make_plan(surveys, (task_vars or {}).get("ansible_limit") or "all")
        try:
            Display().display(plan_text(plan, terminal_width()))
        except TableError as error:
            raise AnsibleActionFail(str(error))
        return {"changed": False, **plan.as_result()}
