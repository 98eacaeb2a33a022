# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook as an operator starts it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import Database
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import holder_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.opening import Entry, look, open_rollout
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import PENDING, Candidate
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store
from ansible_run import run_playbook

pytestmark = pytest.mark.slow


def control(folder: Path, *arguments: str, **variables: str):
    inventory = folder / "inventory"
    inventory.write_text("somewhere\n")
    environment = {"FLEETOPS_KEXEC_STORE": str(folder / "store.db"), "ANSIBLE_LOCALHOST_WARNING": "false"}
    return run_playbook(inventory, "playbooks/rollout_control.yml", arguments, variables, folder / "tasks", environment)


def test_a_rollout_is_looked_at_and_held(tmp_path):
    nothing = control(tmp_path)
    assert nothing.rc != 0
    assert "there is no store" in nothing.output
    store = Store(Database(str(tmp_path / "store.db")))
    look(store, "roll", [])
    open_rollout(store, "roll", "{}", [Entry(Candidate("a", "", "x"), PENDING, None, "", None)])
    # Text that was left empty in a survey of AWX is none.
    seen = control(tmp_path, rollout_control_state="", rollout_control_reason="", fast_reboot_rollout="")
    assert seen.rc == 0
    assert "1 host: 1 waiting" in seen.output
    checked = control(tmp_path, "--check", rollout_control_state="held")
    assert checked.of("rollout_control")[0].result["changed"]
    assert store.status("roll").brief.held is None
    held = control(tmp_path, rollout_control_state="held", rollout_control_reason="lunch", fast_reboot_rollout="roll")
    assert held.of("rollout_control")[0].result["rollout"]["held"] == "lunch"
    assert store.status("roll").brief.held == "lunch"
    assert store.acquire("roll", "a", holder_of(2**22 + 1)).answer.reason == "waiting: the roll is held: lunch"
    refused = control(tmp_path, rollout_control_forget="a")
    assert "a waits for its turn, so it is not forgotten" in refused.output
    store.resume("roll")
    store.acquire("roll", "a", holder_of(2**22 + 1))
    forgotten = control(tmp_path, rollout_control_forget="a, b")
    assert forgotten.of("rollout_control")[0].result["forgotten"] == ["a"]
    assert "the rollout has no host b, so there is nothing to forget" in " ".join(forgotten.output.split())
    wrong = control(tmp_path, rollout_control_state="paused")
    assert "value of state must be one of: status, held, running, stopped" in wrong.output
    store.database.close()
