# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hooks for Kubernetes: kubernetes.core over HTTP at an emulator of the API server. There is no cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
COLLECTIONS = CHECKOUT / ".cache/collections"
PYTHON = CHECKOUT / ".cache/kubernetes/bin/python"

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


REPLICAS, DAEMONS = [{"kind": "ReplicaSet"}], [{"kind": "DaemonSet"}]


class Cluster:
    """Two nodes and their pods, at the emulator."""

    def __init__(self, url):
        self._url = url + "/api/v1"
        for node in ("web1", "web2"):
            self._ask("/nodes", {"metadata": {"name": node}, "spec": {}})

    def _ask(self, path, data=None):
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self._url + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def add(self, name, node, owners, refusals=0):
        """A pod that runs, and whose eviction is refused so often."""
        owners = [{"apiVersion": "apps/v1", "name": "x", "uid": "x", **owner} for owner in owners]
        metadata = {"name": name, "namespace": "shop", "ownerReferences": owners}
        metadata["annotations"] = {"test/refusals": str(refusals)}
        spec = {"nodeName": node, "containers": [{"name": "x"}]}
        self._ask("/namespaces/shop/pods", {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})

    def pods(self, node):
        listed = self._ask("/pods?fieldSelector=spec.nodeName%%3D%s" % node)
        return sorted(pod["metadata"]["name"] for pod in listed["items"])

    def takes_pods(self, node):
        return not self._ask("/nodes/" + node)["spec"].get("unschedulable", False)


@pytest.fixture
def node(hooks, tmp_path, service, free_port):
    """Runs the hooks for web1."""
    if subprocess.run([PYTHON, "-c", "import kmock"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("the emulator is not installed (tools/setup services, with Python 3.11 or later)")
    port = free_port()
    service([str(PYTHON), str(Path(__file__).with_name("kubernetes_api.py")), str(port)], port)
    url = "http://127.0.0.1:%d" % port
    context = {"name": "fleet", "context": {"cluster": "fleet", "user": "fleet"}}
    config = {"apiVersion": "v1", "kind": "Config", "contexts": [context], "users": [{"name": "fleet", "user": {}}]}
    config["clusters"] = [{"name": "fleet", "cluster": {"server": url}}]
    (tmp_path / "config").write_text(json.dumps(config))
    hooks.add_host("localhost", ansible_python_interpreter=str(PYTHON))
    hooks.add_host("web1")
    paths = "%s:%s" % (CHECKOUT / "playbooks/collections", COLLECTIONS)

    def run(*names, **inputs):
        given = {"kubeconfig": str(tmp_path / "config"), "context": "fleet", **inputs}
        inputs = {"kubernetes_" + name: value for name, value in given.items()}
        return hooks.run(*names, environment={"ANSIBLE_COLLECTIONS_PATH": paths}, **inputs)

    run.cluster = Cluster(url)
    return run


def test_a_node_is_drained_and_takes_pods_again(node):
    node.cluster.add("shop-1", "web1", REPLICAS)
    node.cluster.add("guarded-1", "web1", REPLICAS, refusals=1)
    node.cluster.add("proxy-1", "web1", DAEMONS)
    node.cluster.add("shop-2", "web2", REPLICAS)
    assert node("kubernetes_drain.yml").rc == 0
    assert node.cluster.pods("web1") == ["proxy-1"]
    assert node.cluster.pods("web2") == ["shop-2"]
    assert not node.cluster.takes_pods("web1")
    assert node.cluster.takes_pods("web2")
    assert node("kubernetes_uncordon.yml").rc == 0
    assert node.cluster.takes_pods("web1")


def test_a_budget_that_does_not_give_way_fails_the_host(node):
    node.cluster.add("guarded-1", "web1", REPLICAS, refusals=100)
    run = node("kubernetes_drain.yml", retries=1)
    assert run.rc != 0
    said = " ".join(run.output.split())
    assert "node web1 could not be drained: Failed to delete pod shop/guarded-1 due to: " in said
    assert "violate the pod's disruption budget" in said
    assert node.cluster.pods("web1") == ["guarded-1"]


def test_a_pod_of_its_own_is_lost_only_where_that_is_allowed(node):
    node.cluster.add("single", "web1", [])
    run = node("kubernetes_drain.yml", retries=0)
    assert run.rc != 0
    assert "cannot delete Pods not managed by" in " ".join(run.output.split())
    assert node.cluster.pods("web1") == ["single"]
    assert node("kubernetes_drain.yml", force=True).rc == 0
    assert node.cluster.pods("web1") == []


def test_a_node_that_there_is_not_is_named(node):
    run = node("kubernetes_drain.yml", node="web9", retries=0)
    assert run.rc != 0
    assert "node web9 could not be drained: Node web9 not found." in " ".join(run.output.split())
