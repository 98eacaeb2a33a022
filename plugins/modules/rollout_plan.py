#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_plan
short_description: Plan a roll from the survey of its hosts
version_added: 1.0.0
description:
  - Decides which hosts are to be rebooted, in which order, and which are left out and why, and prints that as a table.
  - Runs once, on the control node. It is part of the playbook C(fleetops.kexec.fast_reboot).
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.read_only
  - fleetops.kexec.attributes.control_node
options:
  hosts:
    description: The names of the surveyed hosts in the order of the roll.
    type: list
    elements: str
    required: true
  survey:
    description: The name of the variable in which each host's result of M(fleetops.kexec.kexec_info) is registered.
    type: str
    required: true
notes:
  - One host at a time is rebooted. A host that could not be surveyed may be down already, so nothing is then rebooted.
seealso:
  - module: fleetops.kexec.kexec_info
  - module: fleetops.kexec.rollout_report
"""

EXAMPLES = r"""
- name: Plan the roll
  fleetops.kexec.rollout_plan:
    hosts: "{{ ansible_play_hosts_all }}"
    survey: host_survey
  run_once: true
  register: plan
"""

RETURN = r"""
order:
  description: The names of the hosts to reboot, in order. Empty where RV(stopped) says why.
  returned: success
  type: list
  elements: str
planned:
  description: For each host that needs a reboot, its kernel now, the kernel that is to run, and the reason.
  returned: success
  type: dict
left_out:
  description: For each other host, its outcome and the reason.
  returned: success
  type: dict
stopped:
  description: Why nothing may be rebooted at all, or null.
  returned: success
  type: str
"""
