# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether hosts would wait for slots for ever, because of the order in which Ansible runs their tasks. Pure.

linear runs a task for all hosts of a batch before the next one: a host that holds a slot cannot go on, and release it,
before all others have one. free gives any task to any worker: hosts that wait can take all of them. host_pinned keeps a
worker for each host until it is done.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import Stop, Wait


def deadlock(strategy: str, forks: int, batch: int, crowd: Callable[[], Wait | Stop | None]) -> str | None:
    """Why the hosts would wait for ever, or None.

    :param batch: hosts of the play's batch. :param crowd: why they cannot all have a slot at the same time.
    """
    name = strategy.rpartition(".")[2]
    if batch <= 1 or name.endswith("host_pinned"):
        return None
    if name.endswith("free"):
        if forks >= batch:
            return None
        why = (
            "under it %d hosts share %d workers, and those that wait for a slot would keep the others from going on"
            % (
                batch,
                forks,
            )
        )
    else:
        against = crowd()
        if against is None:
            return None
        why = "under it no host goes on before all %d hosts of the batch have their slots, which cannot be (%s)" % (
            batch,
            against.reason.removeprefix("waiting: "),
        )
    return "the play's strategy is %s: %s; give the play strategy: host_pinned, or serial: 1" % (strategy, why)
