# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of a policy. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import (
    Limit,
    PolicyError,
    is_blank,
    read_limit,
    read_limits,
    read_number,
    read_seconds,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import Policy
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.window_input import read_windows

# Every input with its default; None where there is no such limit unless it is given.
DEFAULTS: Mapping[str, Any] = {
    "max_unavailable": 1,
    "stages": None,
    "max_failures": 0,
    "failure_domain": None,
    "max_unavailable_per_domain": None,
    "max_domains": None,
    "canaries_per_class": 1,
    "soak_seconds": 0,
    "windows": None,
    "blackouts": None,
    "timezone": "UTC",
    "window_wait_seconds": 900,
    "expected_host_seconds": None,
    "deadline_seconds": 1800,
}


def read_policy(inputs: Mapping[str, Any]) -> Policy:
    """The policy; what is not given, or blank, has its default. Raises PolicyError."""
    given = {name: value for name, value in inputs.items() if not is_blank(value)}
    values = {**DEFAULTS, **given}
    for name in ("max_unavailable_per_domain", "max_domains"):
        if name in given and "failure_domain" not in given:
            raise PolicyError(
                "%s is given and failure_domain is not; it names the variable that holds a host's domain" % name
            )
    return Policy(
        max_unavailable=read_limit("max_unavailable", values["max_unavailable"]),
        stages=read_limits("stages", given["stages"]) if "stages" in given else (),
        max_failures=read_limit("max_failures", values["max_failures"], least=0),
        failure_domain=str(given["failure_domain"]).strip() if "failure_domain" in given else None,
        max_unavailable_per_domain=_limit_if_given("max_unavailable_per_domain", given),
        max_domains=_limit_if_given("max_domains", given),
        canaries_per_class=read_number("canaries_per_class", values["canaries_per_class"]),
        soak_seconds=read_seconds("soak_seconds", values["soak_seconds"]),
        windows=read_windows(values["windows"], values["blackouts"], values["timezone"]),
        window_wait_seconds=read_seconds("window_wait_seconds", values["window_wait_seconds"]),
        expected_host_seconds=(
            read_seconds("expected_host_seconds", given["expected_host_seconds"], least=1)
            if "expected_host_seconds" in given
            else None
        ),
        deadline_seconds=read_seconds("deadline_seconds", values["deadline_seconds"], least=1),
    )


def _limit_if_given(name: str, given: Mapping[str, Any]) -> Limit | None:
    return read_limit(name, given[name]) if name in given else None


def policy_as_text(inputs: Mapping[str, Any]) -> str:
    """The inputs that were given, to be read again by :func:`policy_from_text`."""
    given = {name: inputs[name] for name in DEFAULTS if not is_blank(inputs.get(name))}
    return json.dumps(given, default=str, sort_keys=True)


def policy_from_text(text: str) -> Policy:
    """The policy that :func:`policy_as_text` wrote. Raises PolicyError."""
    return read_policy(json.loads(text))
