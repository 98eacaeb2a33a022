# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command of a simulated host as a process of this machine, which sees that host's files and nothing else.

bubblewrap makes the view. The process is root only among those files: in a user namespace of its own and without
capabilities it could not load a kernel or reboot this machine if it tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

STANDINS = Path(__file__).parent / "standins"

ENVIRONMENT: Mapping[str, str] = {
    "HOME": "/root",
    "LOGNAME": "root",
    "USER": "root",
    "SHELL": "/bin/sh",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    # Where Python finds the stand-in for the system calls.
    "PYTHONPATH": "/simulator/python",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_DEVICES = ("null", "zero", "random", "urandom")
_SYSTEM = ("/usr/bin", "/usr/lib", "/usr/lib64")


EVENTS, COMPILED = "events", "compiled"
"""In the folder that all hosts share: a FIFO that the simulator reads, and compiled Python."""


class Folders(NamedTuple):
    """What makes up a host's view."""

    root: Path
    """The host's files."""
    state: Path
    """What its stand-ins share with the simulator."""
    shared: Path
    """What the stand-ins of all hosts share with it."""


def argv(folders: Folders, command: str) -> list[str]:
    """What runs a command line as root's login shell would."""
    words = ["bwrap", "--unshare-user", "--uid", "0", "--gid", "0", "--cap-drop", "ALL", "--die-with-parent"]
    words += ["--bind", str(folders.root), "/"]
    for folder in _SYSTEM:
        words += ["--ro-bind-try", folder, folder]
    # Python has its standard library only, and of the administrator's programs there are the stand-ins only.
    words += ["--tmpfs", "/usr/lib/python3", "--ro-bind", str(STANDINS / "bin"), "/usr/sbin"]
    words += ["--bind", str(folders.state), "/simulator", "--bind", str(folders.shared), "/simulator/shared"]
    words += ["--ro-bind", str(STANDINS / "python"), "/simulator/python"]
    for device in _DEVICES:
        words += ["--dev-bind", "/dev/" + device, "/dev/" + device]
    return [*words, "--chdir", "/root", "--", "/bin/sh", "-c", command]
