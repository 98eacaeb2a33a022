# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import BadCheck
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.reading import read_checks
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.files import FileError, place
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import (
    Database,
    StoreError,
    default_store,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.domains import read_domains
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.host_inputs import (
    may_fall_back,
    used,
    value_for,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import PolicyError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.opening import entries_of, look, open_rollout
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import Terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import make_plan
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import (
    DEFAULTS,
    policy_as_text,
    read_policy,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.role_inputs import BadInput, Look, check_inputs
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.show import plan_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import TableError, terminal_width

ARGUMENT_SPEC = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    "survey": {"type": "str", "required": True},
    "uses": {"type": "list", "elements": "str", "default": []},
    "method": {"type": "str"},
    "fallback": {"type": "str"},
    "inputs_of": {"type": "str"},
    "health": {"type": "str"},
    "forget_others": {"type": "bool", "default": False},
    "reports": {"type": "list", "elements": "str", "default": []},
    "rollout": {"type": "str"},
    "launch": {"type": "str"},
    "store": {"type": "str", "no_log": True},
    **{name: {"type": "raw"} for name in DEFAULTS},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = validated(ARGUMENT_SPEC, self._task.args)
        task_vars = task_vars or {}
        hosts, rollout = arguments["hosts"], arguments["rollout"]
        inputs = {name: arguments[name] for name in DEFAULTS}
        try:
            for path in filter(None, arguments["reports"]):
                place("reports", path)
            if arguments["inputs_of"] is not None:
                check_inputs(arguments["inputs_of"], hosts, *self._looks(task_vars))
            policy = read_policy(inputs)
            variable = policy.failure_domain
            names = [variable, *(arguments[name] for name in ("survey", "method", "fallback", "health"))]
            hostvars = _given(task_vars["hostvars"], hosts, {*filter(None, names), *arguments["uses"]})
            self._check_health(arguments["health"], hostvars, task_vars)
            domains = read_domains(variable, {host: hostvars[host].get(variable or "") for host in hosts})
            terms = Terms(
                policy,
                domains,
                int(task_vars["ansible_forks"]),
                datetime.now(timezone.utc),
                firmware_allowed={host for host in hosts if self._may_fall_back(host, arguments, hostvars, task_vars)},
            )
            store = None
            if rollout is not None and not self._task.check_mode:
                store = Store(Database(arguments["store"] or default_store()))
                terms = look(store, rollout, hosts).added_to(terms)
            surveys = {host: hostvars[host].get(arguments["survey"]) or {} for host in hosts}
            plan = make_plan(surveys, task_vars.get("ansible_limit") or "all", terms)
            if store is not None and plan.stopped is None:
                entries = entries_of(plan, domains)
                forget_others, launch = arguments["forget_others"], arguments["launch"]
                open_rollout(store, rollout, policy_as_text(inputs), entries, forget_others, launch)
            Display().display(plan_text(plan, terminal_width()))
        except (BadCheck, BadInput, FileError, PolicyError, StoreError, TableError) as error:
            raise AnsibleActionFail(str(error))
        uses = used(arguments["uses"], [task_vars, *(hostvars[host] for host in hosts)])
        return {"changed": False, "rollout": rollout, "uses": uses, **plan.as_result()}

    def _looks(self, task_vars: dict[str, Any]) -> tuple[Look, Look]:
        """For :func:`check_inputs`.

        hostvars knows nothing of the play's variables and the role's defaults, to which an input may refer. This task
        sees those of its own host, which are others' as well.
        """
        own, hostvars = task_vars["inventory_hostname"], task_vars["hostvars"]

        # Each look into hostvars gathers all variables of a host; to keep those of all hosts takes too much memory.
        @lru_cache(maxsize=1)
        def given(host: str) -> Mapping[str, Any]:
            variables: Mapping[str, Any] = hostvars[host]
            return variables

        @lru_cache(maxsize=1)
        def seen_by(host: str) -> dict[str, Any]:
            return task_vars if host == own else {**task_vars, **hostvars.raw_get(host)}

        def in_full(host: str, name: str) -> Any:
            variables = seen_by(host)
            templar = self._templar.copy_with_new_env(available_variables=variables)
            # In a dict, an input that is omitted is left out.
            return templar.template({name: variables[name]})[name]

        def value(host: str, name: str) -> Any:
            return in_full(host, name) if host == own else given(host)[name]

        return value, in_full

    def _check_health(self, name: str | None, hostvars: Mapping[str, Any], task_vars: dict[str, Any]) -> None:
        """See that all that will be asked of hosts can be. Raises BadCheck."""
        if name is not None:
            given = (variables.get(name) for variables in hostvars.values())
            for checks in filter(None, (self._templar.template(task_vars.get(name)), *given)):
                read_checks(checks)

    def _may_fall_back(
        self, host: str, arguments: dict[str, Any], hostvars: Mapping[str, Any], task_vars: dict[str, Any]
    ) -> bool:
        own = task_vars["inventory_hostname"]
        values = []
        for name in (arguments["method"], arguments["fallback"]):
            given = {other: hostvars[other][name] for other in (own, host) if name in hostvars[other]}
            values.append(value_for(host, own, self._templar.template(task_vars.get(name)), given))
        return may_fall_back(*values)


def _given(hostvars: Mapping[str, Any], hosts: Iterable[str], names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Of each host's variables those with these names, where it has them."""
    kept = {}
    for host in hosts:
        variables = hostvars[host]
        kept[host] = {name: variables[name] for name in names if name in variables}
    return kept
