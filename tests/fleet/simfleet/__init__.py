# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated hosts: the one place of this project's tests where a host is not real.

One process answers as hundreds of SSH servers, each on an address of its own in 127.0.0.0/8. What is simulated is the
machine: its kernel, its boot loader's files, its init system, and the time that a reboot takes. What is real is all
that talks to it: ssh, Ansible's connection and transfer, the playbooks, and the modules, which run as real Python
processes over the host's files. See the README beside this package.
"""

from .fleet import SimulatedFleet, SimulatorError, host_specs
from .spec import NEWER, OLDER, OTHER, Behaviour, Event, HostSpec

__all__ = [
    "NEWER",
    "OLDER",
    "OTHER",
    "Behaviour",
    "Event",
    "HostSpec",
    "SimulatedFleet",
    "SimulatorError",
    "host_specs",
]
