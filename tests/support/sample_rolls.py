# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rolls of any size as their tasks would have returned them: for tests and measurements of the report."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.collect import report_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import Report
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import Terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import Plan, make_plan
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import read_policy
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.results import Results, outcomes_of

START = datetime(2026, 11, 8, 1, 58, 12, tzinfo=timezone.utc)
TITLE = "November kernel window"
OLD, NEW = "6.1.0-55-amd64", "6.1.0-56-amd64"
RACKS = 8


def survey(number: int, firmware_seconds: float | None = 96.5) -> dict[str, Any]:
    """What kexec_info has returned, as far as a roll reads it."""
    return {
        "kexec": {
            "method": "kexec",
            "running": {"release": OLD, "version": "#1", "boot_id": "boot-%d" % number},
            "hardware": {"class": "ProLiant DL360 Gen10"},
            "target": {"release": NEW},
            "reboot_needed": True,
            "reboot_reasons": ["kernel %s is to run, and %s is running" % (NEW, OLD)],
            "blockers": [],
            "firmware_seconds": firmware_seconds,
            "loader_seconds": 4.1,
        }
    }


def reboot(number: int, started: datetime, down: float, booting: float = 2.4, **changes: Any) -> dict[str, Any]:
    """What kexec_reboot has returned for a host that was down for so many seconds."""
    back = 1.9 + down
    return {
        "failed": False,
        "rebooted": True,
        "lost": False,
        "rolled_back": False,
        "fell_back": False,
        "method": "kexec",
        "phase": "proof",
        "started": started.isoformat(),
        "timeline": {"requested": 0.6, "down": 1.9, "answering": back - booting, "ready": back},
        "down_seconds": down,
        "elapsed": int(back),
        "boot_id": {"before": "boot-%d" % number, "after": "boot-%d-new" % number},
        "release": {"before": OLD, "after": NEW},
        "asked": {"method": "kexec", "not_kexec": None},
        "warnings": [],
        **changes,
    }


def lost(number: int, started: datetime, after: float) -> dict[str, Any]:
    """What kexec_reboot has returned for a host that went down and did not return."""
    return reboot(
        number,
        started,
        after,
        failed=True,
        rebooted=False,
        lost=True,
        method=None,
        phase="return",
        timeline={"requested": 0.6, "down": 1.9, "answering": None, "ready": None},
        down_seconds=None,
        elapsed=int(after),
        release={"before": OLD, "after": None},
        msg="the host stopped answering after 1.9 s and did not come back within %g s; look at its console, where it "
        "may still be stopping services" % after,
    )


def failed_to_stage() -> dict[str, Any]:
    """What kexec_load has returned where it did not work."""
    return {
        "failed": True,
        "msg": "cannot stage /boot/vmlinuz-%s: the kernel has no room for the image in memory (ENOMEM)" % NEW,
        "module_stderr": "Shared connection closed.\nkexec_file_load: Cannot allocate memory",
    }


def sample_results(
    names: Sequence[str], at_once: int = 10, trouble: Mapping[str, str] | None = None, seed: int = 1
) -> dict[str, Results]:
    """The results of a roll with so many hosts at once.

    :param trouble: ``lost``, ``unstaged`` or ``unhealthy`` by host.
    """
    chance = random.Random(seed)
    free = [START + timedelta(seconds=3 * worker) for worker in range(at_once)]
    found = {}
    for number, name in enumerate(names):
        kind = (trouble or {}).get(name)
        slot = min(free)
        worker = free.index(slot)
        rebooting = slot + timedelta(seconds=chance.uniform(4, 15))
        down = round(chance.lognormvariate(3.1, 0.22), 2)
        back = rebooting + timedelta(seconds=1.9 + down)
        health = {"at": (back + timedelta(seconds=chance.uniform(3, 12))).isoformat()}
        results = Results(
            survey=survey(number, None if number % 9 == 5 else round(chance.uniform(70, 190), 1)),
            slot={"admitted": True, "at": slot.isoformat(), "waited_seconds": (slot - START).total_seconds() % 900},
            staged={"changed": True},
            reboot=reboot(number, rebooting, down),
            health=health,
            commit={"changed": True},
        )
        ended = datetime.fromisoformat(health["at"]) + timedelta(seconds=chance.uniform(2, 6))
        outcome = "rebooted"
        if number % 23 == 7:
            slow = round(down + 110, 2)
            why = {"method": "firmware", "not_kexec": "no image is staged"}
            results = replace(results, reboot=reboot(number, rebooting, slow, method="firmware", asked=why), health={})
            ended = rebooting + timedelta(seconds=slow + 6)
        if kind == "lost":
            results = replace(results, reboot=lost(number, rebooting, 600), health={}, commit={})
            ended, outcome = rebooting + timedelta(seconds=600), "lost"
        elif kind == "unstaged":
            results = replace(results, staged=failed_to_stage(), reboot={}, health={}, commit={})
            ended, outcome = rebooting, "failed"
        elif kind == "unhealthy":
            unhealthy = {
                "failed": True,
                "msg": "http://%s:9200/_cluster/health: status is red" % name,
                "held_out": {"answer": '{"status": "red", "unassigned_shards": 41}'},
            }
            results = replace(results, health=unhealthy)
            ended, outcome = back + timedelta(seconds=120), "failed"
        # Whoever failed keeps its place under the limit.
        free[worker] = ended if outcome == "rebooted" else datetime.max.replace(tzinfo=timezone.utc)
        reason = results.health.get("msg", "")
        found[name] = replace(results, released={"at": ended.isoformat(), "outcome": outcome, "reason": reason})
    return found


def sample_plan(results: Mapping[str, Results], max_unavailable: int = 10) -> Plan:
    """The plan of these hosts."""
    policy = read_policy({"max_unavailable": max_unavailable, "failure_domain": "rack"})
    domains = {name: "rack %d" % (number % RACKS) for number, name in enumerate(results)}
    plan = make_plan({name: host.survey for name, host in results.items()}, "all", Terms(policy, domains, forks=50))
    # In the order in which the results were made up.
    return replace(plan, order=tuple(sorted(plan.order, key=lambda host: list(results).index(host.name))))


def sample_report(
    hosts: int,
    trouble: Mapping[int, str] | None = None,
    max_unavailable: int = 10,
    untouched: int = 0,
    title: str = TITLE,
) -> Report:
    """A report about so many hosts.

    :param trouble: as for :func:`sample_results`, by the host's number. :param untouched: so many have no turn.
    """
    names = ["web%04d.example.org" % number for number in range(1, hosts + 1)]
    by_name = {names[number]: kind for number, kind in (trouble or {}).items()}
    results = sample_results(names, max_unavailable, by_name)
    for name in names[hosts - untouched :]:
        results[name] = Results(survey=results[name].survey)
    plan = sample_plan(results, max_unavailable)
    return report_of(plan, outcomes_of(plan, results), results, title)
