# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions of an AWX survey, from the argument specs of a role. Pure.

What AWX takes is said by its JobTemplateSurveySpec and _survey_element_validation: a default must have the type of its
question, and one of its choices. The default of a text replaces the template's own variable, even where it is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

_NUMBERS: Mapping[str, type] = {"int": int, "float": float}
_QUESTION_OF_NUMBER = {"int": "integer", "float": "float"}
_TRUTHS = ["true", "false"]

# Who answers a survey may not be one who may run any program or write any file on the control node and the hosts.
_POWERFUL = {
    **dict.fromkeys(
        [
            "fast_reboot_before_host",
            "fast_reboot_after_host",
            "fast_reboot_on_host_failure",
            "fast_reboot_before_roll",
            "fast_reboot_after_roll",
        ],
        "it names task files, and whatever is in them is run",
    ),
    **dict.fromkeys(
        ["fast_reboot_report_html", "fast_reboot_report_json", "fast_reboot_report_markdown"],
        "it names a file that is written on the control node",
    ),
    **dict.fromkeys(
        ["fast_reboot_push_kernel", "fast_reboot_push_initrd"], "it names a file that is read on the control node"
    ),
    "fast_reboot_health": "its checks may be commands for the hosts",
    "fast_reboot_store": "it says how to log in to the store, which belongs into a credential",
}


class SurveyError(Exception):
    """Why something cannot be asked, as a sentence for an operator."""


def questions(
    specs: Mapping[str, Mapping[str, Any]], names: Iterable[str], values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A question for each name.

    :param specs: the options of an entry point, by name. :param values: what a question offers in place of the spec's
        default.
    """
    return [_question(name, _spec_of(name, specs), values) for name in names]


def _spec_of(name: str, specs: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    if name in specs:
        return specs[name]
    near = get_close_matches(name, specs, 1)
    raise SurveyError("%s is no input; %s" % (name, "is %s meant?" % near[0] if near else "there is none like it"))


def _question(name: str, spec: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    refusal = _refusal(name, spec)
    if refusal is not None:
        raise SurveyError("%s cannot be asked in a survey: %s" % (name, refusal))
    kind, choices = _kind(spec)
    return {
        "variable": name,
        "question_name": name.partition("_")[2].removeprefix("reboot_").replace("_", " ").capitalize(),
        "question_description": _description(spec),
        "type": kind,
        "required": bool(spec.get("required", False)),
        "choices": choices,
        "default": _default(name, spec, values.get(name, spec.get("default"))),
    }


def _refusal(name: str, spec: Mapping[str, Any]) -> str | None:
    if spec.get("no_log"):
        return "it is a secret, which belongs into a credential"
    if name in _POWERFUL:
        return _POWERFUL[name]
    kind = spec.get("type", "str")
    if kind == "path":
        return "it is the path of a file"
    if kind == "dict" or (kind == "list" and spec.get("elements", "str") != "str"):
        return "it is no number, text, or choice"
    return None


def _kind(spec: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The type of the question, and its choices."""
    kind = spec.get("type", "str")
    if kind == "bool":
        return "multiplechoice", _TRUTHS
    if spec.get("choices"):
        return "multiplechoice", [str(choice) for choice in spec["choices"]]
    return _QUESTION_OF_NUMBER.get(kind, "text"), []


def _default(name: str, spec: Mapping[str, Any], value: Any) -> Any:
    if value is None or value in ("", []):
        return ""
    kind = spec.get("type", "str")
    try:
        if kind == "bool":
            return _TRUTHS[0] if boolean(value) else _TRUTHS[1]
        if kind in _NUMBERS:
            return _NUMBERS[kind](value)
    except (TypeError, ValueError):
        raise SurveyError("%s is to be asked with the default %r, which is no %s" % (name, value, kind))
    if isinstance(value, list) and kind != "str" and all(_is_plain(item) for item in value):
        return ",".join(map(str, value))
    if not _is_plain(value):
        raise SurveyError(
            "%s has a value that is no text, so no answer could be like it; leave it out of the survey" % name
        )
    text = str(value)
    choices = _kind(spec)[1]
    if choices and text not in choices:
        raise SurveyError(
            "%s is to be asked with the default %r, which is none of %s" % (name, value, ", ".join(choices))
        )
    return text


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _description(spec: Mapping[str, Any]) -> str:
    """Without Ansible's markup: V(auto), O(kexec_load#module:append), M(kexec_load)."""
    given = spec.get("description", [])
    text = " ".join([given] if isinstance(given, str) else given)
    return re.sub(r"\b[A-Z]+\((?:[\w.]+#\w+:)?([^()]*)\)", r"\1", text)
