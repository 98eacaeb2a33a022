#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_report
short_description: Sum up a roll
version_added: 1.0.0
description:
  - Gives each host of a roll exactly one outcome and prints them as a table.
  - Runs once, on the control node. It is part of the playbook C(fleetops.kexec.fast_reboot).
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.read_only
  - fleetops.kexec.attributes.control_node
options:
  plan:
    description: The result of M(fleetops.kexec.rollout_plan).
    type: dict
    required: true
  slot:
    description:
      - The name of the variable in which each host's result of M(fleetops.kexec.rollout_slot) with C(state=acquired) is
        registered.
    type: str
  staged:
    description: The name of the variable in which each host's result of M(fleetops.kexec.kexec_load) is registered.
    type: str
    required: true
  reboot:
    description: The name of the variable in which each host's result of M(fleetops.kexec.kexec_reboot) is registered.
    type: str
    required: true
  commit:
    description: The name of the variable in which each host's result of M(fleetops.kexec.kexec_commit) is registered.
    type: str
  released:
    description:
      - The name of the variable in which each host's result of M(fleetops.kexec.rollout_slot) with C(state=released) is
        registered.
    type: str
seealso:
  - module: fleetops.kexec.rollout_plan
"""

EXAMPLES = r"""
- name: Sum up
  fleetops.kexec.rollout_report:
    plan: "{{ plan }}"
    staged: host_staged
    reboot: host_reboot
    commit: host_committed
  run_once: true
"""

RETURN = r"""
msg:
  description: The roll in one line.
  returned: success
  type: str
  sample: '3 hosts: 2 rebooted, 1 current'
hosts:
  description: The outcome of each host.
  returned: success
  type: dict
  contains:
    name:
      description:
        - V(rebooted), V(current) for nothing to do, V(planned) for would be rebooted (check mode),
          V(refused) for may not be rebooted so, V(deferred) for left untouched, V(failed),
          V(lost) for went down and did not return, or
          V(unreachable) before its turn.
      type: str
    reason:
      description: Why, where the outcome needs one.
      type: str
    kernel_before:
      description: The kernel release before, or null.
      type: str
    kernel_after:
      description: The kernel release after, or null.
      type: str
    down_seconds:
      description: Seconds that the host was down, or null.
      type: float
    cause:
      description: With V(deferred), why, as RV(fleetops.kexec.rollout_slot#module:cause), or null.
      type: str
not_good:
  description:
    - The hosts that somebody has to look at, with the reason.
    - Hosts whose turn did not come because a maintenance window closed are none of them.
  returned: success
  type: dict
"""
