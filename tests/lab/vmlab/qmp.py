# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's machine protocol: one command over the machine's control socket."""

import json
import os
import socket
from pathlib import Path
from typing import Any

from .errors import LabError

_SECONDS = 10.0


def command(control: Path, name: str, **arguments: Any) -> Any:
    """Sends one command and returns QEMU's answer to it.

    :param control: the socket. Its path may be longer than the 107 bytes that an address can have: it is
        reached through its folder's descriptor.
    :raises LabError: where QEMU does not answer, or answers with an error.
    """
    try:
        folder = os.open(control.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(f"/proc/self/fd/{folder}/{control.name}")
                return _converse(connection, name, arguments)
        finally:
            os.close(folder)
    except (OSError, ValueError) as error:
        raise LabError(f"QEMU did not answer on {control}: {error}. See `lab.py status`.") from error


def _converse(connection: socket.socket, name: str, arguments: dict[str, Any]) -> Any:
    with connection.makefile("rw") as stream:
        stream.readline()  # the greeting
        for request in ({"execute": "qmp_capabilities"}, {"execute": name, "arguments": arguments}):
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            answer = _answer(stream.readline)
    if "error" in answer:
        raise LabError(f"QEMU refused {name}: {answer['error'].get('desc', answer['error'])}")
    return answer["return"]


def _answer(readline: Any) -> dict[str, Any]:
    """The next line that is an answer: events come in between."""
    while line := readline():
        message: dict[str, Any] = json.loads(line)
        if "return" in message or "error" in message:
            return message
    raise OSError("it closed the connection")
