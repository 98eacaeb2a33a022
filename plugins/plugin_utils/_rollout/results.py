# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of a roll have returned for a host. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import Plan
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.report import outcomes


@dataclass(frozen=True)
class Results:
    """A host's results, each empty where its task did not run."""

    survey: Mapping[str, Any] = field(default_factory=dict)
    """Of kexec_info."""
    slot: Mapping[str, Any] = field(default_factory=dict)
    """Of rollout_slot, acquired."""
    staged: Mapping[str, Any] = field(default_factory=dict)
    """Of kexec_load."""
    reboot: Mapping[str, Any] = field(default_factory=dict)
    """Of kexec_reboot."""
    health: Mapping[str, Any] = field(default_factory=dict)
    """Of whatever waits until the host does its work again."""
    commit: Mapping[str, Any] = field(default_factory=dict)
    """Of kexec_commit."""
    released: Mapping[str, Any] = field(default_factory=dict)
    """Of rollout_slot, released."""


def results_from(variables: Mapping[str, Any], names: Mapping[str, str | None]) -> Results:
    """Those that are registered among a host's variables. :param names: of the variables, by the field of Results."""
    registered = {name: variables.get(variable) or {} for name, variable in names.items() if variable}
    # A reboot may have included what otherwise are tasks of their own.
    included = {name: registered.get("reboot", {}).get(name) for name in ("health", "commit")}
    return Results(**{name: result for name, result in [*included.items(), *registered.items()] if result})


def outcomes_of(plan: Plan, results: Mapping[str, Results]) -> dict[str, Outcome]:
    """Exactly one outcome for each host of the plan."""
    staged, reboots, commits, slots, released = (
        {name: getattr(host, result) for name, host in results.items()}
        for result in ("staged", "reboot", "commit", "slot", "released")
    )
    return outcomes(plan, staged, reboots, commits, slots, released)
