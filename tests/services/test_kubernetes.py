# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hooks for Kubernetes call kubernetes.core as its module wants to be called. No cluster is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
COLLECTIONS = CHECKOUT / ".cache/collections"

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(not COLLECTIONS.exists(), reason="kubernetes.core is not there (tools/setup services)"),
]

# In a process of its own: its imports are not held to warn of nothing.
VALIDATE = """
import json, sys
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubernetes.core.plugins.modules.k8s_drain import argspec
print(json.dumps(ArgumentSpecValidator(argspec()).validate(json.load(sys.stdin)).error_messages))
"""


def errors(options):
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", VALIDATE],
        input=json.dumps(options),
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(process.stdout)


def call(tasks):
    """The options of the one call of the module, which may stand in a block."""
    (options,) = (
        inner["kubernetes.core.k8s_drain"]
        for task in tasks
        for inner in [task, *task.get("block", [])]
        if "kubernetes.core.k8s_drain" in inner
    )
    return options


def templated(options):
    """With values where Ansible fills them in."""
    if isinstance(options, dict):
        return {name: templated(value) for name, value in options.items()}
    return "true" if isinstance(options, str) and "{{" in options else options


@pytest.mark.parametrize("hook", ["kubernetes_drain.yml", "kubernetes_uncordon.yml"])
def test_the_module_takes_the_options(hook):
    options = templated(call(yaml.safe_load((CHECKOUT / "roles/fast_reboot/tasks/hooks" / hook).read_text())))
    assert errors(options) == []
    assert errors({**options, "drain": True}) != []
