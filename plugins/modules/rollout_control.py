#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_control
short_description: Look at a rollout, hold, stop or resume it
version_added: 1.0.0
description:
  - Prints where a rollout stands, which hosts are in flight and since when, which wait and for what, and which failed
    and why, and returns the same as data.
  - Holds, stops or resumes it, while it runs, from another terminal or another AWX job.
  - Forgets hosts that are gone for good, which would otherwise count as down.
  - Runs on the control node. It is what the playbook C(fleetops.kexec.rollout_control) does.
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.control_node
options:
  state:
    description:
      - V(status) leaves that as it is.
      - With V(held) no further host goes down; those that wait go on waiting until V(running).
      - With V(stopped) no further host goes down, and the runs end as soon as their hosts in flight are done. It stays
        so, for further runs too, until V(running).
      - V(running) ends a hold and a stop. Hosts that failed before a stop are still out of service and count as down,
        but are no longer counted against the failures that are allowed.
      - In none of them anything becomes of hosts that are in flight.
    type: str
    choices: [status, held, running, stopped]
    default: status
  rollout:
    description:
      - The name of the rollout. Where it is empty, it is the one that is not finished, in which hosts are in flight or
        wait.
      - Where several are not finished, or none, V(state=status) lists all that the store has, and the others fail.
    type: str
  store:
    description: As the option O(fleetops.kexec.rollout_plan#module:store).
    type: str
  reason:
    description: Why the rollout is held or stopped, for those that wait and for the report.
    type: str
  forget:
    description:
      - Hosts that are gone for good, such as one that broke in its turn and was taken out of the inventory. They count
        no longer, neither as down, nor as failures, nor as part of the fleet, so that others may go down instead.
      - A host that is only broken is still down. Mend it, and run the roll again.
      - It fails, and forgets none of them, where one waits for its turn, or is in flight and its run may still see to
        it. That is so until the run is known to have ended or the deadline of the host has passed.
      - A host that the rollout does not have is warned of.
      - A rollout that has stopped because of its failures stays so until O(state=running).
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: It tells whether it would change anything, and where the rollout stands now.
  diff_mode:
    support: none
    description: What it changes is in the store only.
notes:
  - O(store) needs the Python package SQLAlchemy on the control node, and with PostgreSQL psycopg.
seealso:
  - module: fleetops.kexec.rollout_plan
  - module: fleetops.kexec.rollout_slot
"""

EXAMPLES = r"""
- name: Let nothing more go down for now
  fleetops.kexec.rollout_control:
    state: held
    rollout: november
    reason: the database is being moved

- name: Go on
  fleetops.kexec.rollout_control:
    state: running
    rollout: november

- name: Let a host count no longer that has left the fleet
  fleetops.kexec.rollout_control:
    rollout: november
    forget: web7

- name: Where does it stand?
  fleetops.kexec.rollout_control:
  register: control

- name: Wait until nothing is in flight
  fleetops.kexec.rollout_control:
    rollout: november
  register: control
  until: "'in flight' not in control.rollout.counts"
  retries: 60
  delay: 30
"""

RETURN = r"""
rollouts:
  description: The rollouts of the store, those opened last first. Each is as RV(rollout), without the hosts.
  returned: success
  type: list
  elements: dict
forgotten:
  description: The hosts of O(forget) that the rollout had.
  returned: success
  type: list
  elements: str
rollout:
  description: The rollout, after what was done; null where only a list was told.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    state:
      description: V(running), V(held), V(stopped), or V(finished) where no host is in flight or waits.
      type: str
    stopped:
      description: Why nothing more goes down, or null.
      type: str
    held:
      description: Why it is held, or null.
      type: str
    opened:
      description: When it was begun, in ISO 8601 and UTC.
      type: str
    counts:
      description: >-
        How many hosts are V(in flight), V(failed), V(out of service), V(waiting), V(done), V(done earlier) (in an
        earlier launch of AWX) and V(left alone), where there are any.
      type: dict
    hosts:
      description: The hosts by name.
      type: dict
      contains:
        standing:
          description: As in RV(rollout.counts).
          type: str
        outcome:
          description: How its turn ended, as the option O(fleetops.kexec.rollout_slot#module:outcome), or null.
          type: str
        reason:
          description: What it waits for, or why it failed.
          type: str
        since:
          description: Since when it is in flight, or when its turn ended, in ISO 8601 and UTC, or null.
          type: str
        deadline:
          description: When it begins to count as lost, in ISO 8601 and UTC, or null where it is not in flight.
          type: str
        overdue:
          description: Whether that has passed.
          type: bool
        holder:
          description: The run of ansible-playbook that sees to it, or null.
          type: str
        holder_is_gone:
          description: Whether that run is known to have ended, which can only be known on the machine of that run.
          type: bool
        domain:
          description: Its failure domain.
          type: str
        class:
          description: Its class of hardware.
          type: str
"""
