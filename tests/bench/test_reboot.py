# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One reboot after the other on the same machine, by ansible.builtin.reboot and by this collection.

Each is watched from outside in the same way: down is how long no SSH server answers, because a login, under emulation,
costs the machine seconds of its own.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pytest
from driver import Fleet
from one_machine import HOST, Site, one_machine
from table import in_columns
from vmlab.access import banner
from vmlab.machine import Machine

pytestmark = pytest.mark.bench

ROUNDS = 3
LOOK_SECONDS = 0.25

STAGE = {"name": "Stage", "fleetops.kexec.kexec_load": {}}
WAYS: dict[str, list[dict[str, Any]]] = {
    "ansible.builtin.reboot": [{"name": "Reboot", "ansible.builtin.reboot": {}}],
    "kexec_load, kexec_reboot": [STAGE, {"name": "Reboot", "fleetops.kexec.kexec_reboot": {"method": "kexec"}}],
    "kexec_load, ansible.builtin.reboot": [
        STAGE,
        {"name": "Reboot", "ansible.builtin.reboot": {"reboot_command": "systemctl kexec"}},
    ],
}
PEER, OURS, PEER_BY_KEXEC = WAYS


class Measured(NamedTuple):
    """Of one reboot, in seconds."""

    staging: float
    """Of kexec_load; 0 where nothing was staged."""
    task: float
    """Of the task that reboots."""
    down: float
    noticed: float
    """From the first answer to the end of the task: a login, and what the task waits for."""
    cpu: float
    """Of the controller, the whole ansible-playbook."""
    floor: float
    """What shutdown, kernel and user space took by the machine's own clocks and console; 0 through the firmware."""

    @property
    def against_floor(self) -> float:
        return self.down / self.floor if self.floor else 0.0


class Watcher(threading.Thread):
    """Notes when a machine's SSH server stops answering, and when one answers again."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(daemon=True)
        self._port = machine.port
        self.down = self.answering = 0.0
        self.start()

    def run(self) -> None:
        while banner(self._port):
            time.sleep(LOOK_SECONDS)
        self.down = time.time()
        while not banner(self._port):
            time.sleep(LOOK_SECONDS)
        self.answering = time.time()


class Console(threading.Thread):
    """Reads a machine's console during a kexec.

    Between the last word of the old kernel and the start of the new one's clock the image is checked and unpacked, by
    no clock of the machine.
    """

    STAMP = re.compile(r"\[ *([0-9]+\.[0-9]+)\] ")

    def __init__(self, machine: Machine) -> None:
        super().__init__(daemon=True)
        self._stream = machine.console_log.open(errors="replace")
        self._stream.seek(0, 2)
        self._ended = threading.Event()
        self._left = 0.0
        self._zero = float("inf")
        self.jumped = 0.0
        """By the old kernel's clock."""
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            text = self._stream.read()
            for line in text.splitlines():
                self._read(line, time.time())

    def _read(self, line: str, now: float) -> None:
        stamp = self.STAMP.match(line)
        if stamp is not None and "Starting new kernel" in line:
            self._left, self.jumped = now, float(stamp[1])
        elif stamp is not None and self._left:
            # What the new kernel says before it has a console comes late.
            self._zero = min(self._zero, now - float(stamp[1]))

    def end(self) -> None:
        self._ended.set()
        self.join()
        self._stream.close()

    @property
    def between(self) -> float:
        """Seconds from one kernel to the other."""
        return self._zero - self._left


def as_the_machine_says(fleet: Fleet, console: Console) -> float:
    """From the end of the old SSH server to the start of the new one."""
    stopped = fleet.ssh(
        HOST,
        "journalctl -b -1 -u ssh.service -o json --output-fields=MESSAGE | grep 'Stopped ssh' "
        '| sed \'s/.*"__MONOTONIC_TIMESTAMP":"\\([0-9]*\\)".*/\\1/\' | tail -n 1',
    )
    started = fleet.ssh(HOST, "systemctl show -P ActiveEnterTimestampMonotonic ssh.service")
    return console.jumped - int(stopped) / 1e6 + console.between + int(started) / 1e6


def measure(fleet: Fleet, folder: Path, way: str) -> Measured:
    play = folder / "play.yml"
    ping = {"name": "Begin", "ansible.builtin.ping": {}}
    play.write_text(json.dumps([{"hosts": HOST, "gather_facts": False, "tasks": [ping, *WAYS[way]]}]))
    watcher, console = Watcher(fleet.machine(HOST)), Console(fleet.machine(HOST))
    run = fleet.playbook(playbook=str(play))
    assert run.rc == 0
    watcher.join(60)
    console.end()
    assert watcher.answering > watcher.down > 0
    begun, fired, ended = (task.ended for task in (run.tasks[0], run.tasks[-2], run.tasks[-1]))
    return Measured(
        staging=fired - begun,
        task=ended - fired,
        down=watcher.answering - watcher.down,
        noticed=ended - watcher.answering,
        cpu=run.cpu_seconds,
        floor=0.0 if way == PEER else as_the_machine_says(fleet, console),
    )


@pytest.fixture(scope="module", params=[0, 30, 60], ids="firmware-{}".format)
def measured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, dict[str, list[Measured]]]]:
    folder = tmp_path_factory.mktemp("reboots")
    with one_machine("bench", folder, post_seconds=request.param) as fleet:
        Site(fleet, *fleet.kernels(HOST)).keep_journal()
        results: dict[str, list[Measured]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, found in results.items():
                found.append(measure(fleet, folder, way))
        print("\n" + "\n".join(table(request.param, results)))
        yield request.param, results


def of(found: list[Measured], name: str) -> float:
    """The median of one figure."""
    return float(median(getattr(one, name) for one in found))


def table(firmware: int, results: dict[str, list[Measured]]) -> list[str]:
    """The medians, in seconds but for the last column."""
    columns = ("staging", "task", "down", "noticed", "cpu", "floor", "against_floor")
    rows = [["%d s of firmware" % firmware, *columns]]
    rows += [[way, *("%.2f" % of(found, name) for name in columns)] for way, found in results.items()]
    return in_columns(rows)


def test_it_is_faster_than_the_firmware(measured: tuple[int, dict[str, list[Measured]]]) -> None:
    firmware, results = measured
    limit = 0.45 if firmware == 60 else 1.0
    assert of(results[OURS], "task") <= limit * of(results[PEER], "task")


def test_it_ends_sooner_than_the_same_kexec(measured: tuple[int, dict[str, list[Measured]]]) -> None:
    _firmware, results = measured
    assert of(results[OURS], "task") <= 0.85 * of(results[PEER_BY_KEXEC], "task")
    assert of(results[OURS], "down") <= of(results[PEER_BY_KEXEC], "down")


def test_it_costs_the_controller_no_more(measured: tuple[int, dict[str, list[Measured]]]) -> None:
    _firmware, results = measured
    assert of(results[OURS], "cpu") <= of(results[PEER_BY_KEXEC], "cpu")


def test_the_host_is_down_no_longer_than_it_must(measured: tuple[int, dict[str, list[Measured]]]) -> None:
    _firmware, results = measured
    assert of(results[OURS], "against_floor") <= 1.1
