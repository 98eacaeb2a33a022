# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import postgresql
import pytest
from simfleet.fixture import simulated

__all__ = ["simulated"]


@pytest.fixture
def server() -> Iterator[postgresql.Server]:
    """A PostgreSQL server of the test's own."""
    binaries = postgresql.programs()
    assert binaries is not None, postgresql.MISSING
    with postgresql.server(binaries) as started:
        yield started
