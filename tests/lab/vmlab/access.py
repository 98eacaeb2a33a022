# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How machines are reached: ssh's options, known_hosts, the Ansible inventory, and whether one answers."""

import json
import shlex
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ADDRESS = "127.0.0.1"


class Access(NamedTuple):
    """The files that every connection to the lab's machines needs."""

    key: Path
    known_hosts: Path


def ssh_options(access: Access) -> list[str]:
    """Nothing of the user's own configuration, and host keys that are known from the start (pure)."""
    # ssh splits this value at blanks unless it is quoted.
    known = f'"{access.known_hosts}"' if " " in str(access.known_hosts) else str(access.known_hosts)
    return [
        *("-F", "none", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"),
        *("-o", f"UserKnownHostsFile={known}", "-o", "GlobalKnownHostsFile=/dev/null"),
    ]


def ssh_command(access: Access, port: int, words: Sequence[str] = ()) -> list[str]:
    """The argument list of an ssh to a machine; the words are a command line for its shell (pure)."""
    to = ["-i", str(access.key), "-p", str(port), f"root@{ADDRESS}"]
    return ["ssh", *ssh_options(access), *to, *words]


def known_hosts(keys: Mapping[int, str]) -> str:
    """The known_hosts file: one line for each machine's port and public host key (pure)."""
    return "".join(f"[{ADDRESS}]:{port} {' '.join(key.split()[:2])}\n" for port, key in sorted(keys.items()))


def inventory(ports: Mapping[str, int], access: Access) -> str:
    """An Ansible inventory (pure): YAML, written as JSON strings where a value might mean something to YAML."""
    shared = {
        "ansible_host": ADDRESS,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(access.key),
        "ansible_ssh_common_args": shlex.join(ssh_options(access)),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    lines = ["# Written by `lab.py up` and `lab.py down`.", "lab:", "  hosts:" if ports else "  hosts: {}"]
    for name, port in ports.items():
        lines += [f"    {name}:", f"      ansible_port: {port}"]
    lines += ["  vars:", *(f"    {name}: {json.dumps(value)}" for name, value in shared.items())]
    return "\n".join(lines) + "\n"


def banner(port: int, seconds: float = 3.0) -> bool:
    """Does an SSH server answer? QEMU accepts the connection long before the guest does, and says nothing."""
    try:
        with socket.create_connection((ADDRESS, port), timeout=seconds) as connection:
            connection.settimeout(seconds)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def is_free(port: int) -> bool:
    """Could a machine listen on this port?"""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
        except OSError:
            return False
    return True
