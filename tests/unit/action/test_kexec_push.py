# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task as Ansible runs it, where the folder on the host is none that can be used."""

from __future__ import annotations

import json
import sys

import pytest
from ansible_run import run_playbook

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("directory", "complaint"),
    [
        ("{folder}/file/pushed", "cannot make {folder}/file/pushed on the host: the shell ended with 1: mkdir: "),
        ("pushed", "directory is 'pushed'; it must be an absolute path of letters, digits"),
        ("/var/lib/two words", "directory is '/var/lib/two words'; it must be an absolute path of letters, digits"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(tmp_path, directory, complaint):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "vmlinuz").write_text("a kernel")
    push = {"kernel": str(tmp_path / "vmlinuz"), "directory": directory.format(folder=tmp_path)}
    play = [{"hosts": "all", "gather_facts": False, "tasks": [{"fleetops.kexec.kexec_push": push}]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"hosts": {"web1": {}}, "vars": local}}))
    done = run_playbook(
        tmp_path / "inventory.json", str(tmp_path / "play.yml"), [], {}, tmp_path / "tasks", {"LC_ALL": "C.UTF-8"}
    )
    (task,) = done.tasks
    assert task.status == "failed"
    assert complaint.format(folder=tmp_path) in task.result["msg"]
