# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import MonotonicClock
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import (
    Database,
    StoreError,
    default_store,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import holder_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import OUTCOMES, outcome_of_turn
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store, utc_now
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.strategy import deadlock
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.waiting import Waiting, as_result, first_pause

ARGUMENT_SPEC = {
    "state": {"type": "str", "required": True, "choices": ["acquired", "released"]},
    "rollout": {"type": "str", "required": True},
    "store": {"type": "str", "no_log": True},
    "plan": {"type": "str"},
    "outcome": {"type": "str", "choices": list(OUTCOMES)},
    "reason": {"type": "str", "default": ""},
    "results": {"type": "dict"},
    "poll_seconds": {"type": "float", "default": 1.0},
    "patience_seconds": {"type": "float", "default": 600.0},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = validated(ARGUMENT_SPEC, self._task.args)
        releases = arguments["state"] == "released"
        given = [name for name in ("outcome", "results") if arguments[name] is not None]
        if len(given) != releases:
            raise AnsibleActionFail("state released takes either outcome or results, and state acquired neither")
        if "results" in given:
            turn = outcome_of_turn(arguments["results"])
            arguments.update(outcome=turn.name, reason=turn.reason)
        if arguments["poll_seconds"] <= 0:
            raise AnsibleActionFail("poll_seconds is %g; it must be more than 0" % arguments["poll_seconds"])
        host, forks = task_vars["inventory_hostname"], int(task_vars["ansible_forks"])
        # Not by a template: what that would make of a plan grows with the fleet.
        planned = None
        if arguments["plan"]:
            if arguments["plan"] not in task_vars:
                raise AnsibleActionFail("plan is %r, and there is no such variable" % arguments["plan"])
            planned = task_vars[arguments["plan"]]["planned"].get(host)
        if self._task.check_mode:
            return _released(False, arguments) if releases else as_result(None, 0.0, utc_now(), planned)
        controller = os.getppid()
        holder = holder_of(controller)
        waiting = Waiting(
            clock=MonotonicClock(),
            poll_seconds=arguments["poll_seconds"],
            patience_seconds=arguments["patience_seconds"],
            forks=forks,
            is_orphan=lambda: os.getppid() != controller,
            say=lambda line: Display().vv(line, host=host),
        )
        rollout, start = arguments["rollout"], time.monotonic()
        try:
            store = Store(Database(arguments["store"] or default_store()))
            if releases:
                outcome, reason = arguments["outcome"], arguments["reason"]
                changed = waiting.for_store(lambda: store.release(rollout, host, holder, outcome, reason))
                return _released(changed, arguments)
            batch = task_vars["ansible_play_batch"]
            refusal = deadlock(
                self._task.get_play().strategy,
                forks,
                len(batch),
                lambda: waiting.for_store(lambda: store.crowd(rollout, batch)),
            )
            if refusal is not None:
                raise AnsibleActionFail(refusal)
            waiting.clock.sleep(first_pause(batch.index(host), forks))
            answer = waiting.for_slot(store, rollout, host, holder)
            return as_result(answer, time.monotonic() - start, utc_now(), planned)
        except StoreError as error:
            raise AnsibleActionFail(str(error))


def _released(changed: bool, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "changed": changed,
        "outcome": arguments["outcome"],
        "reason": arguments["reason"],
        "at": utc_now().isoformat(),
    }
