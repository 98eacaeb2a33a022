# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kmock's emulator of Kubernetes' API server, with what it leaves out of a drain.

Discovery, and objects as they are created, read, patched and deleted, are kmock's. What is added here follows the API's
documentation: pods can be listed by their node, and the subresource eviction deletes a pod, or answers 429 where a
disruption budget stands against it. There is no controller that starts pods elsewhere, and no kubelet.

    kubernetes_api.py PORT

A pod's annotation "test/refusals" is how often its eviction is refused.
"""

from __future__ import annotations

import asyncio
import sys

import kmock

REFUSALS = "test/refusals"
REFUSED = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "message": "Cannot evict pod as it would violate the pod's disruption budget.",
    "reason": "TooManyRequests",
    "code": 429,
}


class Cluster:
    """The emulator, and what it is asked."""

    def __init__(self) -> None:
        self.api = kmock.KubernetesEmulator()
        self.api["get /api/v1/pods"] << self._pods
        self.api["post", kmock.subresource("eviction")] << self._evict

    def _pods(self, request: kmock.Request) -> kmock.Payload:
        node = request.params.get("fieldSelector", "").removeprefix("spec.nodeName=")
        objects = self.api.objects.items()
        pods = [pod.raw for (kind, _space, _name), pod in objects if kind.plural == "pods" and not pod.deleted]
        return {
            "kind": "PodList",
            "apiVersion": "v1",
            "items": [pod for pod in pods if pod["spec"]["nodeName"] == node],
        }

    def _evict(self, request: kmock.Request) -> kmock.Payload:
        pod = self.api.objects[request.resource, request.namespace, request.name]
        if pod.deleted:
            raise kmock.KubernetesObjectNotFoundError()
        left = int(pod.raw["metadata"].get("annotations", {}).get(REFUSALS, "0"))
        if left:
            pod.patch({"metadata": {"annotations": {REFUSALS: str(left - 1)}}})
            return kmock.Response(status=429, payload=REFUSED)
        pod.delete()
        return kmock.Response(status=201, payload={"kind": "Status", "apiVersion": "v1", "status": "Success"})


async def serve(port: int) -> None:
    """Until the process is ended."""
    cluster = Cluster()
    async with cluster.api, kmock.Server(cluster.api, port=port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
