# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input for kexec_reboot, and what it gets: a clear error, and nothing left behind.

Each row is a task of its own, over OpenSSH's client, on a host of its own. One playbook runs them all, by an action
that looks around in its process before and after (action_plugins/observed_reboot.py).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fleetops.kexec.tests.unit.action.simulated_host import QUESTION, SimulatedHost
from ansible_run import run_playbook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ssh") is None, reason="needs OpenSSH's client (Debian: openssh-client)"),
]

# The beginning of the question which boot this is, as the host hears it.
ASKED = QUESTION.split("'", maxsplit=1)[0]
NO_SPACE = "No space left on device"


@dataclass(frozen=True)
class Row:
    arguments: dict[str, Any]
    sentence: str
    """In the task's message."""
    host: dict[str, Any] = field(default_factory=dict)
    """As in SimulatedHost."""
    variables: dict[str, Any] = field(default_factory=dict)
    """Of the inventory."""
    fires: int = 0
    """How often the host is to be asked for a reboot."""


def refused(sentence: str, **arguments: Any) -> Row:
    """Before anything is asked of the host."""
    return Row(arguments, sentence)


ARGUMENTS = {
    "a text for seconds": refused("cannot be converted to a float", reboot_timeout="soon"),
    "a fraction for whole seconds": refused("cannot be converted to an int", connect_timeout=1.5),
    "a word for a switch": refused("not a valid boolean", require_same_host_key="perhaps"),
    "a mapping for a list": refused("search_paths", search_paths={"a": 1}),
    "a list for a command": refused("test_command takes a text, and not ['a', 'b']", test_command=["a", "b"]),
    "a mapping for a message": refused("msg takes a text, and not {'a': 1}", msg={"a": 1}),
    "a text for a result": refused("resume", resume="yes"),
    "no way to reboot": refused("value of method must be one of", method="magic"),
    "an option that there is not": refused("Unsupported parameters", rebot_timeout=5),
    "a negative delay before": refused("pre_reboot_delay is -1; it must be 0 seconds or more", pre_reboot_delay=-1),
    "a negative delay after": refused("post_reboot_delay is -1; it must be 0 seconds or more", post_reboot_delay=-1),
    "no time": refused("reboot_timeout is 0; it must be more than 0 seconds", reboot_timeout=0),
    "no time to connect": refused("connect_timeout is 0; it must be more than 0 seconds", connect_timeout=0),
    "a busy loop": refused("poll_interval is 0; it must be 0.5 seconds or more", poll_interval=0),
    "for ever": refused("reboot_timeout is inf; it must be a number of seconds", reboot_timeout="inf"),
    "an empty command": refused("reboot_command is empty", reboot_command=" "),
    "two ways at once": refused("leave out method", reboot_command="reboot", method="kexec"),
}

# With a timeout of their own, which is to be put back.
HOSTS = {
    "a test that never succeeds": Row(
        {"test_command": "my-test", "reboot_timeout": 30},
        "the host is back, but test_command did not succeed within 30 s: it ended with 7: not today",
        {"replies": {"my-test": ("not today\n", 7)}},
        fires=1,
    ),
    "a test that never ends": Row(
        {"test_command": "my-test", "reboot_timeout": 30},
        "the host is back, but test_command did not succeed within 30 s: it did not come to its end",
        {"replies": {"my-test": None}},
        fires=1,
    ),
    "no program to reboot with": Row(
        {"method": "kexec"},
        "the host refused to reboot (return code 127): sh: 1: systemctl: not found",
        {"replies": {"systemctl kexec": ("sh: 1: systemctl: not found\n", 127)}},
    ),
    "no root": Row({}, "rebooting needs root on the host; use become: true", {"values": {"fleetops-uid": "1000"}}),
    "no permission": Row(
        {"method": "kexec"},
        "the host refused to reboot (return code 1): Access denied",
        {"replies": {"systemctl kexec": ("Access denied\n", 1)}},
    ),
    "nothing may be run": Row(
        {},
        "the host did not say which boot this is; it was left alone (ops is not in the sudoers file.)",
        {"replies": {ASKED: ("ops is not in the sudoers file.\n", 1)}},
    ),
    "a full disk where an image has to be unloaded": Row(
        {"method": "firmware"},
        "cannot unload the staged image: ",
        {"replies": {"mkdir -p": ("mkdir: cannot create directory: %s\n" % NO_SPACE, 1)}},
    ),
    "a full disk where a program is needed": Row(
        {"method": "kexec_now"},
        "the host refused to reboot (return code 1): ",
        {"replies": {"mkdir -p": ("mkdir: cannot create directory: %s\n" % NO_SPACE, 1)}},
    ),
    "a host that never answers": Row(
        {"reboot_timeout": 4},
        "the host did not answer within 4 s; it was left alone",
        {"replies": {ASKED: None}},
    ),
    "a name that nobody knows": Row({}, "Could not resolve hostname", variables={"ansible_host": "no-host.invalid"}),
    "a name that is none": Row({}, "the host is unreachable", variables={"ansible_host": "web..1"}),
    "a name that is too long": Row({}, "the host is unreachable", variables={"ansible_host": "w" * 300}),
    "a closed port": Row({}, "Connection refused", variables={"ansible_port": 1}),
}

ROWS = {**ARGUMENTS, **HOSTS}
CHECKED = "%s, in check mode"


def plays():
    for name, row in ROWS.items():
        task = {"observed_reboot": row.arguments, "ignore_errors": True, "ignore_unreachable": True}
        if "connect_timeout" not in row.arguments:
            task["observed_reboot"] = {"connect_timeout": 7, **row.arguments}
        for check_mode in (False, True) if name in ARGUMENTS else (False,):
            title = CHECKED % name if check_mode else name
            yield {
                "hosts": name.replace(" ", "-"),
                "gather_facts": False,
                "tasks": [{"name": title, "check_mode": check_mode, **task}],
            }


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Each row's task, and its host."""
    folder = tmp_path_factory.mktemp("bad")
    hosts = {name: SimulatedHost(**row.host) for name, row in ROWS.items()}
    (folder / "play.yml").write_text(json.dumps(list(plays())))
    inventory = {
        name.replace(" ", "-"): {
            "ansible_host": "127.0.0.1",
            "ansible_port": host.port,
            "ansible_user": "root",
            "ansible_ssh_args": "-F none -o ControlMaster=no",
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "ansible_python_interpreter": "/usr/bin/python3",
            **ROWS[name].variables,
        }
        for name, host in hosts.items()
    }
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": inventory}}))
    environment = {
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_HOST_KEY_CHECKING": "0",
        "ANSIBLE_ACTION_PLUGINS": str(Path(__file__).parent / "action_plugins"),
    }
    run = run_playbook(folder / "inventory.json", str(folder / "play.yml"), (), {}, folder / "tasks.jsonl", environment)
    yield {task.task: task for task in run.tasks}, hosts
    for host in hosts.values():
        host.close()


@pytest.mark.parametrize("name", [*ROWS, *(CHECKED % name for name in ARGUMENTS)])
def test_bad_input_gets_a_clear_error_and_leaves_nothing_behind(ran, name):
    tasks, hosts = ran
    row, host = ROWS[name.partition(", in check")[0]], hosts[name.partition(", in check")[0]]
    result = tasks[name].result
    assert row.sentence in result["msg"]
    assert "Traceback" not in json.dumps(result)
    assert (tasks[name].status, result.get("changed", False)) == ("ignored", row.fires > 0)
    assert host.fired == row.fires
    if row in ARGUMENTS.values():
        assert host.commands == []
    left = result["left"]
    assert (left["options"], left["threads"], left["processes"]) == ([], [], [])


def test_every_row_was_run_in_a_process_that_was_looked_at(ran):
    tasks, _hosts = ran
    assert len(tasks) == len(ROWS) + len(ARGUMENTS)
    assert len({task.result["left"]["of"] for task in tasks.values()}) == len(tasks)
