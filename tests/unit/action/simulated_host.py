# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that exists only as an SSH server on loopback: real protocol, real time, and a boot that is made up."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
import uuid

import paramiko
from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import QUESTION

OLD, NEW = "6.1.0-55", "6.1.0-56"


SILENT = logging.getLogger("simulated host")
SILENT.disabled = True


class SimulatedHost:
    """Runs until it is closed.

    :param down_after: seconds from the request until it stops answering. :param off: seconds until it answers again.
    :param power: a file that has to be there before that. :param hang: whether the command that fires the reboot never
        ends. :param stranger: seconds in which another SSH server answers before the host itself does.
    :param replies: what commands with a certain text in them print, and their return code; None where one never ends.
    :param values: what the host says of itself otherwise than usual.
    """

    def __init__(self, down_after=0.5, off=2.0, hang=False, stranger=0.0, power=None, replies=None, values=None):
        self.replies, self.values = replies or {}, values or {}
        self.down_after, self.off, self.hang, self.stranger, self.power = down_after, off, hang, stranger, power
        self.boot_id = str(uuid.uuid4())
        self.is_new = False
        self.ready_at = None
        self.fired = 0
        self.commands = []
        self.key, self.other_key = paramiko.RSAKey.generate(2048), paramiko.RSAKey.generate(2048)
        self.closing = threading.Event()
        self.listener, self.transports, self.hanging = None, [], []
        self.port = 0
        self._listen(self.key)

    def _listen(self, key):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener, key), daemon=True).start()

    def _accept(self, listener, key):
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                transport = paramiko.Transport(connection)
                transport.logger = SILENT
                transport.add_server_key(key)
                self.transports.append(transport)
                threading.Thread(target=self._serve, args=(transport,), daemon=True).start()

    def _serve(self, transport):
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=Session(self))

    def _silence(self):
        """The server is gone. Whoever waits for a command that hangs does not hear of it, as when a kernel stops."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for transport in self.transports:
            if transport not in self.hanging or self.closing.is_set():
                transport.close()

    def reboot(self):
        self.fired += 1
        threading.Thread(target=self._reboot, daemon=True).start()

    def _reboot(self):
        time.sleep(self.down_after)
        self._silence()
        time.sleep(self.off)
        while self.power is not None and not self.power.exists():
            time.sleep(0.1)
        self.boot_id, self.is_new = str(uuid.uuid4()), True
        if self.stranger:
            self._listen(self.other_key)
            time.sleep(self.stranger)
            self._silence()
        self._listen(self.key)
        self.ready_at = time.time()

    def close(self):
        self.closing.set()
        self._silence()

    def answer(self, command):
        """What a command prints, and its return code; None where it never ends."""
        self.commands.append(command)
        for text, reply in self.replies.items():
            if text in command:
                return reply
        if "systemctl kexec" in command:
            self.reboot()
            return None if self.hang else ("", 0)
        return (self.describe(), 0) if QUESTION.split("'", maxsplit=1)[0] in command else ("", 0)

    def describe(self):
        record = {"boot_id": self.boot_id, "token": "T", "release": NEW, "build": None}
        values = {
            "/proc/sys/kernel/random/boot_id": self.boot_id,
            "/proc/sys/kernel/osrelease": NEW if self.is_new else OLD,
            "/proc/cmdline": "ro fleetops.boot=T" if self.is_new else "ro",
            "/proc/sys/kernel/bootloader_type": "208" if self.is_new else "114",
            "/sys/kernel/kexec_loaded": "0" if self.is_new else "1",
            "/proc/1/comm": "systemd",
            "fleetops-uid": "0",
            "fleetops-system": "SystemState=running NFailedUnits=0",
            "fleetops-failed-units": "",
        }
        if not self.is_new:
            values["/run/fleetops-kexec/staged.json"] = json.dumps(record)
        values.update(self.values)
        return "".join("%s:%s\n" % item for item in values.items())


class Session(paramiko.ServerInterface):
    """One login."""

    def __init__(self, host):
        self.host = host

    def get_allowed_auths(self, username):
        return "none,password"

    def check_auth_password(self, username, password):
        return paramiko.AUTH_SUCCESSFUL

    def check_auth_none(self, username):
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_env_request(self, channel, name, value):
        return True

    def check_channel_pty_request(self, *_of_a_terminal):
        return True

    def check_channel_exec_request(self, channel, command):
        threading.Thread(target=self._run, args=(channel, command.decode()), daemon=True).start()
        return True

    def _run(self, channel, command):
        # The client wants to hear first that the command was accepted.
        time.sleep(0.05)
        answer = self.host.answer(command)
        if answer is None:
            self.host.hanging.append(channel.get_transport())
            return
        with contextlib.suppress(OSError, EOFError):
            channel.sendall(answer[0].encode())
            channel.send_exit_status(answer[1])
            channel.close()
