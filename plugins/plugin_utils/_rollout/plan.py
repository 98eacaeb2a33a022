# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is to be rebooted, in which order, and who is left out and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import concerns
from ansible_collections.fleetops.kexec.plugins.module_utils._cmdline import token_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.order import put_in_order, stage_names
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import (
    Outcome,
    is_unreachable,
    reason_of,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import Begun, Outlook, Terms, outlook
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import OPERATOR, UNAVAILABLE
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    ABSENT,
    IDLE,
    SUCCEEDED,
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
    kernel_before: str | None
    """Of the boot in which its turn began; None where nobody knows."""
    kernel_after: str | None
    boot_id: str
    """Of the boot in which its turn began: a reboot that began in another boot is none of this roll."""
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
    build_before: str | None = None
    """What ``uname -v`` said of kernel_before."""
    resumed: bool = False
    """Whether another run has begun its turn and not ended it; it may be rebooted already, or on its way."""


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
    max_unavailable: int = 1
    """How many hosts may be out of service at the same time."""

    def as_result(self) -> dict[str, Any]:
        """For Ansible, and read back by :func:`plan_from`."""
        return {
            "order": [] if self.stopped else [host.name for host in self.order],
            "planned": {host.name: vars(host) for host in self.order},
            "left_out": {name: vars(outcome) for name, outcome in self.left_out.items()},
            "stopped": self.stopped,
            "cause": self.cause,
            "outlook": vars(self.outlook),
            "max_unavailable": self.max_unavailable,
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
        max_unavailable=result["max_unavailable"],
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
    others = [_other(name, outcome, terms) for name, outcome in left_out.items()]
    seconds = {host.name: host.seconds for host in planned.values()}
    # Those on which another run is at work come last, so that no worker waits for it while others could go.
    at_work = [host for host in candidates if host.name in terms.in_flight and terms.in_flight[host.name].is_at_work]
    resumed = [host for host in candidates if planned[host.name].resumed and host not in at_work]
    fresh = [host for host in candidates if not planned[host.name].resumed]
    ordered = put_in_order(terms.policy, fresh, others, seconds)
    order = resumed + ordered + at_work
    # What has been begun has its place in the stages already.
    stages = stage_names(terms.policy, [*resumed, *at_work, *ordered], others)
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
        max_unavailable=terms.policy.max_unavailable.of(len(surveys)),
    )


def _other(name: str, outcome: Outcome, terms: Terms) -> Group:
    """A host that is left out, as the limits see it; see opening.open_rollout."""
    standing, host_class = standing_of(outcome), ""
    if standing == IDLE and name in terms.succeeded:
        standing, host_class = SUCCEEDED, terms.succeeded[name]
    return Group(standing, terms.domains.get(name, ""), host_class, 1)


def standing_of(outcome: Outcome) -> str:
    """Where a host that is left out stands to the limits."""
    return ABSENT if outcome.name in ("unreachable", "failed") else IDLE


def _judge(name: str, survey: Mapping[str, Any], terms: Terms) -> PlannedHost | Outcome:
    begun = terms.in_flight.get(name)
    if begun is not None:
        return _resumed(name, survey.get("kexec"), begun, "its turn was begun by another run", terms)
    if is_unreachable(survey):
        return Outcome("unreachable", reason_of(survey))
    if not survey:
        return Outcome("failed", "it failed before it could be looked at; see above")
    if "kexec" not in survey:
        return Outcome("failed", reason_of(survey))
    return _judge_surveyed(name, survey["kexec"], terms)


def _judge_surveyed(name: str, host: Mapping[str, Any], terms: Terms) -> PlannedHost | Outcome:
    release, target = host["running"]["release"], host["target"]
    method, against = _method_for(host, name in terms.firmware_allowed)
    if method is None:
        return Outcome("refused", "; ".join(against), kernel_before=release)
    if host["reboot_needed"] is None:
        return Outcome("refused", "it cannot be told whether a reboot is needed", kernel_before=release)
    if not host["reboot_needed"] and _is_unaccepted(host):
        return _resumed(name, host, Begun(), "an earlier run has rebooted it, and has not accepted its kernel", terms)
    if not host["reboot_needed"]:
        return Outcome("current", kernel_before=release, kernel_after=release)
    if name in terms.done and target is not None and target["release"] == release:
        had = "it has had its turn in this rollout, which is not finished; under another name it is rebooted again"
        return Outcome("current", had, kernel_before=release, kernel_after=release)
    warnings = [blocker["message"] for blocker in host["blockers"] if blocker["severity"] != "refuse"]
    return PlannedHost(
        name=name,
        kernel_before=release,
        kernel_after=None if target is None else target["release"],
        boot_id=host["running"]["boot_id"],
        build_before=host["running"]["version"],
        reason="; ".join(host["reboot_reasons"]),
        warnings=(*("it goes through its firmware, because " + reason for reason in against), *warnings),
        domain=terms.domains.get(name, ""),
        host_class=host["hardware"]["class"],
        method=method,
        seconds=terms.policy.expected_host_seconds or _expected_seconds(method, host),
    )


def _method_for(host: Mapping[str, Any], firmware_allowed: bool) -> tuple[str | None, list[str]]:
    """How the host is rebooted, None for not at all; and what stands against a kexec, or against any way."""
    refusing = [blocker for blocker in host["blockers"] if blocker["severity"] == "refuse"]
    against = [blocker["message"] for blocker in refusing]
    if not refusing:
        return host["method"], []
    undecided = host["reboot_needed"] is None
    if not firmware_allowed or any(concerns(blocker["id"], "firmware", undecided) for blocker in refusing):
        return None, against
    return "firmware", against


def _is_unaccepted(host: Mapping[str, Any]) -> bool:
    """Whether it runs the kernel that was staged, and the rollback net of that staging is still there."""
    net = host.get("net")
    return net is not None and token_of(host["running"]["cmdline"]) == net["token"]


def _resumed(name: str, host: Mapping[str, Any] | None, begun: Begun, reason: str, terms: Terms) -> PlannedHost:
    """A turn to bring to its end. :param host: None where it could not be surveyed. :param begun: how it began."""
    target = None if host is None else host["target"]
    return PlannedHost(
        name=name,
        kernel_before=begun.release,
        build_before=begun.build,
        kernel_after=None if target is None else target["release"],
        boot_id=begun.boot_id,
        reason=reason,
        domain=terms.domains.get(name, ""),
        host_class="" if host is None else host["hardware"]["class"],
        method="" if host is None else host["method"],
        seconds=terms.policy.expected_host_seconds or _KEXEC_SECONDS,
        resumed=True,
    )


def _expected_seconds(method: str, host: Mapping[str, Any]) -> float:
    if method != "firmware":
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
