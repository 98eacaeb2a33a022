# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the report as an operator reads them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import Plan
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.report import summary
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import draw

_LEFT_OUT = {"current": "is left alone: it needs nothing"}


def plan_text(plan: Plan, width: int) -> str:
    """What will be done. :param width: characters in a line. Raises TableError."""
    parts = []
    if plan.order:
        rows = [
            (str(number), host.name, host.kernel_before, host.kernel_after or "?", host.reason)
            for number, host in enumerate(plan.order, 1)
        ]
        parts.append(draw(("#", "host", "kernel now", "kernel to run", "why"), rows, width))
    parts += [
        "%s %s" % (name, _LEFT_OUT.get(outcome.name) or "is left out, %s: %s" % (outcome.name, outcome.reason))
        for name, outcome in plan.left_out.items()
    ]
    parts += ["Mind, %s: %s" % (", ".join(hosts), warning) for warning, hosts in _warned(plan).items()]
    if plan.stopped:
        parts.append("Nothing will be rebooted: %s." % plan.stopped)
    elif not plan.order:
        parts.append("Nothing is to be rebooted.")
    return "\n".join(parts)


def _warned(plan: Plan) -> dict[str, list[str]]:
    """Each warning once, with the hosts that it is about."""
    warned: dict[str, list[str]] = {}
    for host in plan.order:
        for warning in host.warnings:
            warned.setdefault(warning, []).append(host.name)
    return warned


def report_text(found: Mapping[str, Outcome], width: int) -> str:
    """What was done. :param width: characters in a line. Raises TableError."""
    rows = [
        (
            name,
            outcome.kernel_before or "?",
            outcome.kernel_after or "-",
            "-" if outcome.down_seconds is None else "%.1f" % outcome.down_seconds,
            outcome.name if not outcome.reason else "%s: %s" % (outcome.name, outcome.reason),
        )
        for name, outcome in found.items()
    ]
    table = draw(("host", "kernel before", "kernel after", "seconds down", "outcome"), rows, width)
    return "%s\n%s" % (table, summary(found))
