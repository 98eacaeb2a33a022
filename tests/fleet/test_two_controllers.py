# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers roll one fleet together, each an ansible-playbook of its own, by a real PostgreSQL that goes away."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import postgresql
import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import Database
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.opening import look, open_rollout
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store
from ansible_run import Run
from simfleet.fixture import Simulated

pytestmark = pytest.mark.fleet

HOSTS = 10
MOST_DOWN = 3
MOST_SECONDS = 180


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.1)


def test_the_limits_hold_and_the_store_may_go_away_meanwhile(simulated: Simulated, server: postgresql.Server) -> None:
    fleet = simulated(HOSTS, median_seconds=1.0)
    store = Store(Database(server.url()))
    # Held until both have surveyed the hosts: one that finds some down by the other's doing has something to report.
    look(store, "together", [])
    open_rollout(store, "together", "{}", [])
    store.hold("together", "until both are there")
    with ThreadPoolExecutor() as threads:
        runs: list[Future[Run]] = []
        for _controller in range(2):
            before = store.revision("together")
            run = threads.submit(
                fleet.playbook,
                "--forks",
                "5",
                fast_reboot_rollout="together",
                fast_reboot_store=server.url(),
                fast_reboot_max_unavailable=MOST_DOWN,
            )
            wait_for(lambda before=before, run=run: store.revision("together") != before or run.done())  # type: ignore[misc]
            runs.append(run)
        assert fleet.reboots() == {}
        store.resume("together")

        wait_for(lambda: sum(fleet.reboots().values()) >= 3)
        server.stop()
        # Whoever was admitted before goes down yet, and comes back.
        time.sleep(15)
        asked = fleet.reboots()
        time.sleep(5)
        assert fleet.reboots() == asked, "nothing goes down while the store is away"
        assert len(asked) < HOSTS, "there must be something left to do"
        server.start()
    store.database.close()
    for run in runs:
        assert run.result().rc == 0
        assert set(run.result().outcomes().values()) == {"rebooted"}
    assert fleet.reboots() == dict.fromkeys(fleet.hosts, 1)
    assert 1 < fleet.most_down() <= MOST_DOWN
