# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a net, whoever ends it: kexec_commit, kexec_load, or the host's own guard."""

from typing import Optional

from ansible_collections.fleetops.kexec.plugins.module_utils import _watchdog
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._net import guard, one_shot
from ansible_collections.fleetops.kexec.plugins.module_utils._net.panic import plan_panic
from ansible_collections.fleetops.kexec.plugins.module_utils._net.state import STATE, Net
from ansible_collections.fleetops.kexec.plugins.module_utils._running import Running


def end(machine: Machine, net: Optional[Net], running: Running, shutting_down: bool = False) -> None:
    """Leave the host as if there had been no net: boot loader, watchdog, record, kernel.panic, guard.

    In this order, because the guard starts anew at each boot until it is the last thing that is left: whoever dies on
    the way, it does the rest. Raises KexecError.

    :param shutting_down: as in guard.uninstall.
    """
    if net is not None:
        one_shot.remove_if_set(machine, net.one_shot)
        if net.watchdog and net.boot_id == running.boot_id:
            _watchdog.keep_at_kexec(machine, 0)
        machine.remove(STATE)
    change = plan_panic(machine, running)
    if change is not None:
        change.apply(machine)
    if guard.is_installed(machine):
        guard.uninstall(machine, shutting_down)
