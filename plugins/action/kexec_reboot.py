# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fleetops.kexec.plugins.modules.kexec_reboot import ARGUMENT_SPEC
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import MonotonicClock
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import AnsibleHost
from ansible_collections.fleetops.kexec.plugins.plugin_utils._reboot import Reboot, Request


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = validated(ARGUMENT_SPEC, self._task.args)
        for name in ("reboot_timeout", "connect_timeout"):
            if arguments[name] is not None and arguments[name] <= 0:
                raise AnsibleActionFail("%s is %d; it must be more than 0 seconds" % (name, arguments[name]))
        host = AnsibleHost(self, task_vars or {})
        if host.is_control_node():
            raise AnsibleActionFail("the connection is local: this would reboot the control node")
        request = Request(
            method=arguments["method"],
            timeout=arguments["reboot_timeout"],
            answer_timeout=host.answer_timeout(arguments["connect_timeout"]),
            expect_release=arguments["expect_release"],
            ignore_inhibitors=arguments["ignore_inhibitors"],
            token=arguments["token"],
        )
        name = (task_vars or {}).get("inventory_hostname", "host")
        reboot = Reboot(host, MonotonicClock(), request, say=lambda line: Display().vv(line, host=name))
        with host.connecting_within(arguments["connect_timeout"]):
            return reboot.run(check_mode=self._task.check_mode).as_result()
