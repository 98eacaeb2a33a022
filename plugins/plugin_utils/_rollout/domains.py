# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failure domain of each host, by a variable of the inventory. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import PolicyError, is_blank
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.words import named


def read_domains(variable: str | None, values: Mapping[str, Any]) -> dict[str, str]:
    """Each host's domain, by name; empty where no variable is named. Raises PolicyError.

    :param values: what the variable is on each host.
    """
    if variable is None:
        return {}
    missing = [host for host, value in values.items() if is_blank(value)]
    if missing:
        raise PolicyError(
            "failure_domain is %s, and that variable is missing on %s; give it a value there, or leave these hosts out"
            % (variable, named(missing))
        )
    odd = [host for host, value in values.items() if not isinstance(value, str | int | float)]
    if odd:
        raise PolicyError("failure_domain is %s, and that is no text or number on %s" % (variable, named(odd)))
    return {host: str(value) for host, value in values.items()}
