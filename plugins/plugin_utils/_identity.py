# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is it the same host whose SSH answers? Another SSH server may come first: an initramfs, or a rescue system."""

from __future__ import annotations

from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import Deadline
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Host, Pending
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host_key import HostKey

# Seconds for the host key before the reboot, which is read beside the first command.
_MOST_BEFORE = 5.0

# Seconds until a key is read again where it was another one, and where it could not be read. An exchange without a
# login is what OpenSSH's PerSourcePenalties count, so it is not done at every look.
_OTHER_AGAIN = 5.0
_UNREAD_AGAIN = 2.0


class Identity:
    """The host key before and after.

    :param known: the key of the host, where an earlier task has seen it.
    """

    def __init__(self, host: Host, deadline: Deadline, required: bool, known: HostKey | None) -> None:
        self._host = host
        self._deadline = deadline
        self._required = required
        self._reading: Pending[HostKey] | None = None
        self._read_at = float("-inf")
        self._is_same: bool | None = None
        self.before = known
        self.after: HostKey | None = None
        self.trouble = ""
        """Why it cannot be said, or is not the same host."""

    def begin(self) -> None:
        """Read the key that the host has before its reboot; see learn."""
        if self._required:
            self._reading = self._host.read_key(None)

    def learn(self) -> str:
        """Wait for that key. Returns why it cannot be compared; empty where it can, or where nobody is to compare."""
        if self._reading is None:
            return ""
        try:
            self.before = self._reading.wait(min(_MOST_BEFORE, self._deadline.remaining()))
            why = "it took too long"
        except HostUnreachable as error:
            why = str(error)
        self._reading = None
        return "" if self.before is not None else why

    def forget(self) -> None:
        """The server that was looked at is gone; whoever answers next is looked at anew."""
        self._reading = self._is_same = self.after = None
        self._read_at = float("-inf")
        self.trouble = ""

    def verdict(self, seconds: float) -> bool | None:
        """Whether it is the same host; None where that is not known after *seconds*. True where nobody can tell."""
        if self.before is None:
            return True
        if self._is_same:
            return True
        again = _UNREAD_AGAIN if self._is_same is None else _OTHER_AGAIN
        if self._reading is None and self._deadline.now() - self._read_at >= again:
            self._read_at = self._deadline.now()
            self._reading = self._host.read_key(self.before.kind)
            if self._reading is None:
                return True
        if self._reading is not None:
            self._judge(self._reading, seconds)
        return self._is_same

    def _judge(self, reading: Pending[HostKey], seconds: float) -> None:
        try:
            self.after = reading.wait(min(seconds, self._deadline.remaining()))
            if self.after is None:
                return
        except HostUnreachable as error:
            self._reading, self._is_same, self.trouble = None, None, str(error)
            return
        self._reading = None
        self._is_same = self.after == self.before
        if not self._is_same:
            self.trouble = "another SSH server answers: its host key is %s, and the host's was %s" % (
                self.after,
                self.before,
            )
