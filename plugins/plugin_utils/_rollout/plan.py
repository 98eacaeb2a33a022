# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is to be rebooted, in which order, and who is left out and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import (
    Outcome,
    is_unreachable,
    reason_of,
)


@dataclass(frozen=True)
class PlannedHost:
    """A host that is to be rebooted."""

    name: str
    kernel_before: str
    kernel_after: str | None
    boot_id: str
    """Of the boot that was surveyed: a reboot that began in another boot is none of this roll."""
    reason: str
    warnings: tuple[str, ...] = ()
    """What may go wrong with it and does not stand against the reboot."""


@dataclass(frozen=True)
class Plan:
    """The roll before it begins."""

    order: tuple[PlannedHost, ...]
    left_out: dict[str, Outcome]
    stopped: str | None
    """Why nothing may be rebooted at all."""

    def as_result(self) -> dict[str, Any]:
        """For Ansible, and read back by :func:`plan_from`."""
        return {
            "order": [] if self.stopped else [host.name for host in self.order],
            "planned": {host.name: vars(host) for host in self.order},
            "left_out": {name: vars(outcome) for name, outcome in self.left_out.items()},
            "stopped": self.stopped,
        }


def plan_from(result: Mapping[str, Any]) -> Plan:
    """The plan that was returned by an earlier task."""
    return Plan(
        order=tuple(
            PlannedHost(**{**host, "warnings": tuple(host["warnings"])}) for host in result["planned"].values()
        ),
        left_out={name: Outcome(**outcome) for name, outcome in result["left_out"].items()},
        stopped=result["stopped"],
    )


def make_plan(surveys: Mapping[str, Mapping[str, Any]], limit: str) -> Plan:
    """Sort the hosts by what their survey says.

    One host is rebooted at a time. A host that is unreachable, or whose survey failed, may be down already and counts
    against that limit, so nothing else may go down beside it.

    :param surveys: the results of kexec_info by the name of the host, in the order of the inventory.
    :param limit: what --limit selects.
    """
    order: list[PlannedHost] = []
    left_out: dict[str, Outcome] = {}
    for name, survey in surveys.items():
        judged = _judge(name, survey)
        if isinstance(judged, PlannedHost):
            order.append(judged)
        else:
            left_out[name] = judged
    return Plan(tuple(order), left_out, _why_stopped(left_out, limit) if order else None)


def _judge(name: str, survey: Mapping[str, Any]) -> PlannedHost | Outcome:
    if is_unreachable(survey):
        return Outcome("unreachable", reason_of(survey))
    if not survey:
        return Outcome("failed", "it failed before it could be looked at; see above")
    if "kexec" not in survey:
        return Outcome("failed", reason_of(survey))
    host = survey["kexec"]
    release = host["running"]["release"]
    against = [blocker["message"] for blocker in host["blockers"] if blocker["severity"] == "refuse"]
    if against:
        return Outcome("refused", "; ".join(against), kernel_before=release)
    if host["reboot_needed"] is None:
        return Outcome("refused", "it cannot be told whether a reboot is needed", kernel_before=release)
    if not host["reboot_needed"]:
        return Outcome("current", kernel_before=release, kernel_after=release)
    target = host["target"]
    return PlannedHost(
        name=name,
        kernel_before=release,
        kernel_after=None if target is None else target["release"],
        boot_id=host["running"]["boot_id"],
        reason="; ".join(host["reboot_reasons"]),
        warnings=tuple(blocker["message"] for blocker in host["blockers"] if blocker["severity"] != "refuse"),
    )


def _why_stopped(left_out: Mapping[str, Outcome], limit: str) -> str | None:
    missing = [name for name, outcome in left_out.items() if outcome.name in ("unreachable", "failed")]
    if not missing:
        return None
    return (
        "one host at a time may be down, and %s could not be surveyed; repair it, or leave it out with --limit '%s'"
        % (", ".join(missing), ":".join([limit, *("!" + name for name in missing)]))
    )
