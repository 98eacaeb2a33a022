# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hardware watchdog, which resets a machine whose kernel hangs, and whether it goes on through a kexec.

systemd feeds it while it runs (RuntimeWatchdogSec), and at a kexec it leaves it running only where KExecWatchdogSec is
set; most drivers stop it in the last moment all the same, unless the kernel that is left was started with
watchdog.stop_on_reboot=0 (drivers/watchdog/watchdog_core.c). That word is never staged on anybody's behalf: at a later
power-off or halt it would have the machine reset.
"""

import re
from typing import Any, Dict, NamedTuple, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.known_trouble import TABLE
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._systemd import run

_CLASS = "/sys/class/watchdog/"
_STOP_ON_REBOOT = "/sys/module/watchdog/parameters/stop_on_reboot"

# systemd's own default for RebootWatchdogSec: what a machine may take from there until somebody feeds the dog again.
_SECONDS = 600
# Less is no time for a kernel and its initramfs.
_LEAST_SECONDS = 120

_MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")


class Watchdog(NamedTuple):
    """A hardware watchdog."""

    identity: str
    kept: bool
    """Whether a kernel that hangs after the kexec is reset by it."""
    reason: Optional[str]
    """Why it is not kept running, and what to do."""
    seconds: int
    """What systemd is to be told for the kexec; 0 for nothing."""

    def as_result(self) -> Dict[str, Any]:
        """For the module."""
        return {"identity": self.identity, "kept": self.kept, "reason": self.reason}


def read_watchdog(machine: Machine) -> Optional[Watchdog]:
    """The machine's watchdog, the active one of several; None where it has none."""
    names = machine.names(_CLASS)
    if not names:
        return None
    active = [name for name in names if machine.read_word(_CLASS + name + "/state") == "active"]
    name = (active or names)[0]
    identity = machine.read_word(_CLASS + name + "/identity") or name
    if not active:
        return _lost(identity, "it is not running; RuntimeWatchdogSec= in systemd-system.conf(5) starts it")
    driver = (machine.link_name(_CLASS + name + "/device/driver") or "").replace("-", "_")
    trouble = next((row for row in TABLE if row.driver == driver), None)
    if trouble is not None:
        return _lost(identity, trouble.sentence())
    try:
        return _kept_by_systemd(machine, name, identity)
    except KexecError as error:
        return _lost(identity, str(error))


def _lost(identity: str, reason: str) -> Watchdog:
    return Watchdog(identity, False, reason, 0)


def _kept_by_systemd(machine: Machine, name: str, identity: str) -> Watchdog:
    if not _property(machine, "RuntimeWatchdogUSec"):
        return _lost(identity, "it is fed by another program than systemd, which does not outlive the kexec")
    set_already = _property(machine, "KExecWatchdogUSec")
    if set_already is None:
        return _lost(identity, "this systemd is older than version 247 and stops it at a kexec")
    if machine.read_word(_STOP_ON_REBOOT) != "0":
        return _lost(
            identity,
            "the running kernel may stop it at the kexec; only a kernel started with watchdog.stop_on_reboot=0 on its "
            "command line does not",
        )
    if set_already:
        return Watchdog(identity, True, None, 0)
    most = machine.read_word(_CLASS + name + "/max_timeout")
    if most == "0":
        return _lost(identity, "its driver needs the kernel's help to wait for long, and has none during the kexec")
    seconds = min(_SECONDS, int(most)) if most is not None and most.isdigit() else _SECONDS
    if seconds < _LEAST_SECONDS:
        return _lost(identity, "it cannot wait for longer than %d seconds, in which few kernels are up" % seconds)
    return Watchdog(identity, True, None, seconds)


def _property(machine: Machine, name: str) -> Optional[int]:
    """A property of systemd's manager, in microseconds; None where it has none of that name. Raises KexecError."""
    result = machine.run(_busctl(machine), "get-property", *_MANAGER, name)
    found = re.match(r"t ([0-9]+)\s*\Z", result.stdout)
    return int(found.group(1)) if result.rc == 0 and found else None


def keep_at_kexec(machine: Machine, seconds: int) -> None:
    """Tell systemd to leave the watchdog running at a kexec, with so much time; 0 to stop it. Lasts for this boot.

    Raises KexecError.
    """
    run(machine, _busctl(machine), "set-property", *_MANAGER, "KExecWatchdogUSec", "t", str(seconds * 1000000))


def _busctl(machine: Machine) -> str:
    found = machine.find_program("busctl")
    if found is None:
        raise KexecError("busctl is missing, by which systemd is asked for its watchdog")
    return found
