# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.as_json import json_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.collect import report_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.files import FileError, place, writing
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.markdown import markdown_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.page import page_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.statistics import statistics
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import plan_from
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.report import not_good, summary
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.results import outcomes_of, results_from
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.show import report_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import TableError, terminal_width

VARIABLES = {
    "survey": {"type": "str"},
    "slot": {"type": "str"},
    "staged": {"type": "str", "required": True},
    "reboot": {"type": "str", "required": True},
    "health": {"type": "str"},
    "commit": {"type": "str"},
    "released": {"type": "str"},
}

FORMATS = {"json": json_text, "html": page_text, "markdown": markdown_text}

ARGUMENT_SPEC = {
    "plan": {"type": "dict", "required": True},
    **VARIABLES,
    "title": {"type": "str", "default": "Rolling reboot"},
    **{name: {"type": "str"} for name in FORMATS},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = validated(ARGUMENT_SPEC, self._task.args)
        hostvars = (task_vars or {})["hostvars"]
        plan = plan_from(arguments["plan"])
        names = {name: arguments[name] for name in VARIABLES}
        hosts = [*(host.name for host in plan.order), *plan.left_out]
        results = {host: results_from(hostvars[host], names) for host in hosts}
        found = outcomes_of(plan, results)
        report = report_of(plan, found, results, arguments["title"])
        try:
            # First what cannot fail any more, whatever becomes of the files.
            Display().display(report_text(found, terminal_width()))
            places = [place(name, arguments[name]) for name in FORMATS if arguments[name]]
            writings = [writing(where, FORMATS[where.option](report)) for where in places]
            for each in writings if not self._task.check_mode else ():
                if each.changed:
                    each.apply()
        except (TableError, FileError) as error:
            raise AnsibleActionFail(str(error))
        return {
            "changed": any(each.changed for each in writings),
            "msg": summary(found),
            "hosts": {name: vars(outcome) for name, outcome in found.items()},
            "not_good": not_good(found),
            "files": [str(each.path) for each in writings],
            "diff": [each.diff() for each in writings if each.changed],
            # As of set_stats: ansible-core looks for it in every task's result.
            "ansible_stats": {"data": statistics(report), "per_host": False, "aggregate": False},
        }
