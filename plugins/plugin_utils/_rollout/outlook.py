# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a planned roll is expected to go, and what an operator should know beforehand. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.order import forecast_roll
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import read_policy
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import Candidate, Group, Policy
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.simulation import Forecast


class Begun(NamedTuple):
    """A host's turn that another run has begun and not ended."""

    boot_id: str = ""
    """Of the boot in which the host was surveyed before it; empty where that is not known."""
    release: str | None = None
    build: str | None = None
    """Of the kernel that ran then."""
    is_at_work: bool = False
    """Whether that run may still be at it; otherwise this one takes the turn up."""


@dataclass(frozen=True)
class Terms:
    """Under what a roll is planned.

    domains: the failure domain of each host, by name; empty where there are none.
    forks: how many hosts Ansible works on at a time; None where one after the other has its turn.
    in_flight: hosts whose turn another run has begun and not ended.
    done: hosts that have had their turn in this rollout, where others have not.
    succeeded: hosts that have ended well in this rollout, with the class that they are proven for.
    firmware_allowed: hosts that may be rebooted through their firmware where a kexec is not possible.
    notes, stopped: what the store has to say, and why nothing may go down.
    """

    policy: Policy = field(default_factory=lambda: read_policy({}))
    domains: Mapping[str, str] = field(default_factory=dict)
    forks: int | None = None
    now: datetime = datetime(1970, 1, 1, tzinfo=timezone.utc)
    in_flight: Mapping[str, Begun] = field(default_factory=dict)
    done: Collection[str] = ()
    succeeded: Mapping[str, str] = field(default_factory=dict)
    firmware_allowed: Collection[str] = ()
    notes: tuple[str, ...] = ()
    stopped: str | None = None


@dataclass(frozen=True)
class Outlook:
    """How it is expected to go."""

    seconds: float
    """From the beginning until the last host is back."""
    fits: bool
    """Whether all hosts have their turn, as far as limits and windows go."""
    notes: tuple[str, ...]
    """Sentences for the operator."""
    obstacle: str | None
    """Why none has its turn; None where one has."""
    cause: str | None = None
    """Of the obstacle, as policy.py has them."""


def outlook(terms: Terms, order: Sequence[Candidate], others: Sequence[Group], seconds: Mapping[str, float]) -> Outlook:
    """How a roll in this order goes. :param others: the fleet's other hosts. :param seconds: each host's turn."""
    if not order:
        return Outlook(0.0, True, terms.notes, None)
    fleet = len(order) + sum(group.hosts for group in others)
    forecast = forecast_roll(terms.policy, order, others, seconds, terms.forks or fleet, terms.now)
    stops = list(forecast.stops.values())
    ends = forecast.ends or terms.now
    notes = [
        *terms.notes,
        *_raised(terms.policy, fleet, order, others),
        *_about_forks(terms, fleet),
        *_about_windows(terms, forecast),
    ]
    return Outlook(
        seconds=(ends - terms.now).total_seconds(),
        fits=not stops,
        notes=(*notes, *_length(terms, forecast, len(order))),
        obstacle=stops[0].reason if stops and not forecast.starts else None,
        cause=stops[0].cause if stops and not forecast.starts else None,
    )


def _raised(policy: Policy, fleet: int, order: Iterable[Candidate], others: Iterable[Group]) -> list[str]:
    """Percentages that come to less than one host."""
    domains = {host.domain for host in order} | {group.domain for group in others}
    limits = [("max_unavailable", policy.max_unavailable, fleet)]
    limits += [("stages", stage, fleet) for stage in policy.stages]
    limits += [("max_domains", policy.max_domains, len(domains))] if policy.max_domains is not None else []
    said = [(name, limit.raised(total)) for name, limit, total in limits]
    return ["%s: %s" % (name, sentence) for name, sentence in said if sentence is not None]


def _about_forks(terms: Terms, fleet: int) -> list[str]:
    most = terms.policy.max_unavailable.of(fleet)
    if terms.forks is None or terms.forks >= most:
        return []
    return [
        "forks is %d, and %d hosts may be down at a time: no more than %d will be; give --forks %d or more"
        % (terms.forks, most, terms.forks, most)
    ]


def _about_windows(terms: Terms, forecast: Forecast) -> list[str]:
    windows = terms.policy.windows
    opening = windows.opening_at(terms.now) if windows and forecast.starts else None
    if opening is None:
        return []
    notes = [opening.note] if opening.note else []
    if opening.opens > terms.now:
        notes.append("the maintenance window opens %s" % windows.told(opening.opens))
    return notes


def _length(terms: Terms, forecast: Forecast, hosts: int) -> list[str]:
    if forecast.ends is None:
        return []
    notes = [
        "%d of %d hosts in about %s" % (len(forecast.starts), hosts, duration(forecast.ends - terms.now))
        + (", until %s" % terms.policy.windows.told(forecast.ends) if terms.policy.windows else "")
    ]
    if forecast.stops:
        host, stop = next(iter(forecast.stops.items()))
        notes.append("%d hosts will be left, %s first: %s" % (len(forecast.stops), host, stop.reason))
    return notes


def duration(length: timedelta) -> str:
    """As people say it: ``40 s``, ``25 min``, ``3 h 20 min``."""
    seconds = int(length.total_seconds())
    if seconds < 120:
        return "%d s" % seconds
    hours, minutes = divmod((seconds + 59) // 60, 60)
    return "%d min" % minutes if not hours else "%d h %d min" % (hours, minutes)
