# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: awx_survey
short_description: Questions of an AWX survey from the argument specs of a role
version_added: 1.0.0
author:
  - The fleetops.kexec authors (@fleetops)
description:
  - Makes a question for AWX of each input that is named, with the type, the choices, the default and the description
    that the role's C(meta/argument_specs.yml) has.
  - An input of type C(bool), or with choices, becomes a multiple choice; C(int) and C(float) a number; C(str), C(raw),
    and a C(list) of C(str) a text, the items of a list with commas between them.
  - Refuses what is not for a survey, which are files, secrets, dictionaries, and the inputs of the role
    C(fleetops.kexec.fast_reboot) by which anything could be run on the control node or the hosts.
options:
  _input:
    description: The options of one entry point of the specs, by name.
    type: dict
    required: true
  names:
    description: The inputs to ask for, in the order of the questions.
    type: list
    elements: str
    required: true
  values:
    description:
      - By name, what a question offers in place of the default of the specs. Give the template's own variables, because
        AWX puts the default of a question into their place, an empty one too.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Create a job template with a survey
  awx.awx.job_template:
    name: Fast reboot
    project: Fleet
    playbook: playbooks/fast_reboot.yml
    inventory: Fleet
    survey_enabled: true
    survey_spec:
      name: Fast reboot
      description: ""
      spec: "{{ specs | fleetops.kexec.awx_survey(['fast_reboot_max_unavailable', 'fast_reboot_method']) }}"
  vars:
    file: roles/fast_reboot/meta/argument_specs.yml
    specs: "{{ (lookup('ansible.builtin.file', file) | from_yaml).argument_specs.main.options }}"
"""

RETURN = r"""
_value:
  description: The questions, for C(spec) in the option C(survey_spec) of C(awx.awx.job_template).
  type: list
  elements: dict
  sample:
    - variable: fast_reboot_method
      question_name: Method
      question_description: kexec, firmware for an ordinary reboot through the firmware
      type: multiplechoice
      choices: [auto, kexec, kexec_now, firmware]
      default: kexec
      required: false
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._awx_survey import SurveyError, questions


def awx_survey(
    specs: Mapping[str, Mapping[str, Any]], names: Sequence[str], values: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    try:
        return questions(specs, names, values or {})
    except SurveyError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"awx_survey": awx_survey}
