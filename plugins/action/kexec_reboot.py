# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fleetops.kexec.plugins.modules.kexec_reboot import ARGUMENT_SPEC
from ansible_collections.fleetops.kexec.plugins.plugin_utils._acceptance import Acceptance
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import MonotonicClock
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.awaiting import Awaiting
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import BadCheck
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.terms import Terms, read_terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import AnsibleHost, own_boot_id
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host_key import IS_AVAILABLE
from ansible_collections.fleetops.kexec.plugins.plugin_utils._module_action import QuietCleanup
from ansible_collections.fleetops.kexec.plugins.plugin_utils._reboot import Reboot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import BadRequest, request_from


class ActionModule(QuietCleanup, ActionBase):
    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = validated(ARGUMENT_SPEC, self._task.args)
        host = AnsibleHost(self, task_vars or {})
        try:
            request = request_from(arguments, host.answer_timeout(arguments["connect_timeout"]), own_boot_id())
            health = None if arguments["health"] is None else read_terms(arguments["health"])
        except (BadRequest, BadCheck) as error:
            raise AnsibleActionFail(str(error))
        if host.is_control_node():
            raise AnsibleActionFail("the connection is local: this would reboot the control node")
        if request.require_same_host_key and not IS_AVAILABLE:
            raise AnsibleActionFail(
                "require_same_host_key needs the Python package paramiko on the control node; install it, or set "
                "require_same_host_key: false"
            )
        name = (task_vars or {}).get("inventory_hostname", "host")
        started = datetime.now(timezone.utc)

        def say(line: str) -> None:
            Display().vv(line, host=name)

        def await_health(terms: Terms) -> dict[str, Any]:
            return Awaiting(host, MonotonicClock(), terms, host.answer_timeout(None), say).run()

        reboot = Reboot(host, MonotonicClock(), request, say)
        with host.connecting_within(arguments["connect_timeout"]):
            outcome = reboot.run(check_mode=self._task.check_mode)
        with host.connecting_within(None):
            Acceptance(health, arguments["commit"], await_health, host.accept_kernel).follow(outcome)
        return outcome.as_result(started, begun=None if request.resume is None else request.resume.begun)
