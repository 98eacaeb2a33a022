# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that was put to a host which may go down before it has answered."""

from __future__ import annotations

from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import Deadline
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer, Host

# A command that was put to a host which then went down would never be answered. It is given up when the SSH server
# refuses, or has been silent for so long; a host that is busy with its boot is silent for a while, too.
_MOST_SILENCE = 10.0


class ServerGone(HostUnreachable):
    """The SSH server does not answer any more, so nobody is left who could answer the command."""


class Inquiry:
    """One command, from its start to its answer.

    :param limit: seconds after which it is given up although the host is there; None for no limit.
    """

    def __init__(self, host: Host, deadline: Deadline, command: str, limit: float | None) -> None:
        self._host = host
        self._deadline = deadline
        self._limit = limit
        self._started = self._heard = deadline.now()
        self._pending = host.start(command)

    def answer(self, seconds: float) -> Answer | None:
        """The answer, or None where there is none after *seconds*. Raises HostUnreachable where it is given up."""
        answer = self._pending.wait(min(seconds, self._deadline.remaining()))
        if answer is None:
            self._look_beside()
        return answer

    def _look_beside(self) -> None:
        now = self._deadline.now()
        sign = self._host.glance()
        if sign:
            self._heard = now
        if sign is False or now - self._heard > _MOST_SILENCE:
            raise ServerGone("the host stopped answering")
        if self._limit is not None and now - self._started >= self._limit:
            raise HostUnreachable("a command did not end within %g s" % self._limit)
