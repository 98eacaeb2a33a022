# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host keeps of an armed rollback net: on disk, because the net has to outlive the boot that armed it."""

import json
from typing import NamedTuple, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

FOLDER = "/var/lib/fleetops-kexec"
STATE = FOLDER + "/net.json"


class OneShot(NamedTuple):
    """An entry that a boot loader is to start once."""

    loader: str
    """As in BootConfig: grub or systemd-boot."""
    place: str
    """GRUB's environment block; for systemd-boot the name of the EFI variable."""
    value: str
    """As written there."""


class Net(NamedTuple):
    """An armed net."""

    boot_id: str
    """Of the boot that armed it, which ran the known good kernel."""
    since: str
    """When, in UTC, as ISO 8601 has it."""
    seconds: int
    """After so long, counted from the arming and from each boot, the host takes it down by itself."""
    token: str
    """Of the staging that it secures."""
    staged_release: Optional[str]
    """What ``uname -r`` says of the staged kernel; None where nothing tells."""
    release: str
    build: str
    """Of the known good kernel, as ``uname -r`` and ``uname -v`` say."""
    one_shot: OneShot
    slot_free: bool
    """Whether the slot was empty, or had an image of ours, when this was armed: so what is in it is ours now."""
    watchdog: bool
    """Whether systemd was told to keep the hardware watchdog running at a kexec, which ends with that boot."""


def read_net(machine: Machine) -> Optional[Net]:
    """What is on record; None where nothing is. Raises KexecError where it cannot be read."""
    if not machine.exists(STATE):
        return None
    text = machine.read_text(STATE)
    try:
        values = json.loads(text)
        return Net(**dict(values, one_shot=OneShot(**values["one_shot"])))
    except (ValueError, TypeError, KeyError):
        raise KexecError(
            "%s is damaged, so it is not known which entry the boot loader was told to start once; look at it with "
            "grub-editenv list or bootctl, and remove the file" % STATE
        )


def write_net(machine: Machine, net: Net) -> None:
    """Put it on record; raises KexecError."""
    values = dict(net._asdict(), one_shot=dict(net.one_shot._asdict()))
    machine.write_atomically(STATE, json.dumps(values, indent=1) + "\n")
