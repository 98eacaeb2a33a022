# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a slot: a run of ansible-playbook, and whether it is known to be gone.

A process number says nothing on another machine or in another container, so it is only looked at where the boot and the
namespace of processes are the same. Elsewhere nobody knows, and a slot is left to its holder until its deadline.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import NamedTuple


class Holder(NamedTuple):
    """A run of ansible-playbook."""

    node: str
    process: int
    started: str
    """When, in ticks since the machine's boot; empty where that cannot be known."""
    space: str
    """The machine's boot and its namespace of processes; empty where they cannot be known."""

    def as_text(self) -> str:
        """For the store."""
        return "\t".join((self.node, str(self.process), self.started, self.space))

    def shown(self) -> str:
        """For an operator."""
        return "ansible-playbook (process %d on %s)" % (self.process, self.node)

    def is_gone(self) -> bool:
        """Whether it is known to have ended."""
        if not self.space or self.space != _space():
            return False
        started = _started(self.process)
        return started == "" or started != self.started


def holder_from(text: str) -> Holder:
    """The holder that :meth:`Holder.as_text` wrote."""
    node, process, started, space = text.split("\t")
    return Holder(node, int(process), started, space)


def holder_of(process: int) -> Holder:
    """The run of ansible-playbook whose main process this is."""
    return Holder(socket.gethostname(), process, _started(process), _space())


def _started(process: int) -> str:
    """When a process was started; empty where there is none (proc_pid_stat(5), field 22)."""
    try:
        stat = Path("/proc/%d/stat" % process).read_text(errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended, and waits for its parent to notice.
    return "" if fields[0] == "Z" else fields[19]


def _space() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return "%s %s" % (boot, os.readlink("/proc/self/ns/pid"))
    except OSError:
        return ""
