# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of a role of this collection, checked for all hosts by one task.

ansible-core does it by a task for each host, which costs the control node a process each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

_ROLES = Path(__file__).parents[3] / "roles"
_MOST_NAMED = 5


class BadInput(Exception):
    """An input cannot be meant, as a sentence with the hosts that have it."""


@cache
def options_of(role: str) -> Mapping[str, Any]:
    """The role's argument spec. Raises BadInput where the collection has no such role."""
    path = _ROLES / role.rpartition(".")[2] / "meta" / "argument_specs.yml"
    try:
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput("%s is no role of this collection with argument specs: %s" % (role, error))
    options: Mapping[str, Any] = specs["argument_specs"]["main"]["options"]
    return options


# The value of an input for a host; raises KeyError where none was given.
Look = Callable[[str, str], Any]


def check_inputs(role: str, hosts: Iterable[str], value_of: Look, in_full: Look) -> None:
    """Raises BadInput.

    :param value_of: a look that costs little. :param in_full: as the host's own tasks see it, asked only for hosts
        against whose inputs the first look speaks: they may refer to what it does not know.
    """
    options = options_of(role)
    found: dict[str, list[str]] = {}
    for host in hosts:
        against = _against(options, host, value_of) and _against(options, host, in_full)
        for sentence in against:
            found.setdefault(sentence, []).append(host)
    if found:
        raise BadInput("; ".join("%s (%s)" % (sentence, _named(hosts)) for sentence, hosts in found.items()))


def _against(options: Mapping[str, Any], host: str, value_of: Look) -> list[str]:
    given = {}
    for name in options:
        try:
            given[name] = value_of(host, name)
        except KeyError:
            continue
        except AnsibleError as error:
            return ["%s: %s" % (name, error)]
    spec = {name: options[name] for name in given}
    return list(ArgumentSpecValidator(spec).validate(given).error_messages)


def _named(hosts: list[str]) -> str:
    more = len(hosts) - _MOST_NAMED
    return "on " + ", ".join(hosts[:_MOST_NAMED]) + (" and %d more" % more if more > 0 else "")
