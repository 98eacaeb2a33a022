# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from driver import Fleet
from table import Result, fault_table, variant_table
from vmlab import Lab
from vmlab.fleet import default_cache


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which variant passed what, and what came of each fault."""
    # Reports under "" are set-up and tear-down that went well.
    reports = [
        (outcome, report)
        for outcome in ("", "passed", "skipped", "failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
    ]
    tables = {
        "variants": variant_table(Result(report.nodeid, outcome, report.duration) for outcome, report in reports),
        "faults": fault_table(
            each for _outcome, report in reports if report.when == "call" for each in report.user_properties
        ),
    }
    for name, lines in tables.items():
        if lines:
            terminalreporter.section(name)
            terminalreporter.write("".join(line + "\n" for line in lines))
