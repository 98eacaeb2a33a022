# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import MonotonicClock
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.awaiting import Awaiting
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import BadCheck
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.terms import read_terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import AnsibleHost
from ansible_collections.fleetops.kexec.plugins.plugin_utils._module_action import QuietCleanup

ARGUMENT_SPEC = {
    "checks": {"type": "raw", "required": True},
    "timeout": {"type": "float", "default": 300.0},
    "consecutive": {"type": "int", "default": 1},
    "interval": {"type": "float", "default": 0.5},
    "failed_units_before": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(QuietCleanup, ActionBase):
    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        given = {name: value for name, value in self._task.args.items() if value not in ("", None)}
        try:
            terms = read_terms(validated(ARGUMENT_SPEC, given))
        except BadCheck as error:
            raise AnsibleActionFail(str(error))
        if self._task.check_mode:
            return {"changed": False, "msg": "%d checks can be asked; none was" % len(terms.checks)}
        host = AnsibleHost(self, task_vars or {})
        name = (task_vars or {}).get("inventory_hostname", "host")
        awaiting = Awaiting(
            host,
            MonotonicClock(),
            terms,
            answer_timeout=host.answer_timeout(None),
            say=lambda line: Display().vv(line, host=name),
        )
        with host.connecting_within(None):
            return awaiting.run()
