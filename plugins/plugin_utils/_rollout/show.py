# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the report as an operator reads them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import Plan
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.report import summary
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.words import named
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import draw

_TO_TELL_APART = ("stage", "domain", "class")

_LEFT_OUT = {"current": "is left alone: it needs nothing"}


def plan_text(plan: Plan, width: int) -> str:
    """What will be done. :param width: characters in a line. Raises TableError."""
    parts = []
    if plan.order:
        parts.append(_order_table(plan, width))
    parts += ["Because %s: %s" % (reason, named(hosts)) for reason, hosts in _reasons(plan).items()]
    parts += [_sentence(note) for note in plan.outlook.notes]
    parts += [
        "%s %s" % (name, _LEFT_OUT.get(outcome.name) or "is left out, %s: %s" % (outcome.name, outcome.reason))
        for name, outcome in plan.left_out.items()
    ]
    parts += ["Mind, %s: %s" % (named(hosts), warning) for warning, hosts in _warned(plan).items()]
    if plan.stopped:
        parts.append("Nothing will be rebooted: %s." % plan.stopped)
    elif not plan.order:
        parts.append("Nothing is to be rebooted.")
    return "\n".join(parts)


def _order_table(plan: Plan, width: int) -> str:
    """The hosts in order; columns in which there is nothing to tell apart are left out."""
    hosts = plan.order
    columns: list[tuple[str, list[str]]] = [
        ("#", [str(number) for number, _host in enumerate(hosts, 1)]),
        ("stage", [host.stage for host in hosts]),
        ("host", [host.name for host in hosts]),
        ("domain", [host.domain for host in hosts]),
        ("class", [host.host_class for host in hosts]),
        ("kernel now", ["?" if host.resumed else host.kernel_before or "?" for host in hosts]),
        ("kernel to run", [host.kernel_after or "?" for host in hosts]),
        ("method", [host.method or "?" for host in hosts]),
        ("seconds", ["%.0f" % host.seconds for host in hosts]),
    ]
    told = [(name, cells) for name, cells in columns if name not in _TO_TELL_APART or len(set(cells)) > 1]
    return draw([name for name, _cells in told], zip(*(cells for _name, cells in told), strict=True), width)


def _sentence(note: str) -> str:
    return note[0].upper() + note[1:] + "."


def _reasons(plan: Plan) -> dict[str, list[str]]:
    """Each reason for a reboot once, with its hosts."""
    reasons: dict[str, list[str]] = {}
    for host in plan.order:
        reasons.setdefault(host.reason, []).append(host.name)
    return reasons


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
