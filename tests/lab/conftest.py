# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines that the tests of this folder share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from driver import Fleet  # noqa: E402
from vmlab import Lab  # noqa: E402
from vmlab.fleet import default_cache  # noqa: E402


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two machines that run the older kernel, and would boot the newer one.

    They are others than those of `make demo`, which may be running; only the image is shared.
    """
    lab = Lab(default_cache() / "tests", images=default_cache() / "images")
    lab.down()
    lab.up(2)
    lab.update([machine.name for machine in lab.machines()])
    yield Fleet(lab, tmp_path_factory.mktemp("ansible"))
    lab.down()
