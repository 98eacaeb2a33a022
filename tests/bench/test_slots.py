# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many slots a second fifty processes acquire and release, as fifty forks of Ansible would.

Each host keeps its slot for a moment, as none would in earnest for so short a time. Processes that ask again and again
without a pause tell how many slots there are a second; how long one of them waits then is the length of a queue of
fifty, whatever the store does. So the time to acquire is also taken while they ask for a little more than must be
served.
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
from typing import NamedTuple

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
ASKED_A_SECOND = 320
"""By all processes together, where they do not ask without a pause."""
MOST_MEDIAN_SECONDS = 0.050


def _work(url: str, rollout: str, number: int, every: float, ready: Barrier, seconds: Queue[list[float]]) -> None:
    """Hosts of one process. :param every: seconds from one's asking to the next one's; 0 for without a pause."""
    store = Store(Database(url))
    store.revision(rollout)
    holder = holder_of(os.getpid())
    ready.wait()
    taken = []
    first = time.monotonic() + every * number / PROCESSES
    for host in range(HOSTS_EACH):
        name = "host%d-%d" % (number, host)
        time.sleep(max(0.0, first + every * host - time.monotonic()))
        start = time.monotonic()
        reply = store.acquire(rollout, name, holder)
        taken.append(time.monotonic() - start)
        assert isinstance(reply.answer, Admit), reply.answer
        time.sleep(HELD_SECONDS)
        store.release(rollout, name, holder, "rebooted")
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


class Taken(NamedTuple):
    """By all processes together."""

    a_second: float
    seconds: list[float]
    """To acquire, of each slot."""

    @property
    def median(self) -> float:
        """Of the seconds to acquire."""
        return statistics.median(self.seconds)

    def row(self, store: str, how: str) -> str:
        """For the table."""
        late = statistics.quantiles(self.seconds, n=100)[98]
        return "%-12s%-26s%10.0f%16.1f ms%10.1f ms" % (store, how, self.a_second, self.median * 1000, late * 1000)


def take_all(url: str, rollout: str, every: float) -> Taken:
    store = Store(Database(url))
    look(store, rollout, [])
    names = ["host%d-%d" % (number, host) for number in range(PROCESSES) for host in range(HOSTS_EACH)]
    # At any time the hosts that are asked for are spread over the racks, so that none has to wait for a limit.
    racks = ["r%d" % ((number + host) % 4) for number in range(PROCESSES) for host in range(HOSTS_EACH)]
    entries = [Entry(Candidate(*host, "c"), PENDING, None, "", None) for host in zip(names, racks, strict=True)]
    open_rollout(store, rollout, policy_as_text(POLICY), entries)
    store.database.close()

    context = multiprocessing.get_context("fork")
    ready = context.Barrier(PROCESSES + 1)
    answers: Queue[list[float]] = context.Queue()
    workers = [
        context.Process(target=_work, args=(url, rollout, number, every, ready, answers), daemon=True)
        for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    start = time.monotonic()
    taken = [seconds for _worker in workers for seconds in answers.get(timeout=MOST_SECONDS)]
    elapsed = time.monotonic() - start
    for worker in workers:
        worker.join()
    return Taken(len(names) / elapsed, taken)


def test_slots_a_second(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = "SQLite" if Database(url).is_sqlite else "PostgreSQL"
    without_pause = take_all(url, "without a pause", 0.0)
    paced = take_all(url, "paced", PROCESSES / ASKED_A_SECOND)
    with capsys.disabled():
        print("\n\n%-38s%10s%19s%13s" % ("", "a second", "median acquire", "99 %"))
        print(without_pause.row(name, "without a pause"))
        print(paced.row(name, "asked for %d a second" % ASKED_A_SECOND))
    assert without_pause.a_second >= LEAST_A_SECOND
    assert paced.a_second >= LEAST_A_SECOND
    assert paced.median <= MOST_MEDIAN_SECONDS
