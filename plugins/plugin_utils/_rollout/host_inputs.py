# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was given as an input for each host, as far as the task of one of them can know it. Pure.

hostvars has what the inventory and the command line give each host, and nothing of the play's variables and the role's
defaults, which a task sees for its own host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import is_blank


def value_for(host: str, own: str, here: Any, given: Mapping[str, Any]) -> Any:
    """A host's value of an input.

    :param own: the host of the task. :param here: the value that the task sees.
    :param given: by hostvars, for each host that has one.
    """
    if own in given and given[own] != here:
        return here  # a variable of the play has precedence over the inventory
    return given.get(host, here)


def used(names: Iterable[str], everywhere: Iterable[Mapping[str, Any]]) -> list[str]:
    """The inputs that are given, and not blank, anywhere."""
    places = list(everywhere)
    return [name for name in names if any(not is_blank(place.get(name)) for place in places)]


def may_fall_back(method: Any, fallback: Any) -> bool:
    """Whether a host may be rebooted through its firmware where a kexec is not possible."""
    return bool(method == "auto" and fallback == "firmware")
