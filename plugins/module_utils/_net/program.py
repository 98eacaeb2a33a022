# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's own guard runs: the end of a net that nobody has ended."""

import argparse
import sys
from typing import List, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils import _kexec, _staging
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import (
    KexecError,
    Machine,
    local_machine,
    shown,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._net.end import end
from ansible_collections.fleetops.kexec.plugins.module_utils._net.state import Net, read_net
from ansible_collections.fleetops.kexec.plugins.module_utils._running import read_running
from ansible_collections.fleetops.kexec.plugins.module_utils._systemd import is_starting


def expire(machine: Machine) -> str:
    """The time is over. Returns what was done; raises KexecError."""
    return _end(machine, "its time is over", False)


def shutdown(machine: Machine) -> str:
    """The services are being stopped. Returns what was done; raises KexecError."""
    if is_starting(machine, "kexec.target"):
        return "the rollback net stays, because this shutdown is a kexec"
    return _end(machine, "the system goes down", True)


def _end(machine: Machine, why: str, shutting_down: bool) -> str:
    net, running = read_net(machine), read_running(machine)
    if net is not None and net.boot_id == running.boot_id:
        _call_off(machine, net)
    end(machine, net, running, shutting_down)
    if net is None:
        return "there is no rollback net to take down"
    return "the rollback net is down, because %s: the boot loader starts its default again instead of %s (%s)" % (
        why,
        net.one_shot.value,
        net.release,
    )


def _call_off(machine: Machine, net: Net) -> None:
    """What was staged was never started: an image that stays would turn some later reboot into a kexec."""
    # There is no record where kexec_load has died between loading an image and putting it on record.
    if _kexec.is_loaded(machine) and (net.slot_free or _staging.read_record(machine, net.boot_id) is not None):
        _staging.unload(machine)


_COMMANDS = {"expire": expire, "shutdown": shutdown}


def main(arguments: Optional[List[str]] = None, machine: Optional[Machine] = None) -> int:
    """The installed program; returns its exit code."""
    parser = argparse.ArgumentParser(prog="net", description="Takes down the rollback net of a staged kernel.")
    parser.add_argument("command", choices=sorted(_COMMANDS))
    function = _COMMANDS[parser.parse_args(arguments).command]
    try:
        sys.stdout.write(shown(function(local_machine() if machine is None else machine)) + "\n")
    except KexecError as error:
        sys.stderr.write(shown("cannot take down the rollback net: %s" % error) + "\n")
        return 1
    return 0
