# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose SSH server answers: its host key, by a key exchange without logging in."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import socket
import warnings
from collections.abc import Callable
from dataclasses import dataclass

# Here, and so in the process that forks the workers: each of them would use 0.1 s of processor time and 30 MB for it.
try:
    with warnings.catch_warnings():
        # Several versions of it warn of ciphers that they themselves import, onto the terminal.
        warnings.simplefilter("ignore")
        import paramiko
except ImportError:
    IS_AVAILABLE = False
else:
    IS_AVAILABLE = True

# What this module has to say it says by its errors; without a handler, logging would write to the terminal.
_LOG = "fleetops.kexec.host_key"
logging.getLogger(_LOG).addHandler(logging.NullHandler())
logging.getLogger(_LOG).propagate = False

# Seconds for the end of an exchange that is given up.
_MOST_END_SECONDS = 2.0

_SHOWN = re.compile(r"(\S+) (SHA256:\S+)")


class HostKeyError(Exception):
    """The server did not show its host key, as a sentence."""


@dataclass(frozen=True)
class HostKey:
    """A server's host key. Where the host has a certificate for it, this is the plain key behind it."""

    kind: str
    """As in known_hosts: ssh-ed25519, ssh-rsa, ecdsa-sha2-nistp256."""
    fingerprint: str
    """As ssh-keygen -l shows it: SHA256:..."""

    def __str__(self) -> str:
        return "%s %s" % (self.kind, self.fingerprint)


def parse_host_key(shown: str) -> HostKey | None:
    """The reverse of str(); None for anything else."""
    found = _SHOWN.fullmatch(shown)
    return HostKey(*found.groups()) if found else None


def read_host_key(connect: Callable[[], socket.socket], kind: str | None, seconds: float) -> HostKey:
    """The server's host key. Raises HostKeyError. To be called where paramiko IS_AVAILABLE only.

    A server may have keys of several kinds and shows the one that is agreed on.

    :param connect: opens a connection, for one exchange. :param kind: the kind to ask for; None for any. A server
        that has none of it shows another. :param seconds: for one exchange.
    """
    try:
        try:
            return _exchange(connect(), kind, seconds)
        except paramiko.ssh_exception.IncompatiblePeer:
            if kind is None:
                raise
            return _exchange(connect(), None, seconds)
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise HostKeyError("its SSH server did not show a host key: %s" % (str(error) or "it closed the connection"))


def _exchange(connection: socket.socket, kind: str | None, seconds: float) -> HostKey:
    transport = None
    try:
        transport = paramiko.Transport(connection)
        transport.set_log_channel(_LOG)
        transport.banner_timeout = transport.handshake_timeout = seconds
        if kind is not None:
            options = transport.get_security_options()
            options.key_types = [name for name in options.key_types if _is_of(kind, name)]
        transport.start_client(timeout=seconds)
        if not transport.initial_kex_done:
            raise HostKeyError("its SSH server did not end the key exchange within %g s" % seconds)
        key = transport.get_remote_server_key()
    finally:
        if transport is not None:
            transport.close()
            # A thread, which close() does not wait for.
            if transport.is_alive():
                transport.join(_MOST_END_SECONDS)
        connection.close()
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return HostKey(key.get_name(), "SHA256:" + digest)


def _is_of(kind: str, algorithm: str) -> bool:
    """Whether that algorithm signs with a key of that kind: an RSA key has several (RFC 8332)."""
    return algorithm == kind or (kind == "ssh-rsa" and algorithm.startswith("rsa-sha2-"))
