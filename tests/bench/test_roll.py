# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a whole roll costs the control node, against a playbook of Ansible's own modules that does the same.

As far as it can: it gathers facts, takes the host out of service, reboots it, waits until it is healthy, and proves its
kernel. Simulated hosts, so that their own work is not counted with the control node's.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_run import Run
from measured import Used
from simfleet import NEWER, SimulatedFleet
from simfleet.fixture import Simulated

pytestmark = pytest.mark.bench

SIZES = [int(size) for size in os.environ.get("FLEETOPS_BENCH_HOSTS", "50 200 1000").split()]
"""So many hosts has the fleet; 1000 take the better part of an hour on two processors."""
AT_A_TIME = 50
MEDIAN_SECONDS = 2.0

MOST_OF_PEER = 0.6
MOST_OF_SMALLEST = 1.15
MEGABYTE = 1e6

DRAIN = {"name": "Drain", "ansible.builtin.command": "touch /run/out-of-service"}


def peer(url: str) -> list[Mapping[str, Any]]:
    """The tasks of the playbook that we are compared with."""
    return [
        {"ansible.builtin.setup": {}},
        DRAIN,
        {"ansible.builtin.reboot": {"reboot_timeout": 600}},
        {"ansible.builtin.uri": {"url": url}, "register": "health", "until": "health is success", "delay": 1},
        {"ansible.builtin.command": "uname -r", "register": "kernel", "changed_when": False},
        {"ansible.builtin.assert": {"that": ["kernel.stdout == '%s'" % NEWER], "quiet": True}},
    ]


@dataclass(frozen=True)
class Cost:
    """Of one roll."""

    name: str
    hosts: int
    seconds: float
    used: Used

    @property
    def cpu_seconds(self) -> float:
        """Of the control node, for one host."""
        return self.used.cpu_seconds / self.hosts

    def row(self) -> str:
        """For the table."""
        values = (self.seconds, self.cpu_seconds, self.used.memory_bytes / MEGABYTE)
        return "%-10s%8d%12.0f%14.3f%14.0f" % (self.name, self.hosts, *values)


TITLES = "%-10s%8s%12s%14s%14s" % ("", "hosts", "seconds", "CPU for each", "MB at most")


class Healthy(BaseHTTPRequestHandler):
    """Always."""

    def log_message(self, *_of_a_request: Any) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        """All is well."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d/" % server.server_port
        server.shutdown()


def cost_of(name: str, fleet: SimulatedFleet, folder: Path, **how: Any) -> tuple[Cost, Run]:
    file = folder / (name + ".used")
    start = time.monotonic()
    run = fleet.playbook("--forks", str(AT_A_TIME), used=file, **how)
    seconds = time.monotonic() - start
    assert run.rc == 0
    assert fleet.reboots() == dict.fromkeys(fleet.hosts, 1)
    assert fleet.most_down() <= AT_A_TIME
    return Cost(name, len(fleet.hosts), seconds, Used.read(file)), run


def peer_roll(fleet: SimulatedFleet, url: str, folder: Path) -> Cost:
    file = folder / "peer.yml"
    play = {"hosts": "fleet", "gather_facts": False, "become": True, "serial": AT_A_TIME, "tasks": peer(url)}
    file.write_text(json.dumps([play]))
    return cost_of("peer", fleet, folder, playbook=str(file))[0]


def our_roll(fleet: SimulatedFleet, url: str, folder: Path) -> Cost:
    hook = folder / "drain.yml"
    hook.write_text(json.dumps([DRAIN]))
    cost, run = cost_of(
        "ours",
        fleet,
        folder,
        fast_reboot_max_unavailable=AT_A_TIME,
        fast_reboot_canaries_per_class=0,
        fast_reboot_before_host=[str(hook)],
        fast_reboot_health=[{"url": url}],
    )
    assert set(run.outcomes().values()) == {"rebooted"}
    return cost


def test_a_roll_costs_less_and_as_little_for_each_host_of_a_large_fleet(
    simulated: Simulated, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    costs: dict[tuple[str, int], Cost] = {}
    with capsys.disabled():
        print("\n\n" + TITLES)
    for size in SIZES:
        for name, roll in (("peer", peer_roll), ("ours", our_roll)):
            fleet = simulated(size, median_seconds=MEDIAN_SECONDS)
            costs[name, size] = roll(fleet, url, tmp_path)
            fleet.close()
            with capsys.disabled():
                print(costs[name, size].row())
    for size in SIZES:
        assert costs["ours", size].cpu_seconds <= MOST_OF_PEER * costs["peer", size].cpu_seconds
        assert costs["ours", size].used.memory_bytes <= costs["peer", size].used.memory_bytes
        assert costs["ours", size].cpu_seconds <= MOST_OF_SMALLEST * costs["ours", SIZES[0]].cpu_seconds
