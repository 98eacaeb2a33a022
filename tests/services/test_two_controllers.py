# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers, each with the workers that ansible-playbook would fork, on one rollout in a real PostgreSQL.

Limits are judged by a log of the hosts' own: one is down from the line that it writes when it has its slot to the line
that it writes before it gives the slot back.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path

import postgresql
import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import MonotonicClock
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import Database
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import holder_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.opening import Entry, look, open_rollout
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import Admit
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import policy_as_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import PENDING, Candidate
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.waiting import Waiting

pytestmark = pytest.mark.services

FORK = multiprocessing.get_context("fork")
WORKERS = 8
RACKS = 5
MOST_DOWN, MOST_OF_A_RACK, MOST_RACKS = 6, 2, 4
MOST_SECONDS = 240
POLICY = {
    "max_unavailable": MOST_DOWN,
    "failure_domain": "rack",
    "max_unavailable_per_domain": MOST_OF_A_RACK,
    "max_domains": MOST_RACKS,
    "canaries_per_class": 1,
}


def name_of(number: int) -> str:
    return "host%02d" % number


def rack_of(name: str) -> str:
    return "r%d" % (int(name[4:]) % RACKS)


@dataclass
class Controller:
    """What a run of ansible-playbook has in common with its workers."""

    url: str
    log: Path
    down_seconds: float
    process: int

    def work(self, hosts: list[str]) -> None:
        """One worker's hosts, one after the other."""
        holder, clock = holder_of(self.process), MonotonicClock()
        waiting = Waiting(
            clock=clock,
            poll_seconds=0.1,
            patience_seconds=MOST_SECONDS,
            forks=WORKERS,
            is_orphan=lambda: os.getppid() != self.process,
            say=lambda _line: None,
        )
        store = Store(Database(self.url))
        for host in hosts:
            if isinstance(waiting.for_slot(store, "roll", host, holder), Admit):
                self._write("+%s" % host)
                time.sleep(self.down_seconds * random.uniform(0.5, 1.5))
                self._write("-%s" % host)
                waiting.for_store(lambda host=host: store.release("roll", host, holder, "rebooted"))  # type: ignore[misc]
        store.database.close()

    def _write(self, line: str) -> None:
        with self.log.open("a") as stream:
            stream.write("%s %d\n" % (line, self.process))


def control(url: str, log: Path, hosts: list[str], down_seconds: float) -> None:
    """A controller, in a process of its own."""
    controller = Controller(url, log, down_seconds, os.getpid())
    workers = [FORK.Process(target=controller.work, args=(hosts[number::WORKERS],)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * WORKERS


@pytest.fixture
def server() -> Iterator[postgresql.Server]:
    binaries = postgresql.programs()
    assert binaries is not None, postgresql.MISSING
    with postgresql.server(binaries) as started:
        yield started


Start = Callable[[int, float], list[ForkProcess]]


@pytest.fixture
def start(server: postgresql.Server, tmp_path: Path) -> Iterator[Start]:
    """Two controllers set out on so many hosts, one of them from the end."""
    controllers: list[ForkProcess] = []

    def begin(number: int, down_seconds: float) -> list[ForkProcess]:
        (tmp_path / "log").touch()
        hosts = [name_of(host) for host in range(number)]
        store = Store(Database(server.url()))
        look(store, "roll", [])
        entries = [Entry(Candidate(host, rack_of(host), "x"), PENDING, None, "", None) for host in hosts]
        open_rollout(store, "roll", policy_as_text(POLICY), entries)
        store.database.close()
        for share in (hosts, hosts[::-1]):
            arguments = (server.url(), tmp_path / "log", share, down_seconds)
            controllers.append(FORK.Process(target=control, args=arguments))
        for controller in controllers:
            controller.start()
        return controllers

    yield begin
    for controller in controllers:
        controller.kill()
        controller.join()


def lines(folder: Path, sign: str = "") -> list[str]:
    return [line for line in (folder / "log").read_text().splitlines() if line.startswith(sign)]


def check_limits(folder: Path, number: int) -> int:
    """By the log: each host went down once, and never too many at once; returns the most that did."""
    down: list[str] = []
    most = 0
    for line in lines(folder):
        host = line[1:].split()[0]
        if line[0] == "-":
            down.remove(host)
            continue
        down.append(host)
        most = max(most, len(down))
        racks = Counter(map(rack_of, down))
        assert len(down) <= MOST_DOWN, "too many down: %s" % down
        assert max(racks.values()) <= MOST_OF_A_RACK, "too many of a rack down: %s" % down
        assert len(racks) <= MOST_RACKS, "too many racks touched: %s" % down
    assert down == []
    assert sorted(line[1:].split()[0] for line in lines(folder, "+")) == [name_of(host) for host in range(number)]
    return most


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.05)


def end(controllers: list[ForkProcess]) -> None:
    for controller in controllers:
        controller.join(MOST_SECONDS)
    assert [controller.exitcode for controller in controllers] == [0, 0]


def test_two_controllers_keep_every_limit_together(start: Start, tmp_path: Path) -> None:
    controllers = start(60, 0.2)
    end(controllers)
    assert check_limits(tmp_path, 60) > MOST_OF_A_RACK, "too little happened at once to tell anything"
    taken = Counter(line.split()[1] for line in lines(tmp_path, "+"))
    assert len(taken) == 2, "both controllers took part"


def test_while_the_server_is_away_hosts_finish_and_none_goes_down(
    start: Start, server: postgresql.Server, tmp_path: Path
) -> None:
    controllers = start(40, 1.0)
    wait_for(lambda: len(lines(tmp_path, "-")) >= 8)
    server.stop()
    # Answers that were under way are told, and then all that are down come up again.
    time.sleep(2)
    wait_for(lambda: sum({"+": 1, "-": -1}[line[0]] for line in lines(tmp_path)) == 0)
    finished = lines(tmp_path)
    assert len(finished) < 80, "there must be something left to do"
    time.sleep(5)
    assert lines(tmp_path) == finished, "nothing goes down while the server is away"
    assert all(controller.is_alive() for controller in controllers)
    server.start()
    end(controllers)
    check_limits(tmp_path, 40)
