# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as Ansible makes it, over results as tasks would have registered them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sample_rolls import sample_plan, sample_results

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[3]

NAMES = {name: "host_" + name for name in ("survey", "slot", "staged", "reboot", "health", "commit", "released")}

PLAY = [
    {
        "hosts": "all",
        "gather_facts": False,
        "strategy": "linear",
        "tasks": [
            {
                "fleetops.kexec.rollout_report": {
                    "plan": "{{ the_plan }}",
                    **NAMES,
                    **{name: "{{ the_files.%s }}" % name for name in ("json", "html", "markdown")},
                },
                "register": "reported",
                "run_once": True,
            },
            {
                "ansible.builtin.copy": {
                    "content": "{{ reported | to_json }}",
                    "dest": "{{ the_folder }}/result",
                    "mode": "0644",
                },
                "check_mode": False,
                "run_once": True,
            },
        ],
    }
]


def run(folder, *arguments, files=("json", "html", "markdown")):
    results = sample_results(["web1", "web2", "web3"], 2, {"web2": "unstaged"})
    plan = json.loads(json.dumps(sample_plan(results, 2).as_result()))
    hosts = {
        name: {variable: getattr(host, field) for field, variable in NAMES.items()} for name, host in results.items()
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": local}}))
    (folder / "play.yml").write_text(json.dumps(PLAY))
    inputs = {
        "the_plan": plan,
        "the_folder": str(folder),
        "the_files": {
            name: str(folder / "out" / ("report." + name)) if name in files else ""
            for name in ("json", "html", "markdown")
        },
    }
    process = subprocess.run(
        [
            *(sys.executable, "-m", "ansible", "playbook", "-i", str(folder / "inventory.json")),
            *(str(folder / "play.yml"), "--extra-vars", json.dumps(inputs), *arguments),
        ],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks/collections"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_SHOW_CUSTOM_STATS": "true",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    written = folder / "result"
    return process, json.loads(written.read_text()) if written.exists() else None


def test_files_are_written_once_and_awx_gets_the_numbers(tmp_path):
    (tmp_path / "out").mkdir()
    process, result = run(tmp_path, "--check", "--diff")
    assert process.returncode == 0, process.stdout + process.stderr
    assert result["changed"]
    assert len(result["diff"]) == 3
    assert "+## Rolling reboot" in process.stdout
    assert os.listdir(tmp_path / "out") == []

    process, result = run(tmp_path)
    assert result["changed"]
    assert sorted(map(os.path.basename, result["files"])) == ["report.html", "report.json", "report.markdown"]
    assert json.loads((tmp_path / "out/report.json").read_text())["summary"]["outcomes"] == {"rebooted": 2, "failed": 1}
    assert "CUSTOM STATS" in process.stdout
    assert '"verdict": "Of 3 hosts, 1 needs somebody to look at it."' in process.stdout

    process, result = run(tmp_path)
    assert (result["changed"], result["diff"]) == (False, [])


def test_a_file_that_cannot_be_written_is_told_after_the_table(tmp_path):
    process, result = run(tmp_path, files=("html",))
    assert process.returncode != 0
    assert result is None
    assert "3 hosts: 2 rebooted, 1 failed" in process.stdout
    assert "there is no folder" in process.stdout


def test_without_files_nothing_changes(tmp_path):
    _process, result = run(tmp_path, files=())
    assert (result["changed"], result["files"], result["msg"]) == (False, [], "3 hosts: 2 rebooted, 1 failed")
