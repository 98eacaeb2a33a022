# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions of an AWX survey, as AWX would take them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.fleetops.kexec.plugins.filter.awx_survey import FilterModule

CHECKOUT = Path(__file__).parents[3]
ROLE = yaml.safe_load((CHECKOUT / "roles/fast_reboot/meta/argument_specs.yml").read_text())
SPECS = ROLE["argument_specs"]["main"]["options"]
(PLAY,) = yaml.safe_load((CHECKOUT / "playbooks/awx_setup.yml").read_text())
CONTROL = PLAY["vars"]["awx_setup_control_specs"]

awx_survey = FilterModule().filters()["awx_survey"]


def question(spec, **values):
    (found,) = awx_survey(
        {"fast_reboot_it": spec}, ["fast_reboot_it"], {"fast_reboot_" + n: v for n, v in values.items()}
    )
    return found


def refusal(name):
    with pytest.raises(AnsibleFilterError) as error:
        awx_survey(SPECS, [name])
    return str(error.value)


def can_be_asked(name):
    try:
        awx_survey(SPECS, [name])
    except AnsibleFilterError:
        return False
    return True


ASKABLE = [name for name in SPECS if can_be_asked(name)]

# What awx.api.views.JobTemplateSurveySpec wants of a default.
TYPES = {"text": str, "multiplechoice": str, "integer": int, "float": float}


@pytest.mark.parametrize(
    "asked", awx_survey(SPECS, ASKABLE) + awx_survey(CONTROL, CONTROL), ids=lambda q: q["variable"]
)
def test_awx_takes_the_question(asked):
    assert isinstance(asked["default"], TYPES[asked["type"]]) or asked["default"] == ""
    assert not isinstance(asked["default"], bool)
    assert asked["required"] is False
    assert (asked["type"] == "multiplechoice") == bool(asked["choices"])
    if asked["choices"]:
        assert asked["default"] in asked["choices"]
    assert asked["question_name"][0].isupper()
    assert asked["question_description"].endswith(".")
    assert "(" not in asked["question_description"] or ")" in asked["question_description"]


@pytest.mark.parametrize(
    ("spec", "kind", "choices", "default"),
    [
        ({"type": "int", "default": 30}, "integer", [], 30),
        ({"type": "float", "default": 300}, "float", [], 300.0),
        ({"type": "bool", "default": False}, "multiplechoice", ["true", "false"], "false"),
        ({"type": "str", "choices": ["auto", "true"], "default": "auto"}, "multiplechoice", ["auto", "true"], "auto"),
        ({"type": "raw", "default": 1}, "text", [], "1"),
        ({"type": "raw", "default": []}, "text", [], ""),
        ({"type": "list", "elements": "str", "default": ["a", "b"]}, "text", [], "a,b"),
        ({"type": "str"}, "text", [], ""),
        ({}, "text", [], ""),
    ],
)
def test_a_type_of_the_specs_becomes_one_of_awx(spec, kind, choices, default):
    asked = question(spec)
    assert (asked["type"], asked["choices"], asked["default"]) == (kind, choices, default)


def test_the_words_are_those_of_the_specs_without_markup():
    (asked,) = awx_survey(SPECS, ["fast_reboot_fallback"])
    assert asked["question_name"] == "Fallback"
    assert asked["question_description"].startswith("With fast_reboot_method=auto, what becomes of a host")
    assert "firmware reboots it through its firmware" in asked["question_description"]
    assert question({"description": "As O(fleetops.kexec.kexec_info#module:known_trouble)."})[
        "question_description"
    ] == ("As known_trouble.")
    (windows,) = awx_survey(SPECS, ["fast_reboot_windows"])
    assert windows["question_description"] == "Maintenance windows, such as sat,sun 02:00 4h Europe/Berlin."
    assert awx_survey(CONTROL, ["rollout_control_state"])[0]["question_name"] == "Control state"


def test_what_must_be_answered_in_the_role_must_be_in_awx():
    assert question({"required": True})["required"] is True


@pytest.mark.parametrize(
    ("spec", "value", "default"),
    [
        ({"type": "raw", "default": 1}, "10%", "10%"),
        ({"type": "raw", "default": ""}, [1, "5%"], "1,5%"),
        ({"type": "int", "default": 1}, "7", 7),
        ({"type": "bool", "default": False}, "yes", "true"),
        ({"type": "str", "default": "a"}, "", ""),
    ],
)
def test_a_value_of_the_template_is_the_default_of_its_question(spec, value, default):
    assert question(spec, it=value, other=3)["default"] == default


@pytest.mark.parametrize(
    ("spec", "value", "said"),
    [
        ({"type": "int"}, "many", "fast_reboot_it is to be asked with the default 'many', which is no int"),
        ({"type": "bool"}, "perhaps", "which is no bool"),
        ({"choices": ["a", "b"]}, "c", "the default 'c', which is none of a, b"),
        ({"type": "raw"}, {"a": 1}, "has a value that is no text"),
        ({"type": "str"}, ["a"], "has a value that is no text"),
    ],
)
def test_a_value_that_no_answer_could_have_is_refused(spec, value, said):
    with pytest.raises(AnsibleFilterError, match=said):
        question(spec, it=value)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fast_reboot_before_host", "names task files"),
        ("fast_reboot_rescue_host", "path of a file"),
        ("fast_reboot_health", "may be commands"),
        ("fast_reboot_store", "belongs into a credential"),
        ("fast_reboot_redfish_password", "is a secret"),
        ("fast_reboot_known_trouble", "no number, text, or choice"),
        ("fast_reboot_initrd", "no number, text, or choice"),
        ("fast_reboot_report_html", "written on the control node"),
    ],
)
def test_what_is_not_for_a_survey_is_refused(name, why):
    assert refusal(name).startswith(name + " cannot be asked in a survey: ")
    assert why in refusal(name)


@pytest.mark.parametrize("name", ASKABLE)
def test_nothing_that_runs_or_reads_a_file_can_be_asked(name):
    """A new input of that kind has to be refused too."""
    said = " ".join(
        [SPECS[name]["description"]] if isinstance(SPECS[name]["description"], str) else SPECS[name]["description"]
    )
    assert not said.startswith(("Task files", "A task file", "A file", "A kernel file"))
    assert "password" not in name


def test_a_name_that_is_no_input_is_refused_with_the_nearest():
    assert refusal("fast_reboot_max_unavailble") == (
        "fast_reboot_max_unavailble is no input; is fast_reboot_max_unavailable meant?"
    )
    assert refusal("xyz") == "xyz is no input; there is none like it"


def test_the_playbook_asks_for_what_can_be_asked():
    assert set(PLAY["vars"]["awx_setup_survey"]) <= set(ASKABLE)


def test_control_asks_for_what_its_module_takes():
    module = (CHECKOUT / "plugins/modules/rollout_control.py").read_text()
    documented = yaml.safe_load(module.split('"""')[1])["options"]["state"]
    assert sorted(CONTROL["rollout_control_state"]["choices"]) == sorted(documented["choices"])
    assert CONTROL["rollout_control_state"]["default"] == documented["default"]
    playbook = (CHECKOUT / "playbooks/rollout_control.yml").read_text()
    assert all(name in playbook for name in CONTROL)
