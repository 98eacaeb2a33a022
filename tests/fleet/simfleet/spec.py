# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet is made of, and how its hosts are to behave. Plain values, which travel as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

OLDER, NEWER, OTHER = "6.1.0-55-amd64", "6.1.0-56-amd64", "6.1.0-54-amd64"
"""The kernels of a host: what runs at first, the boot loader's default, and one that nobody asks for."""

Way = Literal["as_asked", "firmware", "old_kernel", "rolled_back", "other_kernel", "never"]
Look = Literal["refuses", "silent", "accepts"]
What = Literal["up", "login", "asked", "down"]


@dataclass(frozen=True)
class Behaviour:
    """How a host takes to being rebooted and asked. Everything that is not the default is a fault."""

    reachable: bool = True
    """Set before the fleet starts: otherwise the host is down from the beginning."""
    reboot_seconds: float | None = None
    """From down to up; None to draw it for each reboot."""
    stop_seconds: float = 0.2
    """From the request until it is down. SSH goes on answering meanwhile, with the old boot id."""
    comes_back: Way = "as_asked"
    """firmware: instead of a kexec, with the boot loader's default. old_kernel: by a kexec, into the kernel that ran.
    rolled_back: through the firmware into that, as the boot loader's entry for one start does. other_kernel: by a
    kexec, into one that nobody asked for."""
    down_looks: Look = "refuses"
    """refuses: the port is closed, and connections are reset. silent: packets vanish, connections hang. accepts: as
    forwarders do, the port takes connections and says nothing."""
    flaps: int = 0
    """How often SSH goes away again for a moment after the boot."""
    answer_seconds: float = 0.0
    """How long each command waits before it is run."""
    dies_at: str = ""
    """The host goes down for ever when a command is run that contains this text, or is given it to read, as a pipelined
    module is."""
    new_host_key: bool = False
    """It comes back with another host key."""
    firing_hangs: bool = False
    """The command that asks for the reboot never returns, although the host does as it is told."""
    refuses_reboot: str = ""
    """The command that asks for the reboot fails with this sentence."""
    failed_units: tuple[str, ...] = ()
    """What systemd says has failed."""

    def changed(self, values: dict[str, Any]) -> Behaviour:
        """This one with other values; raises TypeError for a name that there is not."""
        if "failed_units" in values:
            values = {**values, "failed_units": tuple(values["failed_units"])}
        return dataclasses.replace(self, **values)


@dataclass(frozen=True)
class HostSpec:
    """A host as the fleet begins."""

    name: str
    address: str
    running: str = OLDER
    default: str = NEWER
    behaviour: Behaviour = field(default_factory=Behaviour)


@dataclass(frozen=True)
class FleetSpec:
    """A fleet as it begins."""

    hosts: tuple[HostSpec, ...]
    seed: int
    """Of reboot times and boot ids."""
    median_seconds: float
    """Of the log-normal distribution from which the reboot times are drawn."""
    sigma: float
    """Of their logarithms."""
    user_key: str
    """The public key that may log in as root."""

    def write(self, path: Path) -> None:
        """For another process."""
        path.write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, path: Path) -> FleetSpec:
        """What :meth:`write` wrote."""
        values = json.loads(path.read_text())
        hosts = (HostSpec(**{**host, "behaviour": Behaviour().changed(host["behaviour"])}) for host in values["hosts"])
        return cls(**{**values, "hosts": tuple(hosts)})


@dataclass(frozen=True)
class Event:
    """Something that happened to a host, seen from the host."""

    time: float
    """As time.time()."""
    host: str
    what: What
    """up: SSH answers. asked: for a reboot."""
    detail: str = ""
    """up: the boot id. asked: kexec or firmware."""
