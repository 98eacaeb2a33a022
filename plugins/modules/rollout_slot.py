#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_slot
short_description: Wait until a host may go down
version_added: 1.0.0
description:
  - Waits until the limits of a rollout allow that this host goes down, and holds its slot until it is released.
  - The limits are those that M(fleetops.kexec.rollout_plan) has put into the store. They hold for all forks and all
    controllers together, whichever die on the way.
  - A slot belongs to its host and to the run of ansible-playbook that acquired it. It does not end by itself. After
    its deadline the host counts as lost, and still as down; from then on, or when the run that holds it is known to
    be gone, another run may acquire it for the same host.
  - Runs on the control node and does not connect to the host.
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.control_node
options:
  state:
    description: V(acquired) to wait for the slot, V(released) to give it back.
    type: str
    choices: [acquired, released]
    required: true
  rollout:
    description: The name of the rollout.
    type: str
    required: true
  store:
    description: As the option O(fleetops.kexec.rollout_plan#module:store).
    type: str
  plan:
    description:
      - The name of a variable with the result of M(fleetops.kexec.rollout_plan), for RV(planned).
    type: str
  outcome:
    description:
      - How the host's turn ended. O(state=released) needs it or O(results).
      - V(rebooted), V(fell_back), V(current) and V(refused) leave it in service. V(deferred) gives the slot back
        unused, and the host may ask again. The others leave it out of service, and count as failures.
    type: str
    choices: [rebooted, fell_back, current, refused, deferred, failed, rolled_back, lost, unreachable]
  reason:
    description: Why, for the report.
    type: str
    default: ""
  results:
    description: What the host's tasks registered, in place of O(outcome) and O(reason), which are told by it.
    type: dict
    suboptions:
      staged:
        description: The result of M(fleetops.kexec.kexec_load).
        type: dict
      reboot:
        description: The result of M(fleetops.kexec.kexec_reboot).
        type: dict
      commit:
        description: The result of M(fleetops.kexec.kexec_commit).
        type: dict
      failure:
        description: Why the turn has failed otherwise, such as a drain that did not work; empty where it has not.
        type: str
  poll_seconds:
    description:
      - Seconds between two looks into the store. Where more than ten hosts wait, each of them looks less often, down
        to a tenth.
    type: float
    default: 1.0
  patience_seconds:
    description:
      - For how many seconds a store that is out of reach is tried again. Nothing goes down meanwhile; hosts that are in
        flight go on.
    type: float
    default: 600.0
attributes:
  check_mode:
    support: full
    description: Every host is admitted at once, and the store is not looked into.
  diff_mode:
    support: none
    description: What it changes is in the store only.
notes:
  - The play needs C(strategy=host_pinned), where each host keeps a worker until it is done, or C(serial=1). Under the
    strategy C(linear) a host with a slot does not go on before all others of the batch have theirs, and under C(free)
    those that wait may take all workers. Where hosts would wait for each other so for ever, the task fails and says
    it.
  - O(store) needs the Python package SQLAlchemy on the control node, and with PostgreSQL psycopg.
seealso:
  - module: fleetops.kexec.rollout_plan
"""

EXAMPLES = r"""
- name: Reboot hosts under the limits of a rollout
  hosts: "{{ hostvars['localhost']['plan']['order'] }}"
  gather_facts: false
  strategy: host_pinned
  tasks:
    - name: Wait until this host may go down
      fleetops.kexec.rollout_slot:
        state: acquired
        rollout: november
      register: slot

    - name: Leave the others untouched
      ansible.builtin.meta: end_host
      when: not slot.admitted

    - name: Reboot
      fleetops.kexec.kexec_reboot:
        method: firmware
      register: rebooted
      ignore_errors: true

    - name: Let the next one go
      fleetops.kexec.rollout_slot:
        state: released
        rollout: november
        outcome: "{{ 'failed' if rebooted is failed else 'rebooted' }}"
"""

RETURN = r"""
admitted:
  description: Whether the host may go down now; its slot is held then.
  returned: success, with O(state=acquired)
  type: bool
answer:
  description:
    - V(admitted), V(stopped) where nothing more goes down in this rollout, V(deferred) where this host's turn does
      not come in this run, because of its window or its failure domain, or V(ended) where another run has seen to the
      host.
  returned: success, with O(state=acquired)
  type: str
reason:
  description: Why, in a sentence.
  returned: success
  type: str
  sample: 'stopped: 3 failures, 2 allowed'
cause:
  description: With V(stopped) or V(deferred), one of V(operator), V(failures), V(unavailable), V(domain), V(window).
  returned: success, with O(state=acquired)
  type: str
opens:
  description: With RV(cause=window), when the next window opens, in ISO 8601 and UTC, or null.
  returned: success, with O(state=acquired)
  type: str
outcome:
  description: With V(ended), the host's outcome; with O(state=released), the one with which it was released.
  returned: success
  type: str
waited_seconds:
  description: How long the host waited.
  returned: success, with O(state=acquired)
  type: float
planned:
  description:
    - The host's line of O(plan), as RV(fleetops.kexec.rollout_plan#module:planned) has it, or null. So the tasks of its
      turn need not look into a plan that is as long as the fleet.
  returned: success, with O(state=acquired)
  type: dict
at:
  description: When the answer was given, or the slot was released, in ISO 8601 and UTC by the control node's clock.
  returned: success
  type: str
"""
