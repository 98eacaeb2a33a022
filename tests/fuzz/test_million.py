# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A million bad inputs for the parsers of target-side code (about a quarter of an hour of one processor)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from parserfuzz.engine import Count
from parserfuzz.parsers import PARSERS, Parser

pytestmark = pytest.mark.soak

WANTED = 1_000_000
IN_MEMORY = Path("/dev/shm")
SECONDS = 1.0
"""Of processor time, for any input."""


class Result(NamedTuple):
    """What became of a parser."""

    parser: Parser
    counted: Count | None
    slowest: float
    trouble: str


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python or processor")
    seed = int(time.time())

    def fuzzed(parser: Parser) -> Result:
        return _fuzzed(parser, seed, tmp_path_factory.mktemp("fuzz"))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(fuzzed, PARSERS[::-1]))[::-1]


def _engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parserfuzz.engine", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def _fuzzed(parser: Parser, seed: int, folder: Path) -> Result:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as machine:
        run = _engine("run", parser.name, str(parser.inputs), str(seed), str(folder), machine)
    found = [str(file) for file in folder.iterdir() if file.name.startswith(("crash-", "timeout-", "oom-", "leak-"))]
    file = folder / "count.json"
    count = Count(**json.loads(file.read_text())) if file.exists() else None
    if run.returncode != 0 or count is None:
        return Result(parser, count, 0.0, "%s\nthe input: %s" % (run.stdout[-4000:], " ".join(found)))
    # Again, because atheris makes the code slower than it is on a host.
    again = _engine("replay", parser.name, *map(str, sorted(folder.glob("slow-*"))))
    seconds = [float(word) for word in again.stdout.split()] if again.returncode == 0 else []
    return Result(parser, count, max(seconds, default=0.0), again.stdout if again.returncode else "")


def _table(results: list[Result]) -> Iterator[str]:
    line = "%-18s %9s %9s %9s %11s"
    yield line % ("parser", "inputs", "seconds", "slowest", "refusals")
    for parser, counted, slowest, _trouble in results:
        if counted is None:
            yield line % (parser.name, "FAILED", "", "", "")
        else:
            yield line % (parser.name, counted.inputs, "%.1f" % counted.seconds, "%.3f" % slowest, counted.refusals)
    counts = [result.counted for result in results if result.counted is not None]
    seconds = sum(count.seconds for count in counts)
    yield line % ("all", sum(count.inputs for count in counts), "%.1f" % seconds, "", "")


def test_no_input_does_more_than_be_refused(results: list[Result], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("", *_table(results), *(result.trouble for result in results if result.trouble), sep="\n")
    assert [(result.parser.name, result.trouble) for result in results if result.trouble] == []
    assert sum(result.counted.inputs for result in results if result.counted is not None) >= WANTED


def test_no_input_takes_long(results: list[Result]) -> None:
    assert [(result.parser.name, result.slowest) for result in results if result.slowest > SECONDS] == []
