# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play as Ansible runs it, on hosts that are this machine under many names and are not rebooted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import Database
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.opening import look
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[3]

PLAY = """
- hosts: all
  gather_facts: false
  strategy: linear
  tasks:
    - ansible.builtin.set_fact:
        host_survey:
          kexec:
            method: kexec
            running: {release: '1', version: b, boot_id: a}
            target: {release: '2'}
            hardware: {class: x}
            reboot_needed: true
            reboot_reasons: [newer]
            blockers: []
    - fleetops.kexec.rollout_plan:
        hosts: "{{ ansible_play_hosts_all }}"
        survey: host_survey
        rollout: roll
        store: "{{ the_store }}"
        max_unavailable: "2"
        failure_domain: rack
        max_unavailable_per_domain: 1
      register: plan
      run_once: true

- hosts: all
  gather_facts: false
  strategy: "{{ the_strategy }}"
  tasks:
    - fleetops.kexec.rollout_slot:
        state: acquired
        rollout: roll
        store: "{{ the_store }}"
        poll_seconds: 0.1
      register: slot
    - ansible.builtin.copy:
        content: "{{ slot | to_json }}"
        dest: "{{ the_folder }}/{{ inventory_hostname }}.slot"
        mode: "0644"
      check_mode: false
    - ansible.builtin.meta: end_host
      when: not slot.admitted
    - ansible.builtin.shell: "echo +{{ rack }} >> log; sleep 1; echo -{{ rack }} >> log"
      args:
        chdir: "{{ the_folder }}"
    - fleetops.kexec.rollout_slot:
        state: released
        rollout: roll
        store: "{{ the_store }}"
        outcome: "{{ 'failed' if inventory_hostname in the_broken else 'rebooted' }}"
"""

INVENTORY = {
    "all": {
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        "hosts": {"h%d" % number: {"rack": "r%d" % (number % 3)} for number in range(6)},
    }
}


def run(folder, *arguments, strategy="host_pinned", broken=()):
    (folder / "play.yml").write_text(PLAY)
    (folder / "inventory.json").write_text(json.dumps(INVENTORY))
    inputs = {
        "the_store": str(folder / "store.db"),
        "the_strategy": strategy,
        "the_folder": str(folder),
        "the_broken": list(broken),
    }
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks/collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_HOME": str(folder / "ansible"),
    }
    command = [
        sys.executable,
        "-m",
        "ansible",
        "playbook",
        "-i",
        str(folder / "inventory.json"),
        str(folder / "play.yml"),
    ]
    process = subprocess.run(
        [*command, "--extra-vars", json.dumps(inputs), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    slots = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.slot")}
    return process, slots


def racks_down(folder):
    """The racks of the hosts that were down at the same time, at each moment at which one went down."""
    down, seen = [], []
    for line in (folder / "log").read_text().split():
        if line[0] == "+":
            down.append(line[1:])
            seen.append(sorted(down))
        else:
            down.remove(line[1:])
    return seen


def test_hosts_go_down_under_the_limits_and_a_second_run_has_nothing_left(tmp_path):
    process, slots = run(tmp_path, "--forks", "6")
    assert process.returncode == 0, process.stdout + process.stderr
    assert {name: slot["answer"] for name, slot in slots.items()} == dict.fromkeys(
        INVENTORY["all"]["hosts"], "admitted"
    )
    seen = racks_down(tmp_path)
    assert len(seen) == 6
    assert max(map(len, seen)) == 2
    assert all(len(set(racks)) == len(racks) for racks in seen)

    # The same command again. By this survey all hosts need a reboot, and one breaks: the rest are left.
    process, slots = run(tmp_path, "--forks", "6", broken=["h0"])
    assert slots["h0"]["answer"] == "admitted"
    stopped = [slot for slot in slots.values() if slot["answer"] == "stopped"]
    assert stopped
    assert stopped[0]["reason"] == "stopped: 1 failure, 0 allowed"
    assert (stopped[0]["cause"], stopped[0]["admitted"]) == ("failures", False)


@pytest.mark.parametrize(
    ("strategy", "forks", "why"), [("linear", "6", "no host goes on before"), ("free", "3", "share 3 workers")]
)
def test_a_strategy_under_which_hosts_would_wait_for_ever_is_refused(tmp_path, strategy, forks, why):
    process, slots = run(tmp_path, "--forks", forks, strategy=strategy)
    assert process.returncode != 0
    assert "the play's strategy is %s: under it" % strategy in process.stdout.replace("\n", " ")
    assert why in process.stdout
    assert slots == {}, "none has gone down"
    store = Store(Database(str(tmp_path / "store.db")))
    assert look(store, "roll", []).in_flight == {}
    store.database.close()


def test_check_mode_leaves_no_store_behind(tmp_path):
    process, slots = run(tmp_path, "--check", "--forks", "6")
    assert process.returncode == 0, process.stdout + process.stderr
    assert {slot["reason"] for slot in slots.values()} == {"no slot is taken in check mode"}
    assert not (tmp_path / "store.db").exists()
