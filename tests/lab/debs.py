# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages for a machine that has no network: fetched here, and copied there."""

from __future__ import annotations

import subprocess
from pathlib import Path

from driver import Fleet


def output(*command: str, folder: Path) -> str:
    """What a command prints in a folder; it must succeed."""
    return subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    ).stdout


def download(folder: Path, *names: str) -> list[Path]:
    """The packages' files, from the archive that this machine uses."""
    output("apt-get", "download", *names, folder=folder)
    return sorted(folder.glob("*.deb"))


def copy(fleet: Fleet, host: str, file: Path, path: str) -> None:
    """Put a file onto a host."""
    with file.open("rb") as stream:
        subprocess.run(fleet.machine(host).ssh_command("cat > " + path), stdin=stream, check=True)


def install(fleet: Fleet, host: str, files: list[Path]) -> None:
    """Install packages on a host, which has what they depend on."""
    for number, file in enumerate(files):
        copy(fleet, host, file, "/root/package%d.deb" % number)
    fleet.ssh(host, "DEBIAN_FRONTEND=noninteractive dpkg -i /root/package*.deb && rm /root/package*.deb")
