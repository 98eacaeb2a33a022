# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables at the end of a round: of variants and what passed on each, and of faults and what came of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_NODE = re.compile(r".*test_variants\.py::test_(?P<step>\w+)\[(?P<variant>[^\]]+)\]\Z")
FAULT = "fault"
"""The property of a test's report that has a row of the table of faults."""

_WORDS = {"passed": "ok", "skipped": "-", "failed": "FAILED", "error": "FAILED"}


class Result(NamedTuple):
    """A finished part of a test: set-up, call or tear-down."""

    node: str
    outcome: str
    """As pytest counts it: passed, skipped, failed or error."""
    seconds: float


def variant_table(results: Iterable[Result]) -> list[str]:
    """A line for each variant, and a heading; nothing where none was tested."""
    words: dict[str, dict[str, str]] = {}
    seconds: dict[str, float] = {}
    for result in results:
        match = _NODE.match(result.node)
        if match is None:
            continue
        variant, step = match["variant"], match["step"]
        seconds[variant] = seconds.get(variant, 0.0) + result.seconds
        word = _WORDS.get(result.outcome)
        steps = words.setdefault(variant, {})
        # A test may pass and its tear-down fail.
        if word is not None and steps.get(step) != "FAILED":
            steps[step] = word
    if not words:
        return []
    heads = list(dict.fromkeys(step for steps in words.values() for step in steps))
    rows = [["variant", *heads, "seconds"]]
    rows += [[name, *(steps.get(head, "") for head in heads), "%.0f" % seconds[name]] for name, steps in words.items()]
    return in_columns(rows)


def fault_table(properties: Iterable[tuple[str, object]]) -> list[str]:
    """A line for each fault, and a heading, from what test_faults.py has recorded; nothing where it has not run."""
    rows = [value for name, value in properties if name == FAULT and isinstance(value, list)]
    return in_columns([["injected", "expected", "seen"], *rows]) if rows else []


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
