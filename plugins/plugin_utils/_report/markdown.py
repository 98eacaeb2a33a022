# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for a ticket. Pure.

Whatever comes from hosts and inventories is in code spans, where it is neither markup nor a mention of somebody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import Report
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.troubles import Trouble, troubles
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.words import (
    figures,
    outcome_name,
    period,
    verdict,
)

# A ticket takes some ten thousand characters; the other files have all.
_MOST_TROUBLES = 20
_MOST_HOSTS = 20
_MOST_REASON = 300


def markdown_text(report: Report) -> str:
    """A file's content."""
    parts = ["## %s" % _escaped(report.title), "%s\n%s" % (_escaped(verdict(report)), _escaped(period(report)))]
    numbers = [(name, value, remark) for name, (value, remark) in figures(report).items()]
    parts.append(_table(("", "", ""), numbers))
    parts.append(_table(("outcome", "hosts"), [(outcome_name(name), str(n)) for name, n in report.counts.items()]))
    found = troubles(report)
    if found:
        parts.append("### To look at")
        parts.append(_table(("hosts", "outcome", "reason"), [_row(trouble) for trouble in found[:_MOST_TROUBLES]]))
    if len(found) > _MOST_TROUBLES:
        parts.append("And %d more reasons." % (len(found) - _MOST_TROUBLES))
    return "\n\n".join(parts) + "\n"


def _row(trouble: Trouble) -> tuple[str, str, str]:
    hosts = ", ".join(code(name) for name in trouble.hosts[:_MOST_HOSTS])
    more = len(trouble.hosts) - _MOST_HOSTS
    reason = trouble.reason if len(trouble.reason) <= _MOST_REASON else trouble.reason[:_MOST_REASON] + "…"
    return hosts + (" and %d more" % more if more > 0 else ""), outcome_name(trouble.outcome), code(reason)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| %s |" % " | ".join(cells) for cells in lines)


def code(text: str) -> str:
    """Text as a code span in the cell of a table."""
    if not text:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return fence + space + text.replace("|", "\\|") + space + fence


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|~&@])", r"\\\1", text)
