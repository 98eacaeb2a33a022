# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is to be rebooted, in which order, and who is left out and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.order import put_in_order, stage_names
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import (
    Outcome,
    is_unreachable,
    reason_of,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import Outlook, Terms, outlook
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import OPERATOR, UNAVAILABLE
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    ABSENT,
    IDLE,
    Candidate,
    Group,
)

# What a turn takes until something better is known: shutdown, kernel and services; and a server's firmware.
_KEXEC_SECONDS = 60.0
_FIRMWARE_SECONDS = 240.0


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
    domain: str = ""
    """Its failure domain; empty where there are none."""
    host_class: str = ""
    """Of hardware."""
    method: str = ""
    seconds: float = 0.0
    """What its turn is expected to take."""
    stage: str = ""
    """``canary``, the number of a stage, or ``rest``."""
    resumed: bool = False
    """Whether an earlier run has begun its turn and not ended it; it may be rebooted already."""


@dataclass(frozen=True)
class Plan:
    """The roll before it begins."""

    order: tuple[PlannedHost, ...]
    left_out: dict[str, Outcome]
    stopped: str | None
    """Why nothing may be rebooted at all."""
    outlook: Outlook
    cause: str | None = None
    """Of the stop, as policy.py has them."""

    def as_result(self) -> dict[str, Any]:
        """For Ansible, and read back by :func:`plan_from`."""
        return {
            "order": [] if self.stopped else [host.name for host in self.order],
            "planned": {host.name: vars(host) for host in self.order},
            "left_out": {name: vars(outcome) for name, outcome in self.left_out.items()},
            "stopped": self.stopped,
            "cause": self.cause,
            "outlook": vars(self.outlook),
        }


def plan_from(result: Mapping[str, Any]) -> Plan:
    """The plan that was returned by an earlier task."""
    return Plan(
        order=tuple(
            PlannedHost(**{**host, "warnings": tuple(host["warnings"])}) for host in result["planned"].values()
        ),
        left_out={name: Outcome(**outcome) for name, outcome in result["left_out"].items()},
        stopped=result["stopped"],
        cause=result["cause"],
        outlook=Outlook(**{**result["outlook"], "notes": tuple(result["outlook"]["notes"])}),
    )


def make_plan(surveys: Mapping[str, Mapping[str, Any]], limit: str, terms: Terms | None = None) -> Plan:
    """Sort the hosts by what their survey says, and put those that are to be rebooted in order.

    A host that is unreachable, or whose survey failed, may be down already and counts as such.

    :param surveys: the results of kexec_info by the name of the host, in the order of the inventory.
    :param limit: what --limit selects. :param terms: one host at a time, where nothing is given.
    """
    terms = terms or Terms()
    planned: dict[str, PlannedHost] = {}
    left_out: dict[str, Outcome] = {}
    for name, survey in surveys.items():
        judged = _judge(name, survey, terms)
        if isinstance(judged, PlannedHost):
            planned[name] = judged
        else:
            left_out[name] = judged
    candidates = [Candidate(host.name, host.domain, host.host_class) for host in planned.values()]
    others = [Group(standing_of(left_out[name]), terms.domains.get(name, ""), "", 1) for name in left_out]
    seconds = {host.name: host.seconds for host in planned.values()}
    resumed = [host for host in candidates if planned[host.name].resumed]
    order = resumed + put_in_order(terms.policy, [host for host in candidates if host not in resumed], others, seconds)
    stages = stage_names(terms.policy, order, len(surveys))
    ahead = outlook(terms, order, others, seconds)
    stopped, cause = _why_stopped(left_out, limit, terms, len(surveys))
    # A turn that was begun is brought to its end at any time.
    if stopped is None and not resumed:
        stopped, cause = ahead.obstacle, ahead.cause
    return Plan(
        order=tuple(replace(planned[host.name], stage=stages[host.name]) for host in order),
        left_out=left_out,
        stopped=stopped if order else None,
        cause=cause if order else None,
        outlook=ahead,
    )


def standing_of(outcome: Outcome) -> str:
    """Where a host that is left out stands to the limits."""
    return ABSENT if outcome.name in ("unreachable", "failed") else IDLE


def _judge(name: str, survey: Mapping[str, Any], terms: Terms) -> PlannedHost | Outcome:
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
    resumed = name in terms.in_flight
    if not host["reboot_needed"] and not resumed:
        return Outcome("current", kernel_before=release, kernel_after=release)
    target = host["target"]
    return PlannedHost(
        name=name,
        kernel_before=release,
        kernel_after=None if target is None else target["release"],
        boot_id=host["running"]["boot_id"],
        reason="; ".join(host["reboot_reasons"]) or "its turn was begun by an earlier run",
        warnings=tuple(blocker["message"] for blocker in host["blockers"] if blocker["severity"] != "refuse"),
        domain=terms.domains.get(name, ""),
        host_class=host["hardware"]["class"],
        method=host["method"],
        seconds=terms.policy.expected_host_seconds or _expected_seconds(host),
        resumed=resumed,
    )


def _expected_seconds(host: Mapping[str, Any]) -> float:
    if host["method"] != "firmware":
        return _KEXEC_SECONDS
    known = [host["firmware_seconds"], host["loader_seconds"]]
    return _KEXEC_SECONDS + (_FIRMWARE_SECONDS if None in known else sum(known))


def _why_stopped(
    left_out: Mapping[str, Outcome], limit: str, terms: Terms, fleet: int
) -> tuple[str | None, str | None]:
    """The reason and its cause."""
    if terms.stopped is not None:
        return terms.stopped, OPERATOR
    missing = [name for name, outcome in left_out.items() if standing_of(outcome) == ABSENT]
    most = terms.policy.max_unavailable.of(fleet)
    if len(missing) < most:
        return None, None
    why = "%s at a time may be down, and %s could not be surveyed; repair it, or leave it out with --limit '%s'" % (
        "one host" if most == 1 else "%d hosts" % most,
        ", ".join(missing),
        ":".join([limit, *("!" + name for name in missing)]),
    )
    return why, UNAVAILABLE
