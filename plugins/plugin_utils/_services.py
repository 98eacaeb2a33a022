# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which systemd units have failed, and whether the boot has come to its end. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Bounded on the host: a manager that is busy with its boot or its end must not hold up the question beside it. Of a
# host without failed units only one thing is asked. Each answer is one line, so that a login shell's greeting cannot
# be mistaken for it.
ASK_SERVICES = (
    "state=$(timeout 2 systemctl show --property=SystemState --property=NFailedUnits 2>/dev/null | tr '\\n' ' '); "
    "case $state in *NFailedUnits=0*) units= ;; *) units=$(timeout 2 systemctl list-units --state=failed --plain "
    "--no-legend --no-pager 2>/dev/null | while read -r unit rest; do printf '%s ' \"$unit\"; done) ;; esac; "
    'printf \'fleetops-system:%s\\nfleetops-failed-units:%s\\n\' "$state" "$units"'
)
_SYSTEM = re.compile(r"^fleetops-system:[^\r\n]*\bSystemState=([a-z]+)", re.MULTILINE)
_FAILED = re.compile(r"^fleetops-failed-units:([^\r\n]*)", re.MULTILINE)

# The words of is-system-running, systemctl(1).
_STILL_BOOTING = ("initializing", "starting")


@dataclass(frozen=True)
class Services:
    """The state of a host's services, as systemd sees it."""

    failed: tuple[str, ...]
    is_settled: bool
    """Whether the boot has come to its end, well or not."""


def parse_services(output: str) -> Services | None:
    """What :data:`ASK_SERVICES` printed; None where there is no systemd that answers."""
    system, failed = _SYSTEM.search(output), _FAILED.search(output)
    if system is None or failed is None or system.group(1) == "offline":
        return None
    return Services(tuple(failed.group(1).split()), system.group(1) not in _STILL_BOOTING)


def new_failures(before: Services | None, after: Services | None) -> list[str]:
    """The units that have failed now and had not before; none where one of the two is not known."""
    if before is None or after is None:
        return []
    return [unit for unit in after.failed if unit not in before.failed]
