# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook awx_setup calls the modules of awx.awx as they want to be called. No AWX is asked.

The modules are the real ones, and run: each judges its arguments, and then fails because nothing listens where AWX
would.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from ansible_run import run_playbook

CHECKOUT = Path(__file__).parents[2]
COLLECTIONS = CHECKOUT / ".cache/collections"

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(
        not (COLLECTIONS / "ansible_collections/awx").exists(), reason="awx.awx is not there (tools/setup services)"
    ),
]

GIVEN = {
    "awx_setup_inventory": "Fleet",
    "awx_setup_credential": "SSH",
    "awx_setup_image": "registry.example.org/fleetops-kexec:1",
    "awx_setup_inventory_path": "inventories/fleet.yml",
    "awx_setup_store": "postgresql+psycopg://ansible@db/rollouts",
    "awx_setup_store_password": "sesame",
    "awx_setup_schedule": "DTSTART;TZID=Europe/Berlin:20261107T015500 RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=1SA",
    "awx_setup_schedule_window": "sat 02:00 4h Europe/Berlin",
    "awx_setup_variables": {"fast_reboot_max_unavailable": "10%", "fast_reboot_rollout": "fleet"},
    "awx_setup_forks": "20",
    "awx_setup_slices": "3",
}

# How often each module is called.
MODULES = {
    "credential": 1,
    "credential_type": 1,
    "execution_environment": 1,
    "inventory": 1,
    "inventory_source": 1,
    "job_template": 3,
    "project": 1,
    "schedule": 1,
    "workflow_job_template": 1,
    "workflow_job_template_node": 3,
}


@pytest.fixture
def setup(tmp_path, free_port):
    """Runs the playbook, and goes on after each failure."""
    (play,) = yaml.safe_load((CHECKOUT / "playbooks/awx_setup.yml").read_text())
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "tasks").symlink_to(CHECKOUT / "playbooks/tasks")
    (tmp_path / "roles").symlink_to(CHECKOUT / "roles")
    (folder / "awx_setup.yml").write_text(yaml.safe_dump([{**play, "ignore_errors": True}]))
    inventory = tmp_path / "inventory"
    inventory.write_text("localhost ansible_python_interpreter=%s\n" % sys.executable)
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": "%s:%s" % (COLLECTIONS, CHECKOUT / "playbooks/collections"),
        "CONTROLLER_HOST": "http://127.0.0.1:%d" % free_port(),
        "CONTROLLER_OAUTH_TOKEN": "token",
    }
    return lambda **given: run_playbook(
        inventory, str(folder / "awx_setup.yml"), ["-vvv"], {**GIVEN, **given}, tmp_path / "tasks", environment
    )


def test_every_module_takes_its_options(setup):
    run = setup()
    calls = [task for task in run.tasks if task.action.startswith("awx.awx.")]
    results = [each for call in calls for each in call.result.get("results", [call.result])]
    assert [result["msg"] for result in results if "Connection refused" not in result["msg"]] == []
    for module, times in MODULES.items():
        mine = [call for call in calls if call.action == "awx.awx." + module]
        assert sum(len(call.result.get("results", [call])) for call in mine) == times, module
    assert "sesame" not in run.output


def test_templates_have_their_surveys_and_the_roll_its_slices(setup):
    (both, _control) = setup().of("awx.awx.job_template")
    check, roll = (result["invocation"]["module_args"] for result in both.result["results"])
    assert (check["job_type"], roll["job_type"]) == ("check", "run")
    assert (check["job_slice_count"], roll["job_slice_count"]) == (1, 3)
    assert roll["credentials"] == ["SSH", "Fast reboot store"]
    asked = {question["variable"]: question for question in roll["survey_spec"]["spec"]}
    assert asked["fast_reboot_max_unavailable"]["default"] == "10%"
    assert "fast_reboot_rollout" not in asked, "a slice under another name would not keep the limits of the others"
    assert roll["extra_vars"]["fast_reboot_rollout"] == "fleet"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"awx_setup_inventory": ""}, "awx_setup_inventory is empty"),
        ({"awx_setup_store": ""}, "must be the address of a PostgreSQL database"),
        ({"awx_setup_store": "postgresql+psycopg://ansible:secret@db/rollouts"}, "The password is given as"),
        ({"awx_setup_variables": {}}, "slices keep the limits together only as one rollout"),
        ({"awx_setup_survey": ["fast_reboot_before_host"]}, "cannot be asked in a survey: it names task files"),
    ],
)
def test_what_cannot_be_meant_is_told(setup, given, said):
    assert said in setup(**given).output
