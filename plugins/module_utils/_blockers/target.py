# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against staging the kernel that the host is to run."""

import os
import re
from typing import Any, Dict, List, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils import _cmdline, _kexec
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import REFUSE, WARN, Blocker
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._pe_signature import ALTERED, UNSIGNED, signature_of
from ansible_collections.fleetops.kexec.plugins.module_utils._target import Target, other_initrds

# Architectures whose kexec_file_load looks for the signature in a PE file (kexec_kernel_verify_pe_sig).
_PE_ARCHITECTURES = ("x86_64", "aarch64")

# Left over for everything else while an image is loaded.
_SPARE = 32 << 20


def target_blockers(machine: Machine, target: Target, capabilities: Dict[str, Any]) -> List[Blocker]:
    """For an image that is to be put into the slot."""
    return (
        _signature_blockers(machine, target, capabilities)
        + room_blockers(machine, target)
        + _initrd_blockers(target)
        + _cmdline_blockers(target)
        + _kdump(machine, target)
    )


def _cmdline_blockers(target: Target) -> List[Blocker]:
    problem = _cmdline.problem_of(target.cmdline)
    return [] if problem is None else [Blocker("cmdline", REFUSE, problem)]


def _initrd_blockers(target: Target) -> List[Blocker]:
    """By the names alone: to look into the initrds takes longer than a survey may."""
    return [Blocker("other_initrd", WARN, sentence) for sentence in other_initrds(target, {})]


def _signature_blockers(machine: Machine, target: Target, capabilities: Dict[str, Any]) -> List[Blocker]:
    if not capabilities["signature_enforced"] or machine.arch not in _PE_ARCHITECTURES:
        return []
    with os.fdopen(machine.open_regular(target.kernel, "kernel"), "rb") as stream:
        found = signature_of(stream)
    if found == UNSIGNED:
        return [Blocker("unsigned_kernel", REFUSE, "the kernel %s: %s" % (target.kernel, _kexec.UNSIGNED))]
    if found == ALTERED:
        return [Blocker("altered_kernel", REFUSE, "the kernel %s: %s" % (target.kernel, _kexec.ALTERED))]
    return []


def room_blockers(machine: Machine, target: Target) -> List[Blocker]:
    """While it loads, the kernel holds each file twice: as read, and as placed (kernel/kexec_file.c)."""
    sizes = {path: _size(machine, path) for path in (target.kernel,) + target.initrds}
    needed = 2 * sum(sizes.values()) + _SPARE
    blockers = []
    available = _available_memory(machine)
    if available is not None and available < needed:
        blockers.append(
            Blocker(
                "no_room",
                REFUSE,
                "%d MiB of memory are available, and loading the kernel and its initrds takes %d; free memory, or "
                "reboot through the firmware" % (available >> 20, needed >> 20),
            )
        )
    joined = sum(sizes[path] for path in target.initrds) if len(target.initrds) > 1 else 0
    space = machine.space("/run")
    if joined and space is not None and space.free < joined:
        blockers.append(
            Blocker(
                "no_room",
                REFUSE,
                "the %d initrds have to be joined in /run, which needs %d MiB there and has %d; make room in /run"
                % (len(target.initrds), joined >> 20, space.free >> 20),
            )
        )
    return blockers


def _size(machine: Machine, path: str) -> int:
    try:
        return machine.stat(path).st_size
    except KexecError:
        return 0  # that it is missing is said elsewhere


def _available_memory(machine: Machine) -> Optional[int]:
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", machine.read_word("/proc/meminfo") or "", re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None


def _kdump(machine: Machine, target: Target) -> List[Blocker]:
    """The crash kernel needs memory that the next kernel has to set aside."""
    if not _kexec.is_crash_loaded(machine):
        return []
    if any(word.startswith("crashkernel=") for word in _cmdline.split(target.cmdline)):
        return []
    return [
        Blocker(
            "crash_kernel",
            WARN,
            "a crash kernel is loaded, and the command line of the kernel that is to run has no crashkernel=, so "
            "kdump is likely not to work after the reboot; add it to the boot entry",
        )
    ]
