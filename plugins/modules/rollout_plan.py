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
  - Where O(rollout) is given, the plan and its limits are kept in the store, and M(fleetops.kexec.rollout_slot) holds
    the hosts to them. Opening the same rollout again, after an interruption or a failure, goes on with what is left.
extends_documentation_fragment:
  - fleetops.kexec.attributes
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
  uses:
    description:
      - Names of variables, such as inputs for which a play has tasks that are not worth their cost where no host of
        O(hosts) has given the input. RV(uses) tells.
    type: list
    elements: str
    default: []
  method:
    description:
      - The name of the variable that holds a host's method, as O(fleetops.kexec.kexec_reboot#module:method).
      - A host for which it is V(auto), and O(fallback)'s is V(firmware), is planned to go through its firmware where
        something stands against a kexec; without these two options it is left out.
    type: str
  fallback:
    description: The name of the variable that holds a host's O(fleetops.kexec.kexec_reboot#module:fallback).
    type: str
  inputs_of:
    description:
      - The name of a role of this collection. Its inputs are checked against its argument specs for every host, as
        ansible-core would do it by a task for each of them. Where one cannot be meant, nothing is planned at all.
    type: str
  health:
    description:
      - The name of a variable with checks for M(fleetops.kexec.await_health). Where they cannot be meant, for any host,
        the task fails before anything is rebooted.
    type: str
  forget_others:
    description:
      - Whether O(hosts) are all hosts that the rollout shall have. What an earlier run has left of others, such as
        failures that count against O(max_failures), is forgotten then, but not hosts in flight.
    type: bool
    default: false
  reports:
    description:
      - The files that M(fleetops.kexec.rollout_report) is to write in the end. That they can be written is checked now,
        when nothing has been rebooted yet. Empty ones are ignored.
    type: list
    elements: str
    default: []
  rollout:
    description:
      - The name of the rollout in the store. Without it nothing is kept there.
      - Controllers that give the same name roll their hosts together, under the limits that were given last.
    type: str
  launch:
    description:
      - What runs have in common that were started together to share O(rollout), such as the slices of a job in AWX
        (C(awx_workflow_job_id)).
      - When another launch opens the rollout again, hosts that succeeded in an earlier one, and that are none of
        O(hosts), do not count for O(canaries_per_class) and O(stages) any more, until a run of this launch has found
        that they need nothing. What they have proven may have been an older kernel.
      - Without it what has succeeded goes on counting.
    type: str
  store:
    description:
      - The path of an SQLite file, or C(postgresql+psycopg://user:password@host/database) where several controllers,
        AWX slices or nodes roll one fleet together.
      - Where it is not given, the environment variable E(FLEETOPS_KEXEC_STORE) counts, and after that
        C($XDG_STATE_HOME/fleetops-kexec/rollouts.db), by default C(~/.local/state/fleetops-kexec/rollouts.db).
      - A new file is readable for its owner only. A password is better kept in E(PGPASSWORD) or C(~/.pgpass), because
        ansible-playbook shows a task's arguments where it is told to.
    type: str
  max_unavailable:
    description:
      - How many hosts may be out of service at the same time, a number, or a percentage of O(hosts).
      - Hosts in flight count, hosts that failed in the roll, and hosts that could not be surveyed, because they may be
        down already.
      - A percentage is rounded down, but to one host at least.
    type: raw
    default: 1
  stages:
    description:
      - Numbers or percentages of O(hosts), none smaller than the one before, as a list or as text such as V(1,5%,25%).
      - Until so many hosts have been proven, no more than so many are tried; then the next stage begins, and after the
        last one the rest. A host that failed does not count as tried.
      - The plan tells in which stage each host is expected. Unlike canaries, hosts may change places.
    type: raw
  max_failures:
    description:
      - How many hosts may fail before nothing more goes down, a number, or a percentage of O(hosts), rounded down.
      - Outcomes V(failed), V(lost), V(rolled_back) and V(unreachable) of a host's turn count, and turns that have
        lasted longer than O(deadline_seconds).
    type: raw
    default: 0
  failure_domain:
    description: The name of a variable that every host has, such as its rack. Orders hosts, and is needed by the next
      two.
    type: raw
  max_unavailable_per_domain:
    description: How many hosts of one failure domain may be out of service, a number, or a percentage of the domain's.
    type: raw
  max_domains:
    description:
      - In how many failure domains hosts may be out of service at the same time, a number, or a percentage of all
        domains.
    type: raw
  canaries_per_class:
    description:
      - How many hosts of each class of hardware (RV(fleetops.kexec.kexec_info#module:kexec.hardware)) must have been
        proven before the others of the class are tried.
      - They are those that the plan names, the first of the class in its order. Another host takes the place of one
        that fails, as far as O(max_failures) allows, that may not go down in this run, or that has not asked
        M(fleetops.kexec.rollout_slot) for two minutes while others waited for it.
    type: raw
    default: 1
  soak_seconds:
    description:
      - Seconds that pass after a canary or the last host of a stage has succeeded, before it counts as proven.
      - As every length of time here it may have a unit, such as V(10m) or V(1h).
    type: raw
    default: 0
  windows:
    description:
      - Maintenance windows, a list, or text with one in a line. Without any, every time is right.
      - C(sat,sun 02:00 4h Europe/Berlin) has days, start, length and time zone.
      - C(DTSTART;TZID=Europe/Berlin:20261101T020000 RRULE:FREQ=WEEKLY;BYDAY=SU DURATION:PT4H) has a recurrence rule, as
        schedules of AWX do. C(EXRULE) and several C(RRULE) are understood; C(FREQ) is C(HOURLY) or less often.
      - Dicts have the keys C(days), C(start), C(length), C(timezone), or C(rrule), C(length).
      - A window begins at the local time and lasts so much elapsed time, whatever happens to the clocks. A local time
        that does not exist then, or exists twice, is read as RFC 5545 says, and the plan tells so.
      - A host that would not be back before the window closes is left. When the window has closed, the roll ends.
    type: raw
  blackouts:
    description:
      - Times at which nothing goes down in spite of O(windows), a list, or text with one in a line.
      - C(2026-12-24), C(2026-12-20..2027-01-02) (the last day included), C(2026-12-20T18:00..2026-12-21T06:00), or
        dicts with the keys C(from), C(until), C(timezone).
    type: raw
  timezone:
    description: The time zone of O(windows) and O(blackouts) that name none.
    type: raw
    default: UTC
  window_wait_seconds:
    description: A window that opens in so many seconds is waited for. One that opens later is left to a later run.
    type: raw
    default: 900
  expected_host_seconds:
    description:
      - What a host's turn takes, to know whether it would be back before a window closes.
      - Where it is not given it is learned from the hosts that are done, as the time that 95 % of them kept to.
        Before the first one is done O(deadline_seconds) counts.
    type: raw
  deadline_seconds:
    description:
      - After so many seconds a host in flight counts as lost. It also still counts as down, and may be taken up by
        another run.
    type: raw
    default: 1800
attributes:
  check_mode:
    support: full
    description: Prints the plan, and does not look into the store.
  diff_mode:
    support: none
    description: What it changes is in the store only.
seealso:
  - module: fleetops.kexec.kexec_info
  - module: fleetops.kexec.rollout_slot
  - module: fleetops.kexec.rollout_report
"""

EXAMPLES = r"""
- name: Plan the roll
  fleetops.kexec.rollout_plan:
    hosts: "{{ ansible_play_hosts_all }}"
    survey: host_survey
  run_once: true
  register: plan

- name: Plan a roll of two racks at most, ten percent of the hosts, on Sunday nights
  fleetops.kexec.rollout_plan:
    hosts: "{{ ansible_play_hosts_all }}"
    survey: host_survey
    rollout: november
    max_unavailable: 10%
    stages: 1,5%,25%
    failure_domain: rack
    max_domains: 2
    windows: sun 02:00 4h Europe/Berlin
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
  description:
    - For each host that needs a reboot, in order, its kernel now, the kernel that is to run, the reason, its failure
      domain, class, method, stage and expected seconds, and whether another run has begun its turn (C(resumed)).
  returned: success
  type: dict
left_out:
  description: For each other host, its outcome and the reason.
  returned: success
  type: dict
outlook:
  description: How the roll is expected to go.
  returned: success
  type: dict
  contains:
    seconds:
      description: From the beginning until the last host is back.
      type: float
    fits:
      description: Whether all hosts have their turn, as far as limits and windows go.
      type: bool
    notes:
      description: Sentences for the operator.
      type: list
      elements: str
    obstacle:
      description: Why no host has its turn, or null.
      type: str
    cause:
      description: Of the obstacle, as RV(fleetops.kexec.rollout_slot#module:cause), or null.
      type: str
stopped:
  description: Why nothing may be rebooted at all, or null.
  returned: success
  type: str
max_unavailable:
  description: How many hosts may be out of service at the same time.
  returned: success
  type: int
cause:
  description: Of RV(stopped), as RV(fleetops.kexec.rollout_slot#module:cause), or null.
  returned: success
  type: str
rollout:
  description: As in O(rollout), or null.
  returned: success
  type: str
uses:
  description: Those of O(uses) that at least one host has given, and not empty.
  returned: success
  type: list
  elements: str
"""
