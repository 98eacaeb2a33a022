# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons against a kexec of a host."""

from typing import List, NamedTuple

from ansible_collections.fleetops.kexec.plugins.module_utils import _kexec
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import container_of
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine


class Blocker(NamedTuple):
    """A reason against a kexec of this host."""

    id: str
    severity: str
    """refuse: it must not be done. warn: it may be done, and the operator should know."""
    message: str


def kernel_blockers(machine: Machine) -> List[Blocker]:
    """Why the running kernel would not stage any image at all."""
    blockers = []
    container = container_of(machine)
    if container is not None:
        blockers.append(
            Blocker(
                "container",
                "refuse",
                "this is a container (%s): a kexec from here would replace its host's kernel; "
                "run this on the host itself" % container,
            )
        )
    if _kexec.is_loaded(machine) is None:
        blockers.append(
            Blocker(
                "no_kexec",
                "refuse",
                "the running kernel is built without kexec (there is no /sys/kernel/kexec_loaded); "
                "reboot through the firmware, into a kernel that has it",
            )
        )
    elif _kexec.is_load_disabled(machine):
        blockers.append(
            Blocker(
                "load_disabled",
                "refuse",
                "kernel.kexec_load_disabled is 1, which lasts until the next boot; reboot through the firmware",
            )
        )
    if machine.euid != 0:
        blockers.append(
            Blocker("not_root", "refuse", "this ran without root, which staging a kernel needs; use become: true")
        )
    return blockers


def init_blockers(init: str) -> List[Blocker]:
    """Why this collection could not reboot the host gracefully."""
    if init == "systemd":
        return []
    return [
        Blocker(
            "init",
            "refuse",
            "the init system %r is not known to this version, which reboots through systemd only" % init,
        )
    ]
