# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot loader's entry for the kernel that runs now, and the proof that the loader can be told to start it once."""

from typing import Callable, Dict, NamedTuple, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils import _cmdline
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import grub, systemd_boot
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import BootConfig, BootEntry
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._net.one_shot import GRUB, SYSTEMD_BOOT, find_tool
from ansible_collections.fleetops.kexec.plugins.module_utils._net.state import OneShot
from ansible_collections.fleetops.kexec.plugins.module_utils._running import Running, release_in_name
from ansible_collections.fleetops.kexec.plugins.module_utils._target import inspect_kernel, is_for_rescue


class _Answer(NamedTuple):
    """What the boot loader would do."""

    entry: Optional[BootEntry]
    place: Optional[str]
    """Where the entry for one start is kept; None where the boot loader reads none."""


def _ask_grub(machine: Machine, config: BootConfig, value: str) -> _Answer:
    once = grub.would_start(machine, config.path, value)
    return _Answer(once.entry, once.block)


def _ask_systemd_boot(machine: Machine, config: BootConfig, value: str) -> _Answer:
    return _Answer(systemd_boot.would_start(machine, value), systemd_boot.ONE_SHOT)


_ASK: Dict[str, Callable[[Machine, BootConfig, str], _Answer]] = {
    GRUB: _ask_grub,
    SYSTEMD_BOOT: _ask_systemd_boot,
}


def find_fallback(machine: Machine, config: BootConfig, running: Running) -> OneShot:
    """What to set so that the boot loader's next start, and only that, is of the running kernel.

    Raises KexecError where that cannot be done, or not be proven.
    """
    ask = _ASK.get(config.loader)
    if ask is None:
        raise KexecError("this version cannot tell the boot loader %s to start an entry once" % config.loader)
    find_tool(machine, config.loader)
    entries = [entry for entry in config.entries if _is_running_kernel(machine, entry, running)]
    if not entries:
        raise KexecError(
            "%s has no entry for the running kernel %s: its package was removed, or brought another build since it was "
            "started" % (config.path, running.release)
        )
    # The entry by which it was started knows best what this kernel needs.
    words = _cmdline.clean(running.cmdline)
    entries.sort(key=lambda entry: _cmdline.clean(entry.cmdline) != words)
    for entry in entries:
        for value in (entry.id, entry.title):
            answer = ask(machine, config, value)
            if answer.place is not None and _is_same(answer.entry, entry):
                return OneShot(config.loader, answer.place, value)
    raise KexecError(
        "%s does not heed an entry for one start: told to start %s, the boot loader would start something else"
        % (config.path, entries[0].id)
    )


def _is_running_kernel(machine: Machine, entry: BootEntry, running: Running) -> bool:
    """Whether the entry's file is the very build that runs, and the entry one for everyday use."""
    if entry.problem is not None or is_for_rescue(entry):
        return False
    try:
        image = inspect_kernel(machine, entry.kernel)
    except KexecError:
        return False
    if image.release is None:  # Not every architecture's image tells.
        return release_in_name(entry.kernel) == running.release
    return (image.release, image.build) == (running.release, running.version)


def _is_same(first: Optional[BootEntry], second: BootEntry) -> bool:
    """Whether both start the same; ids need not be unique."""
    if first is None:
        return False
    return (first.kernel, first.initrds, first.cmdline) == (second.kernel, second.initrds, second.cmdline)
