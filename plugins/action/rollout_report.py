# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import plan_from
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.report import not_good, outcomes, summary
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.show import report_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import TableError, terminal_width

ARGUMENT_SPEC = {
    "plan": {"type": "dict", "required": True},
    "slot": {"type": "str"},
    "staged": {"type": "str", "required": True},
    "reboot": {"type": "str", "required": True},
    "commit": {"type": "str"},
    "released": {"type": "str"},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = validated(ARGUMENT_SPEC, self._task.args)
        hostvars = (task_vars or {})["hostvars"]
        plan = plan_from(arguments["plan"])
        staged, reboots, commits, slots, released = (
            {host.name: hostvars[host.name].get(arguments[name]) or {} for host in plan.order}
            for name in ("staged", "reboot", "commit", "slot", "released")
        )
        found = outcomes(plan, staged, reboots, commits, slots, released)
        try:
            Display().display(report_text(found, terminal_width()))
        except TableError as error:
            raise AnsibleActionFail(str(error))
        return {
            "changed": False,
            "msg": summary(found),
            "hosts": {name: vars(outcome) for name, outcome in found.items()},
            "not_good": not_good(found),
        }
