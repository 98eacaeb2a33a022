# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime socket: a seam, as _machine.py is."""

import os
import re
import socket
import time

from ansible_collections.fleetops.kexec.plugins.module_utils._haproxy import Runtime
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

_ANSWER_SECONDS = 10.0
_TCP = re.compile(r"\[?(?P<host>[^\]/]+)\]?:(?P<port>\d{1,5})")


def runtime_at(place: str) -> Runtime:
    """The load balancer behind a socket.

    :param place: the path of a UNIX socket, or HOST:PORT.
    """

    def ask(command: str) -> str:
        try:
            return _ask(place, command)
        except socket.timeout:
            raise KexecError("HAProxy at %s did not answer within %g s" % (place, _ANSWER_SECONDS))
        except OSError as error:
            raise KexecError(
                "cannot talk to HAProxy at %s: %s. Is it running, and is this a `stats socket` of its configuration?"
                % (place, error.strerror or error)
            )

    return Runtime(ask, time.monotonic, time.sleep, place)


def _ask(place: str, command: str) -> str:
    with _connect(place) as connection:
        connection.sendall(command.encode() + b"\n")
        answer = b""
        while True:
            part = connection.recv(65536)
            if not part:
                return answer.decode("utf-8", "replace")
            answer += part


def _connect(place: str) -> socket.socket:
    tcp = _TCP.fullmatch(place)
    if tcp is not None:
        return socket.create_connection((tcp.group("host"), int(tcp.group("port"))), timeout=_ANSWER_SECONDS)
    if not os.path.isabs(place):
        raise KexecError("the socket %r is neither a whole path nor HOST:PORT; correct the task" % place)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_ANSWER_SECONDS)
    try:
        connection.connect(place)
    except OSError:
        connection.close()
        raise
    return connection
