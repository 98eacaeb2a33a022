# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page, which needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._report import charts, words
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import HostReport, Report
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.troubles import troubles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent

# As a browser's sheet of symbols would, for those who cannot tell the colours apart.
_SYMBOLS = {"good": "✓", "bad": "✕", "untouched": "○"}


def page_text(report: Report) -> str:
    """A file's content: HTML that no browser lets load or send anything, whatever the names of hosts are."""
    style, script = _asset("page.css"), _asset("page.js")
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals.update(words=words, charts=charts, symbols=_SYMBOLS, described=_described)
    return environment.get_template("page.html.j2").render(
        report=report,
        troubles=troubles(report),
        style=style,
        script=script,
        style_digest=_digest(style),
        script_digest=_digest(script),
        **_drawn(report),
    )


def _drawn(report: Report) -> dict[str, Any]:
    counts = charts.count_marks(max(report.most_out_of_service, report.max_unavailable))
    found = charts.bars(report.hosts)
    hosts = charts.count_marks(max((column.hosts for column in found), default=0))
    return {
        "span": max(report.seconds, 1.0),
        "turn": max(charts.longest_turn(report.hosts), 1.0),
        "clock_marks": [] if report.started is None else charts.clock_marks(report.started, report.seconds),
        "count_marks": counts,
        "count_top": int(counts[-1].label),
        "bars": found,
        "bar_marks": hosts,
        "bar_top": int(hosts[-1].label),
        "has_domains": len({host.domain for host in report.hosts}) > 1,
    }


def _described(host: HostReport) -> str:
    """A host's row of the timeline in words."""
    return ", ".join("%s %s" % (phase.name, words.length(phase.end - phase.start)) for phase in host.phases)


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
