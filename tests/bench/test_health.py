# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What five checks cost the control node, against one ansible.builtin.uri, and how soon a check is seen to turn true.

A simulated host, so that its own work is not counted with the control node's. What is compared is ansible-playbook with
many such tasks, and what a run with one of them less many takes is left out as the start.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from ansible_run import Run
from simfleet import SimulatedFleet
from simfleet.fixture import Simulated

pytestmark = pytest.mark.bench

TASKS = 20
ROUNDS = 3
MOST = 1.5
"""Of what one ansible.builtin.uri costs, await_health with five checks may cost."""

MOST_SECONDS = 1.0
MOMENTS = 12
"""At which a check turns true."""

URI = "ansible.builtin.uri"
FROM_CONTROLLER = "await_health, the URL from the controller"
FROM_HOST = "await_health, the URL from the host"


def delay_of(number: int) -> float:
    """Seconds from the first look to the moment: never at the same place between two looks."""
    return 1.5 + 0.19 * number


class Health(BaseHTTPRequestHandler):
    """Red at first, and green from a moment on that is counted from the first request for its path."""

    green_at: dict[str, float] = {"/": 0.0}

    def log_message(self, *_of_a_request: Any) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        """The state of this moment."""
        if self.path not in self.green_at:
            self.green_at[self.path] = time.time() + delay_of(int(self.path[1:]))
        content = json.dumps({"status": "green" if time.time() >= self.green_at[self.path] else "red"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d/" % server.server_port
        server.shutdown()


def played(fleet: SimulatedFleet, folder: Path, tasks: Sequence[Mapping[str, Any]]) -> Run:
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "fleet", "gather_facts": False, "tasks": list(tasks)}]))
    run = fleet.playbook(playbook=str(path))
    assert [task.status for task in run.tasks] == ["ok"] * len(tasks)
    return run


def five(url: str, port: int, where: str) -> Mapping[str, Any]:
    """All kinds of checks, which hold at once."""
    checks = [
        {"url": url, "from": where, "expect": "status == 'green'"},
        {"port": port},
        {"command": ["test", "-d", "/root"]},
        {"unit": "nginx.service"},
        {"no_new_failed_units": True},
    ]
    return {"fleetops.kexec.await_health": {"checks": checks}}


def test_five_checks_cost_little_more_than_one_request(
    simulated: Simulated, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = simulated(1)
    kinds = {
        URI: {URI: {"url": url, "return_content": True}},
        FROM_CONTROLLER: five(url, fleet.port, "controller"),
        FROM_HOST: five(url, fleet.port, "host"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _round in range(ROUNDS):
        for name, task in kinds.items():
            start = played(fleet, tmp_path, [task]).cpu_seconds
            seconds[name].append((played(fleet, tmp_path, [task] * (TASKS + 1)).cpu_seconds - start) / TASKS)
    peer = median(seconds[URI])
    with capsys.disabled():
        print("\n\n%-45s%10s%10s%10s%10s" % ("CPU seconds of the control node", "least", "median", "most", "of uri"))
        for name, values in seconds.items():
            row = (min(values), median(values), max(values), median(values) / peer)
            print("%-45s" % name + "".join("%10.3f" % value for value in row))
    for name in (FROM_CONTROLLER, FROM_HOST):
        assert median(seconds[name]) <= MOST * peer


def told(capsys: pytest.CaptureFixture[str], kind: str, delays: list[float]) -> None:
    with capsys.disabled():
        print("\n%-25s noticed after %.2f s in the median, %.2f s at most" % (kind, median(delays), max(delays)))


@pytest.mark.parametrize("where", ["controller", "host"])
def test_a_server_that_becomes_healthy_is_noticed_within_a_second(
    simulated: Simulated, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    Health.green_at = {}
    checks = [
        {"url": "%s%d" % (url, number), "from": where, "expect": "status == 'green'"} for number in range(MOMENTS)
    ]
    tasks = [{"fleetops.kexec.await_health": {"checks": [check]}} for check in checks]
    run = played(simulated(1), tmp_path, tasks)
    delays = [task.ended - Health.green_at["/%d" % number] for number, task in enumerate(run.tasks)]
    told(capsys, "URL from the " + where, delays)
    assert max(delays) <= MOST_SECONDS


def test_a_command_that_succeeds_is_noticed_within_a_second(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = simulated(1)
    folder = fleet.root("sim001") / "root"
    moments: list[float] = []

    def turn() -> None:
        for number in range(MOMENTS):
            while not (folder / ("asked%d" % number)).exists():
                time.sleep(0.01)
            time.sleep(delay_of(number))
            moments.append(time.time())
            (folder / ("green%d" % number)).touch()

    threading.Thread(target=turn, daemon=True).start()
    command = "touch /root/asked%d; test -e /root/green%d"
    words = [["sh", "-c", command % (number, number)] for number in range(MOMENTS)]
    run = played(fleet, tmp_path, [{"fleetops.kexec.await_health": {"checks": [{"command": word}]}} for word in words])
    delays = [task.ended - moment for task, moment in zip(run.tasks, moments, strict=True)]
    told(capsys, "command", delays)
    assert max(delays) <= MOST_SECONDS
