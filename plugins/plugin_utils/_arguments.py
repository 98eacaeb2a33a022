# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of an action plugin, checked as those of a module are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError


def validated(spec: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with their types and defaults; raises AnsibleActionFail, in check mode too."""
    for name, option in spec.items():
        value = arguments.get(name)
        if option.get("type", "str") == "str" and isinstance(value, (list, dict)):
            # ansible-core would take the list's Python notation for the text.
            raise AnsibleActionFail("%s takes a text, and not %r" % (name, value))
    result = ArgumentSpecValidator(spec).validate(dict(arguments))
    if result.error_messages:
        raise AnsibleActionFail("; ".join(map(_sentence, result.errors)))
    return dict(result.validated_parameters)


def _sentence(error: Exception) -> str:
    # ansible-core's own words begin with the name, as a module's result says before which kind of error it is.
    return "Unsupported parameters: %s" % error if isinstance(error, UnsupportedError) else str(error)
