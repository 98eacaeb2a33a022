# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many slots a second fifty processes acquire and release, as fifty forks of Ansible would.

Each host keeps its slot for a moment, as none would in earnest for so short a time: fifty processes that do nothing but
wait for each other tell how long a queue of fifty is, and not how long a host waits for its slot.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import postgresql
import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import Database
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import holder_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.opening import Entry, look, open_rollout
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import Admit
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import policy_as_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import PENDING, Candidate
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store

pytestmark = pytest.mark.bench

PROCESSES = 50
HOSTS_EACH = 20
HELD_SECONDS = 0.05
MOST_SECONDS = 120
POLICY = {
    "max_unavailable": PROCESSES,
    "failure_domain": "rack",
    "max_unavailable_per_domain": 40,
    "canaries_per_class": 0,
}

LEAST_A_SECOND = 300
MOST_MEDIAN_SECONDS = 0.050


def _work(url: str, number: int, ready: Barrier, seconds: Queue[list[float]]) -> None:
    store = Store(Database(url))
    store.revision("bench")
    holder = holder_of(os.getpid())
    ready.wait()
    taken = []
    for host in range(HOSTS_EACH):
        name = "host%d-%d" % (number, host)
        start = time.monotonic()
        reply = store.acquire("bench", name, holder)
        taken.append(time.monotonic() - start)
        assert isinstance(reply.answer, Admit), reply.answer
        time.sleep(HELD_SECONDS)
        store.release("bench", name, holder, "rebooted")
    seconds.put(taken)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "store.db")
        return
    binaries = postgresql.programs()
    if binaries is None:
        pytest.skip(postgresql.MISSING)
    with postgresql.server(binaries, durable=True) as server:
        yield server.url()


def test_slots_a_second(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(Database(url))
    look(store, "bench", [])
    names = ["host%d-%d" % (number, host) for number in range(PROCESSES) for host in range(HOSTS_EACH)]
    # At any time the hosts that are asked for are spread over the racks, so that none has to wait for a limit.
    racks = ["r%d" % ((number + host) % 4) for number in range(PROCESSES) for host in range(HOSTS_EACH)]
    entries = [Entry(Candidate(*host, "c"), PENDING, None, "", None) for host in zip(names, racks, strict=True)]
    open_rollout(store, "bench", policy_as_text(POLICY), entries)
    store.database.close()

    context = multiprocessing.get_context("fork")
    ready = context.Barrier(PROCESSES + 1)
    answers: Queue[list[float]] = context.Queue()
    workers = [
        context.Process(target=_work, args=(url, number, ready, answers), daemon=True) for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    start = time.monotonic()
    taken = [seconds for _worker in workers for seconds in answers.get(timeout=MOST_SECONDS)]
    elapsed = time.monotonic() - start
    for worker in workers:
        worker.join()
    a_second, median = len(names) / elapsed, statistics.median(taken)
    with capsys.disabled():
        print(
            "\n%s: %.0f slots acquired and released a second, median acquire %.1f ms, 99 %% %.1f ms"
            % (
                "SQLite" if store.database.is_sqlite else "PostgreSQL",
                a_second,
                median * 1000,
                statistics.quantiles(taken, n=100)[98] * 1000,
            )
        )
    assert a_second >= LEAST_A_SECOND
    assert median <= MOST_MEDIAN_SECONDS
