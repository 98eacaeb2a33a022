# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the running kernel, or this collection, could not do a kexec at all."""

from typing import Any, Dict, List, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils import _kexec
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import REFUSE, Blocker
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine

# Those through which kexec_reboot can reboot a host.
_KNOWN_INITS = ("systemd", "sysvinit", "openrc")


def kernel_blockers(machine: Machine, container: Optional[str]) -> List[Blocker]:
    """Why the running kernel would not stage any image at all.

    :param container: the kind of container that this is; None on a machine of its own.
    """
    blockers = []
    if container is not None:
        blockers.append(
            Blocker(
                "container",
                REFUSE,
                "this is a container (%s): a kexec from here would replace its host's kernel; "
                "run this on the host itself" % container,
            )
        )
    if _kexec.is_loaded(machine) is None:
        blockers.append(
            Blocker(
                "no_kexec",
                REFUSE,
                "the running kernel is built without kexec (there is no /sys/kernel/kexec_loaded); "
                "reboot through the firmware, into a kernel that has it",
            )
        )
    elif _kexec.is_load_disabled(machine):
        blockers.append(
            Blocker(
                "load_disabled",
                REFUSE,
                "kernel.kexec_load_disabled is 1, which lasts until the next boot; reboot through the firmware",
            )
        )
    if machine.euid != 0:
        blockers.append(
            Blocker("not_root", REFUSE, "this ran without root, which staging a kernel needs; use become: true")
        )
    return blockers


def init_blockers(init: str) -> List[Blocker]:
    """Why this collection could not reboot the host gracefully."""
    if init in _KNOWN_INITS:
        return []
    return [
        Blocker(
            "init",
            REFUSE,
            "the init system %r is not known, so its services cannot be stopped; method kexec_now goes without" % init,
        )
    ]


def call_blockers(machine: Machine, capabilities: Dict[str, Any]) -> List[Blocker]:
    """Why no system call would stage an image, although the kernel has kexec. For a slot that is still empty."""
    if _kexec.is_loaded(machine) is not False:
        return []
    if _kexec.is_limit_used_up(machine):
        return [Blocker("load_limit", REFUSE, _kexec.LIMIT_USED_UP)]
    if capabilities["file_load"] is not False:
        return []
    if capabilities["lockdown"] not in (None, "none"):
        return [
            Blocker(
                "no_call",
                REFUSE,
                "kernel lockdown (%s) permits the kexec_file_load call only, and the running kernel is built "
                "without it; reboot through the firmware" % capabilities["lockdown"],
            )
        ]
    if capabilities["tools"] is None:
        return [
            Blocker(
                "no_call",
                REFUSE,
                "the running kernel is built without the kexec_file_load call, and the kexec program is missing; "
                "install kexec-tools",
            )
        ]
    return []
