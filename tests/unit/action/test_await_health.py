# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task as Ansible runs it: its documentation, what it shows, and hosts that nobody reaches."""

from __future__ import annotations

import json
import socket
import sys

import pytest
import yaml
from ansible_collections.fleetops.kexec.plugins.modules.await_health import DOCUMENTATION
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.reading import CHECK_SPEC
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.health.web_servers import Server
from ansible_run import run_playbook

OPTIONS = yaml.safe_load(DOCUMENTATION)["options"]


def in_short(options):
    return {name: (option["type"], option.get("default"), option.get("choices")) for name, option in options.items()}


def test_the_documentation_says_what_is_read():
    assert in_short(OPTIONS["checks"]["suboptions"]) == in_short(CHECK_SPEC)


@pytest.fixture
def server():
    started = Server()
    yield started
    started.stop()


def run(folder, tasks, *arguments, **variables):
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
    (folder / "play.yml").write_text(json.dumps([play]))
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": {"web1": {**local, **variables}}}}))
    environment = {"ANSIBLE_HOME": str(folder / "home"), "no_proxy": "127.0.0.1"}
    return run_playbook(
        folder / "inventory.json", str(folder / "play.yml"), arguments, {}, folder / "tasks.jsonl", environment
    )


def awaiting(checks, **more):
    return {"fleetops.kexec.await_health": {"checks": checks, **more}}


@pytest.mark.slow
def test_all_kinds_of_asking_work_and_show_no_secret(server, tmp_path):
    secret = {"X-Key": "hunter2hunter2"}
    url = server.base.replace("//", "//me:hunter2hunter2@") + "/echo?token=hunter2hunter2"
    checks = [
        {"url": url, "headers": secret, "expect": "headers.Authorization && method == 'GET'"},
        {"url": url, "headers": secret, "from": "host", "expect": "headers.\"X-Key\" == 'hunter2hunter2'"},
        {"port": server.server_port, "host": "127.0.0.1"},
        {"port": server.server_port, "host": "127.0.0.1", "from": "host"},
        {"command": ["sh", "-c", "echo $HOME; exit 7"], "rc": 7},
    ]
    holds = awaiting(checks, timeout=300, consecutive=2)
    fails = awaiting([checks[0], {"url": url, "headers": secret, "expect": "method == 'PUT'"}], timeout=5)
    refused = awaiting([{"url": url, "headers": secret, "expect": "a = b"}])
    done = run(tmp_path, [{**task, "ignore_errors": True} for task in (holds, fails, refused)], "-vvv")
    assert done.rc == 0, done.output
    first, second, third = (task.result for task in done.tasks)
    assert (first["msg"], first["looks"]) == ("all checks hold", 2)
    assert second["msg"].startswith("not healthy within 5 s: url %s/echo?…: expect" % server.base)
    assert third["msg"] == "check 1 of 1: expect is no JMESPath expression: Unknown token '=', at column 3: = b"
    assert sum(headers.get("X-Key") == "hunter2hunter2" for _m, _p, headers, _c in server.requests) >= 4
    assert "hunter2" not in done.output
    assert "bWU6aHVudGVyMg" not in done.output, "the user and password as the header has them"


NOBODY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_ssh_args": "-F none"}


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.slow
def test_check_mode_refuses_bad_checks_and_connects_to_nobody(tmp_path, closed_port):
    good = {**awaiting([{"unit": "nginx"}, {"port": 443}]), "check_mode": True, "run_once": True}
    bad = {**good, **awaiting([{"unit": "nginx"}, {"url": "http://web1/", "expect": "lenght(a)"}])}
    done = run(tmp_path, [good, {**bad, "ignore_errors": True}], **NOBODY, ansible_port=closed_port)
    assert [task.status for task in done.tasks] == ["ok", "ignored"], done.output
    assert done.tasks[0].result["msg"] == "2 checks can be asked; none was"
    assert "there is no function lenght(), at column 1: lenght(a)" in done.tasks[1].result["msg"]


@pytest.mark.slow
def test_an_unreachable_host_is_not_healthy_and_not_lost_to_the_play(tmp_path, closed_port):
    checks = [{"command": "true"}, {"port": closed_port}, {"url": "http://localhost/", "from": "host"}]
    tasks = [{**awaiting(checks, timeout=4), "ignore_errors": True}, {"ansible.builtin.meta": "noop"}]
    done = run(tmp_path, tasks, **NOBODY, ansible_port=closed_port)
    assert done.rc == 0, done.output
    (task,) = done.tasks
    assert task.status == "ignored"
    assert "not healthy within 4 s: command true: the host is unreachable" in task.result["msg"]
    assert [check["why"] for check in task.result["checks"][1:]] == [
        "Connection refused",
        "it was not asked, because others do not hold",
    ]
