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
  - Writes the report into files on the control node, for programs, for people and for a ticket.
  - Gives the numbers of the roll to Ansible as M(ansible.builtin.set_stats) would, so that AWX has them among the
    artifacts of the job (RV(ansible_stats)).
  - Runs once, on the control node. It is part of the playbook C(fleetops.kexec.fast_reboot).
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.control_node
options:
  plan:
    description: The result of M(fleetops.kexec.rollout_plan).
    type: dict
    required: true
  survey:
    description:
      - The name of the variable in which each host's result of M(fleetops.kexec.kexec_info) is registered. It tells how
        long a host's firmware and boot loader take, which is what a kexec saves.
    type: str
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
  health:
    description:
      - The name of the variable in which each host's result is registered of a task that waits until it is healthy.
        Its C(at), where it has one, is the moment at which it was, in ISO 8601.
    type: str
  commit:
    description: The name of the variable in which each host's result of M(fleetops.kexec.kexec_commit) is registered.
    type: str
  released:
    description:
      - The name of the variable in which each host's result of M(fleetops.kexec.rollout_slot) with C(state=released) is
        registered.
    type: str
  title:
    description: What the report is called.
    type: str
    default: Rolling reboot
  json:
    description:
      - A file for programs. C(docs/report.schema.json) in the collection is its JSON schema.
      - A relative path, here and below, starts from the folder in which ansible-playbook was started. The file's folder
        must exist. A new file has the mode that the umask gives, and one that is replaced keeps its own. Empty is the
        same as not given.
    type: str
  html:
    description:
      - A file for people, one page of HTML with all that it needs in it. It asks no other server for anything, and can
        be attached to a mail or served from anywhere.
      - It has the numbers, the hosts that somebody has to look at, hosts out of service over time against the limit,
        the seconds down, and a table of all hosts with a timeline, which can be sorted and filtered.
    type: str
  markdown:
    description: A file for a ticket, with the numbers and the hosts that somebody has to look at, in Markdown.
    type: str
attributes:
  check_mode:
    support: full
    description: No file is written, and RV(ignore:changed) and the diff tell what would be.
  diff_mode:
    support: full
    description: Of a file with more than 100000 bytes only the size is shown.
seealso:
  - module: fleetops.kexec.rollout_plan
  - module: ansible.builtin.set_stats
"""

EXAMPLES = r"""
- name: Sum up
  fleetops.kexec.rollout_report:
    plan: "{{ plan }}"
    staged: host_staged
    reboot: host_reboot
    commit: host_committed
  run_once: true

- name: Sum up a roll under limits, with a page for people and a file for the monitoring
  fleetops.kexec.rollout_report:
    plan: "{{ plan }}"
    survey: host_survey
    slot: host_slot
    staged: host_staged
    reboot: host_reboot
    commit: host_committed
    released: host_released
    title: November kernel window
    html: /srv/reports/november.html
    json: /srv/reports/november.json
  run_once: true
"""

RETURN = r"""
msg:
  description: The roll in one line.
  returned: success
  type: str
  sample: '3 hosts: 2 rebooted, 1 current'
files:
  description: The files of the report.
  returned: success
  type: list
  elements: str
ansible_stats:
  description:
    - The numbers of the roll as M(ansible.builtin.set_stats) hands them on, in C(data.rollout_report).
    - They are those of C(summary) in the JSON file, the roll in a sentence (C(verdict)), and the names of up to 100
      hosts that somebody has to look at (C(look_at)).
  returned: success
  type: dict
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
