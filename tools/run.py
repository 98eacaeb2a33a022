# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs targets of the Makefile one after the other, all of them whatever fails, and sums up.

Each target is timed. Test runs leave a JUnit report in $REPORTS, and the last line tells how many
tests passed and failed in all of them together.

    tools/run.py TITLE TARGET...
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree


class Step(NamedTuple):
    """A target that was run."""

    name: str
    ok: bool
    seconds: float


def run(target: str) -> Step:
    """Run one target, its output going where ours goes."""
    print(f"\n==> {target}", flush=True)
    start = time.monotonic()
    process = subprocess.run(["make", "--no-print-directory", target], stdin=subprocess.DEVNULL, check=False)
    return Step(target, process.returncode == 0, time.monotonic() - start)


def tally(reports: Iterable[Path]) -> Counter[str]:
    """Count what the JUnit reports tell: passed, failed, skipped. An error in a fixture is a failure."""
    total: Counter[str] = Counter()
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            results = {element.tag for element in case}
            if results & {"failure", "error"}:
                total["failed"] += 1
            elif "skipped" in results:
                total["skipped"] += 1
            else:
                total["passed"] += 1
    return total


def main() -> int:
    """Run the targets named on the command line."""
    title, *targets = sys.argv[1:]
    reports = Path(os.environ["REPORTS"])
    reports.mkdir(parents=True, exist_ok=True)
    for old in reports.glob("*.xml"):
        old.unlink()
    steps = [run(target) for target in targets]
    failed = [step.name for step in steps if not step.ok]
    total = tally(sorted(reports.glob("*.xml")))

    print(f"\n==> make {title}")
    for step in steps:
        print(f"{'ok' if step.ok else 'FAILED':>8} {step.seconds:6.0f} s  {step.name}")
    print(f"make {title}: " + (f"FAILED: {' '.join(failed)}" if failed else "all is well"))
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
