# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd, asked and told by systemctl."""

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

UNITS = "/etc/systemd/system/"


def find_systemctl(machine: Machine) -> str:
    """The program's path; raises KexecError."""
    found = machine.find_program("systemctl")
    if found is None:
        raise KexecError("systemctl is missing on this host, on which systemd runs; install it")
    return found


def run(machine: Machine, *command: str) -> str:
    """What a command prints, of systemd's or another; raises KexecError where it fails."""
    result = machine.run(*command)
    if result.rc != 0:
        raise KexecError("%s ended with %d: %s" % (" ".join(command), result.rc, result.stderr.strip()))
    return result.stdout


def unit_property(machine: Machine, unit: str, name: str) -> str:
    """A property of a unit; the empty string where there is no such unit."""
    result = machine.run(find_systemctl(machine), "show", unit, "--property=" + name)
    return result.stdout.strip().partition("=")[2]


def is_starting(machine: Machine, target: str) -> bool:
    """Whether systemd is on its way to that target, such as reboot.target; raises KexecError where it does not tell."""
    listed = run(machine, find_systemctl(machine), "list-jobs", "--no-legend", "--no-pager")
    # The job's number, its unit, its type and its state.
    return any(line.split()[1:3] == [target, "start"] for line in listed.splitlines())
