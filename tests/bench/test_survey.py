# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the survey costs a host, against what every playbook's gathering of facts costs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from driver import Fleet
from one_machine import HOST, one_machine

pytestmark = pytest.mark.bench

MODULES = ("fleetops.kexec.kexec_info", "ansible.builtin.setup")
ROUNDS = 7
MOST = 0.5
"""Of what setup takes, kexec_info may take."""

INTERPRETER = "/usr/local/bin/measured-python"
SECONDS = "/var/tmp/module-seconds"
# Stands in for Python on the host: runs it, and notes the processor time of it and of all that it has started.
MEASURED_PYTHON = (
    """#!/usr/bin/python3
import os, resource, sys
code = os.spawnv(os.P_WAIT, "/usr/bin/python3", ["/usr/bin/python3"] + sys.argv[1:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open("%s", "a") as stream:
    stream.write("%%.3f\\n" %% (usage.ru_utime + usage.ru_stime))
sys.exit(code)
"""
    % SECONDS
)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with one_machine("bench", tmp_path_factory.mktemp("ansible")) as fleet:
        yield fleet


def _measured(fleet: Fleet, folder: Path) -> dict[str, list[float]]:
    """The processor seconds of each module, in turns; the first round, which fills the caches, is left out."""
    fleet.ssh(
        HOST,
        "rm -f %s; cat >%s <<'END'\n%sEND\nchmod 755 %s" % (SECONDS, INTERPRETER, MEASURED_PYTHON, INTERPRETER),
    )
    tasks = [{"name": "Measure", module: {}} for _round in range(ROUNDS) for module in MODULES]
    variables = {"ansible_python_interpreter": INTERPRETER}
    file = folder / "measure.yml"
    file.write_text(json.dumps([{"hosts": HOST, "gather_facts": False, "vars": variables, "tasks": tasks}]))
    run = fleet.playbook(playbook=str(file))
    assert [task.status for task in run.tasks] == ["ok"] * len(tasks)
    seconds = [float(line) for line in fleet.ssh(HOST, "cat " + SECONDS).split()]
    assert len(seconds) == len(tasks)
    return {module: seconds[place :: len(MODULES)][1:] for place, module in enumerate(MODULES)}


def test_the_survey_costs_a_host_half_of_what_setup_does(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = _measured(fleet, tmp_path)
    medians = {module: median(values) for module, values in seconds.items()}
    with capsys.disabled():
        print("\n%-28s %9s %9s %9s   processor seconds on the host" % ("module", "least", "median", "most"))
        for module, values in seconds.items():
            print("%-28s %9.2f %9.2f %9.2f" % (module, min(values), medians[module], max(values)))
    survey, setup = (medians[module] for module in MODULES)
    assert survey <= MOST * setup
