# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accepting the running kernel: what is armed, and its end, as one plan."""

from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils import _staging
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.kernel import kernel_blockers
from ansible_collections.fleetops.kexec.plugins.module_utils._cmdline import token_of
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import read_host_kind
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._net import guard, one_shot
from ansible_collections.fleetops.kexec.plugins.module_utils._net.end import end
from ansible_collections.fleetops.kexec.plugins.module_utils._net.panic import Change, plan_panic
from ansible_collections.fleetops.kexec.plugins.module_utils._net.state import Net, read_net
from ansible_collections.fleetops.kexec.plugins.module_utils._running import Running, read_running


class Plan(NamedTuple):
    """What is armed, and what accepting the running kernel has to change."""

    commit: bool
    """False to report only."""
    net: Optional[Net]
    is_armed: bool
    """Whether the boot loader is still to start the known good kernel once."""
    is_guarded: bool
    """Whether anything of a guard is on the host."""
    panic: Optional[Change]
    running: Running

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return self.commit and (self.net is not None or self.is_guarded or self.panic is not None)

    def apply(self, machine: Machine) -> None:
        """Do it; raises KexecError."""
        if self.changed:
            end(machine, self.net, self.running)

    @property
    def rolled_back(self) -> bool:
        """Whether the host has come back to the known good kernel instead of the staged one."""
        if self.net is None or self.net.boot_id == self.running.boot_id:
            return False
        if token_of(self.running.cmdline) == self.net.token:
            return False
        return (self.running.release, self.running.version) == (self.net.release, self.net.build)

    def result(self) -> Dict[str, Any]:
        """For the module."""
        return {
            "net": None if self.net is None else _shown(self.net, self.is_armed),
            "rolled_back": self.rolled_back,
            "kernel_panic": None if self.panic is None else dict(self.panic._asdict()),
        }

    def warnings(self) -> List[str]:
        """What an operator should know."""
        if self.net is None or not self.rolled_back:
            return []
        return [
            "this host was rolled back: it runs %s (%s) again, and %s was staged; the boot loader's default may still "
            "be the kernel that has failed" % (self.net.release, self.net.build, _staged(self.net))
        ]

    def diff(self) -> Dict[str, str]:
        """Before and after as Ansible shows them with --diff."""
        before, after = "", ""
        if self.net is not None:
            before += "net: %s (%s)\n" % (self.net.one_shot.value, self.net.release)
        if self.panic is not None:
            before += "kernel.panic: %d\n" % self.panic.before
            after += "kernel.panic: %d\n" % self.panic.after
        return {"before": before, "after": after if self.commit else before}


def _staged(net: Net) -> str:
    return net.staged_release or "a kernel of unknown release"


def _shown(net: Net, is_armed: bool) -> Dict[str, Any]:
    return {
        "armed": is_armed,
        "entry": net.one_shot.value,
        "release": net.release,
        "since": net.since,
        "token": net.token,
        "staged_release": net.staged_release,
    }


def plan_for(machine: Machine, commit: bool) -> Plan:
    """Look at the host. Raises KexecError where the running kernel is not the one to accept."""
    kind = read_host_kind(machine)
    if kind.container is not None:
        raise KexecError(kernel_blockers(machine, kind.container)[0].message)
    if machine.euid != 0:
        raise KexecError("this ran without root, which it needs; use become: true")
    running = read_running(machine)
    net = read_net(machine)
    if commit and net is not None and _staging.read_record(machine, net.boot_id) and net.boot_id == running.boot_id:
        raise KexecError(
            "the staged kernel (%s) has not been started yet; kexec_reboot starts it, and kexec_load with "
            "state=unloaded calls it off together with its net" % _staged(net)
        )
    return Plan(
        commit=commit,
        net=net,
        is_armed=net is not None and one_shot.is_set(machine, net.one_shot),
        is_guarded=guard.is_installed(machine),
        panic=plan_panic(machine, running),
        running=running,
    )
