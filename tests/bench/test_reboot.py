# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One reboot after the other on the same machine, by ansible.builtin.reboot and by this collection.

Each reboot is watched from outside: down is the first look at which no SSH server answers, ready the first login that
sees another boot. The watching costs the machine the same in every row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pytest
from driver import Fleet, Observer
from vmlab import Lab
from vmlab.fleet import default_cache

pytestmark = pytest.mark.bench

HOST = "lab1"
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

    task: float
    """From the end of the task before to the end of the last one."""
    down: float
    noticed: float
    """From ready to the end of the last task."""
    cpu: float
    """Of the controller, the whole ansible-playbook."""
    floor: float | None
    """What the machine itself says that shutdown, kernel and user space took; None through the firmware."""


def as_the_machine_says(fleet: Fleet) -> float:
    """From the end of the old SSH server to the start of the new one, less what no clock of the machine sees."""
    stopped = fleet.ssh(
        HOST,
        "journalctl -b -1 -u ssh.service -o json --output-fields=MESSAGE | grep 'Stopped ssh' "
        '| sed \'s/.*"__MONOTONIC_TIMESTAMP":"\\([0-9]*\\)".*/\\1/\' | tail -n 1',
    )
    started = fleet.ssh(HOST, "systemctl show -P ActiveEnterTimestampMonotonic ssh.service")
    console = fleet.machine(HOST).console_log.read_text(errors="replace")
    jumped = re.findall(r"\[ *([0-9.]+)\] kexec_core: Starting new kernel", console)[-1]
    return float(jumped) - int(stopped) / 1e6 + int(started) / 1e6


def measure(fleet: Fleet, folder: Path, way: str) -> Measured:
    play = folder / "play.yml"
    ping = {"name": "Begin", "ansible.builtin.ping": {}}
    play.write_text(json.dumps([{"hosts": HOST, "gather_facts": False, "tasks": [ping, *WAYS[way]]}]))
    observer = Observer(fleet, HOST, LOOK_SECONDS)
    run = fleet.playbook(playbook=str(play))
    observer.end()
    assert run.rc == 0
    assert observer.down is not None
    assert observer.ready is not None
    first, last = run.tasks[0], run.tasks[-1]
    return Measured(
        last.ended - first.ended,
        observer.ready - observer.down,
        last.ended - observer.ready,
        run.cpu_seconds,
        None if way == PEER else as_the_machine_says(fleet),
    )


@pytest.fixture(scope="module", params=[0, 30, 60], ids="firmware-{}".format)
def measured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, dict[str, list[Measured]]]]:
    folder = tmp_path_factory.mktemp("reboots")
    lab = Lab(default_cache() / "bench", images=default_cache() / "images")
    lab.down()
    lab.up(1, post_seconds=request.param)
    fleet = Fleet(lab, folder)
    fleet.ssh(HOST, "mkdir -p /var/log/journal && systemctl restart systemd-journald && journalctl --flush")
    results: dict[str, list[Measured]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, found in results.items():
            found.append(measure(fleet, folder, way))
    print("\n" + "\n".join(table(request.param, results)))
    yield request.param, results
    lab.down()


def of(found: list[Measured], name: str) -> float:
    """The median of one figure."""
    return float(median(getattr(one, name) for one in found))


def table(firmware: int, results: dict[str, list[Measured]]) -> list[str]:
    lines = ["firmware | way | task s | down s | noticed after s | controller CPU s | down / machine's own figure"]
    for way, found in results.items():
        figures = " | ".join("%.1f" % of(found, name) for name in ("task", "down", "noticed", "cpu"))
        floors = [one.down / one.floor for one in found if one.floor is not None]
        lines.append("%d s | %s | %s | %s" % (firmware, way, figures, "%.2f" % median(floors) if floors else ""))
    return lines


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
    assert median(one.down / one.floor for one in results[OURS] if one.floor is not None) <= 1.1
