# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture by which tests get their fleets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from .fleet import SimulatedFleet, host_specs
from .spec import Behaviour

Simulated = Callable[..., SimulatedFleet]


# Where files live in memory, and what a host's take of it: many small ones.
_MEMORY = Path("/dev/shm")
_BYTES_OF_A_HOST = 1 << 20


def _where(hosts: int) -> str | None:
    """The folder for so many hosts' files: in memory where there is room, because a disk takes minutes for a thousand.

    Not pytest's, whose name may be too long for a socket.
    """
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > hosts * _BYTES_OF_A_HOST
    return str(_MEMORY) if has_room else None


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    """Starts a fleet: simulated(12, {"sim003": Behaviour(comes_back="never")}, median_seconds=0.5).

    The arguments are those of host_specs, and by name those of SimulatedFleet. The fleet ends with the test, which
    fails where the simulator itself had something to complain of.
    """
    with ExitStack() as stack:
        fleets: list[SimulatedFleet] = []

        def start(
            hosts: int,
            behaviours: Mapping[str, Behaviour] | None = None,
            values: Mapping[str, Any] | None = None,
            **options: Any,
        ) -> SimulatedFleet:
            # ssh's masters may still be leaving when it is removed.
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="simfleet-", dir=_where(hosts), ignore_cleanup_errors=True)
            )
            fleet = SimulatedFleet(host_specs(hosts, behaviours, **(values or {})), Path(folder), **options)
            stack.callback(fleet.close)
            fleets.append(fleet)
            return fleet

        yield start
        complaints = "".join(fleet.log() for fleet in fleets)
    # pytest shows what was compared in test modules only.
    assert complaints == "", complaints
