# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real SSH servers on loopback, with keys made for the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

_SBIN = "/usr/sbin:/sbin:" + os.environ["PATH"]


def program(name):
    """Where it is; the test is skipped where it is not."""
    found = shutil.which(name, path=_SBIN)
    if found is None:
        pytest.skip(
            "%s is not installed (Debian: %s)" % (name, "dropbear-bin" if "dropbear" in name else "openssh-server")
        )
    return found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def make_key(folder, name, kind="ed25519"):
    """An OpenSSH key pair, and its fingerprint as ssh-keygen shows it."""
    path = folder / name
    subprocess.run([program("ssh-keygen"), "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    shown = subprocess.run([program("ssh-keygen"), "-l", "-f", str(path)], check=True, capture_output=True, text=True)
    return path, shown.stdout.split()[1]


class Server:
    """One server, from its first banner until it is told to stop."""

    def __init__(self, words, port, **options):
        self.port = port
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        deadline = time.monotonic() + 15
        while not self._answers():
            assert self.process.poll() is None, "%s ended with %s" % (words[0], self.process.returncode)
            assert time.monotonic() < deadline, "%s does not answer" % words[0]
            time.sleep(0.05)

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def start_sshd(folder, keys, port=None, options=()):
    """OpenSSH's server with these host keys. Started by root it would want a user and a folder of its own."""
    port = port or free_port()
    settings = {"AuthorizedKeysFile": "none", "PidFile": "none", "UsePAM": "no", **dict(options)}
    words = [program("sshd"), "-D", "-f", "/dev/null", "-p", str(port), "-o", "ListenAddress=127.0.0.1"]
    for key in keys:
        words += ["-h", str(key)]
    for name, value in settings.items():
        words += ["-o", "%s=%s" % (name, value)]
    if os.geteuid() != 0:
        return Server(words, port)
    for key in keys:
        shutil.chown(key, "nobody")
        for parent in list(Path(key).parents)[:-2]:
            parent.chmod(parent.stat().st_mode | 0o011)
    return Server(words, port, user="nobody")


def start_dropbear(folder, port=None):
    """The server that an initramfs has."""
    port = port or free_port()
    key = folder / "dropbear"
    subprocess.run([program("dropbearkey"), "-t", "ed25519", "-f", str(key)], check=True, capture_output=True)
    return Server([program("dropbear"), "-F", "-E", "-r", str(key), "-p", "127.0.0.1:%d" % port, "-P", ""], port)
