# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is asked on the host itself, as one shell command, and what it printed. Pure."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping

from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import (
    CommandCheck,
    FailedUnitsCheck,
    HostCheck,
    PortCheck,
    Ran,
    UnitCheck,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import ASK_SERVICES

# Each answer is one line: what the program printed, its line ends and NUL bytes as \037, then its return code. So
# neither its output nor a login shell's greeting can be mistaken for another answer. What is too long is read to its
# end nevertheless, for a program that is cut off would fail.
_MOST_BYTES = 2000
_ASK = (
    "ask() { printf '\\nfleetops-health:%%s:' \"$1\"; shift; "
    'rc=$( { { "$@" </dev/null 2>&1 3>&- 4>&-; echo $? >&3; } | { head -c %d; cat >/dev/null; } '
    "| tr '\\r\\n\\000' '\\037\\037\\037' >&4; } 3>&1 ); printf '\\037%%s\\n' \"$rc\"; }" % _MOST_BYTES
)
_ANSWER = re.compile(r"^fleetops-health:(\d+):([^\n]*)\037(\d+)\r?$", re.MULTILINE)

# Python is there, because modules need it: as python3, but for RHEL 8's own.
_CONNECT = (
    "import socket, sys\n"
    "try: socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()\n"
    "except OSError as error: sys.exit(str(error))"
)
_PYTHON = '"$(command -v python3 || echo /usr/libexec/platform-python)"'


def question(checks: Mapping[int, HostCheck], most_seconds: float) -> str:
    """The command. :param checks: by their numbers. :param most_seconds: that each of them may take."""
    lines = [_ASK]
    for number, check in checks.items():
        seconds = max(1, math.ceil(min(check.timeout, most_seconds)))
        if not isinstance(check, FailedUnitsCheck):
            lines.append("ask %d timeout %d %s" % (number, seconds, _words(check, seconds)))
    if any(isinstance(check, FailedUnitsCheck) for check in checks.values()):
        lines.append("echo; " + ASK_SERVICES)
    return "{ %s\n} 4>&1" % "\n".join(lines)


def _words(check: CommandCheck | PortCheck | UnitCheck, seconds: int) -> str:
    if isinstance(check, CommandCheck):
        return shlex.join(check.argv)
    if isinstance(check, PortCheck):
        return "%s -SEc %s" % (
            _PYTHON,
            shlex.join((_CONNECT, check.host or "localhost", str(check.port), str(seconds))),
        )
    properties = ["--property=" + name for name in ("LoadState", "ActiveState", "SubState", "Result")]
    return shlex.join(["systemctl", "show", *properties, "--", check.unit])


def parse_answers(output: str) -> dict[int, Ran]:
    """What the programs printed, by the checks' numbers. One that is missing was not answered."""
    return {
        int(number): Ran(int(rc), printed.replace("\037", "\n").strip())
        for number, printed, rc in _ANSWER.findall(output)
    }
