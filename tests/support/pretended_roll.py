# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A roll without hosts: the callback as it is, a playbook of this collection's actions, and actions that only pretend.

What each of them returns is recorded from real ones, shortened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
NEW = "6.1.0-56-amd64"

_ACTIONS = (
    *("kexec_info", "rollout_plan", "rollout_slot", "kexec_load"),
    *("kexec_reboot", "kexec_commit", "rollout_report"),
)

_ACTION = """
import json, time
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        action = self._task.action.rpartition(".")[2]
        told = json.load(open(task_vars["told"]))
        time.sleep(told["seconds"].get(action, 0))
        state = self._task.args.get("state", "")
        results = told["results"].get(action + (":" + state if state else ""), {})
        return results.get(task_vars["inventory_hostname"], results.get("*", {}))
"""

_PLAYS: list[dict[str, Any]] = [
    {
        "name": "Survey",
        "hosts": "all",
        "tasks": [
            {"name": "Look", "fleetops.kexec.kexec_info": {}, "ignore_errors": True},
            {"name": "Plan", "fleetops.kexec.rollout_plan": {}, "run_once": True, "register": "planned"},
        ],
    },
    {
        "name": "Roll",
        "hosts": "all",
        "strategy": "host_pinned",
        "tasks": [
            {"name": "Wait", "fleetops.kexec.rollout_slot": {"state": "acquired", "rollout": "test"}},
            {
                "block": [
                    {"name": "Stage", "fleetops.kexec.kexec_load": {}},
                    {"name": "Reboot", "fleetops.kexec.kexec_reboot": {}},
                    {"name": "Accept", "fleetops.kexec.kexec_commit": {}},
                ],
                "rescue": [{"name": "Leave nothing", "fleetops.kexec.kexec_load": {"state": "unloaded"}}],
            },
            {"name": "Let go", "fleetops.kexec.rollout_slot": {"state": "released", "rollout": "test"}},
        ],
    },
    {
        "name": "Report",
        "hosts": "all",
        "tasks": [{"name": "Sum up", "fleetops.kexec.rollout_report": {}, "run_once": True}],
    },
]


def reboot(**values: Any) -> dict[str, Any]:
    """The result of kexec_reboot for a host that came back as it should."""
    return {
        "changed": True,
        "rebooted": True,
        "asked": {"method": "kexec", "token": "T", "release": NEW, "not_kexec": None},
        "method": "kexec",
        "fell_back": False,
        "rolled_back": False,
        "lost": False,
        "release": {"before": "6.1.0-55-amd64", "after": NEW},
        "timeline": {"requested": 0.1, "down": 1.0, "answering": 5.0, "ready": 5.4},
        "down_seconds": 4.4,
        **values,
    }


def plan(hosts: Sequence[str], seconds: float = 60.0, left_out: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The result of rollout_plan."""
    return {
        "order": list(hosts),
        "planned": {host: {"name": host, "seconds": seconds} for host in hosts},
        "left_out": {host: {"name": name, "reason": ""} for host, name in (left_out or {}).items()},
        "stopped": None,
        "outlook": {"seconds": seconds * len(hosts), "fits": True, "notes": [], "obstacle": None},
    }


def pretended(
    folder: Path,
    hosts: Sequence[str],
    results: Mapping[str, Mapping[str, Any]] | None = None,
    seconds: Mapping[str, float] | None = None,
    plays: Sequence[Mapping[str, Any]] = (),
) -> tuple[list[str], dict[str, str]]:
    """The command and the environment of such a roll.

    :param results: of each action, by host, ``*`` for all others. :param seconds: that each action takes.
    :param plays: that come after those of the roll.
    """
    collection = folder / "collections/ansible_collections/fleetops/kexec"
    (collection / "plugins/action").mkdir(parents=True)
    for part in ("callback", "plugin_utils", "modules", "doc_fragments", "module_utils"):
        (collection / "plugins" / part).symlink_to(CHECKOUT / "plugins" / part)
    for action in _ACTIONS:
        (collection / "plugins/action" / (action + ".py")).write_text(_ACTION)
    told = folder / "told.json"
    all_results: dict[str, Mapping[str, Any]] = {
        "rollout_plan": {"*": plan(hosts)},
        "rollout_slot:acquired": {"*": {"admitted": True, "answer": "admitted", "reason": "1 of 1 host"}},
        "rollout_slot:released": {"*": {"outcome": "rebooted", "reason": ""}},
        "kexec_reboot": {"*": reboot()},
        "rollout_report": {"*": {"msg": "done", "hosts": {}, "not_good": {}}},
        **(results or {}),
    }
    told.write_text(json.dumps({"results": all_results, "seconds": dict(seconds or {})}))
    inventory, playbook = folder / "inventory", folder / "play.yml"
    variables = {"ansible_connection": "local", "ansible_python_interpreter": "python3", "told": str(told)}
    # A program, because a file would not have every name.
    groups = {"all": {"hosts": list(hosts), "vars": variables}, "_meta": {"hostvars": {}}}
    inventory.write_text("#!/usr/bin/env python3\nprint(%r)\n" % json.dumps(groups))
    inventory.chmod(0o700)
    shared = {"gather_facts": False}
    playbook.write_text(json.dumps([{**shared, **play} for play in [*_PLAYS, *plays]]))
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_STDOUT_CALLBACK": "fleetops.kexec.rollout",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "TERM": "xterm-256color",
    }
    return ["ansible-playbook", "-i", str(inventory), str(playbook)], environment
