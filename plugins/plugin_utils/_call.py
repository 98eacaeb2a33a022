# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A blocking call in a thread of its own, so that a connection that hangs cannot hang the task."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from ansible.errors import AnsibleError

# Seconds in which a call that has lost its process, or its socket, comes to its end.
_MOST_END_SECONDS = 2.0

T = TypeVar("T")


class HostError(Exception):
    """The host did something else than what was asked, as a sentence for an operator."""


class HostUnreachable(HostError):
    """Nothing could be asked, or no answer came."""


class Call(threading.Thread, Generic[T]):
    """One call. Whoever has started it ends it too.

    :param interrupt: makes the call return, where that takes more than the end of the processes that it has started.
    """

    def __init__(self, call: Callable[[], T], interrupt: Callable[[], None] | None = None) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._interrupt = interrupt
        self._answer: T | None = None
        self._error: Exception | None = None
        self.start()

    def run(self) -> None:
        """The thread's work."""
        try:
            self._answer = self._call()
        except Exception as error:
            self._error = error

    def wait(self, seconds: float) -> T | None:
        """What was returned, or None while there is nothing. Raises HostUnreachable where the connection has broken."""
        self.join(max(seconds, 0.0))
        if self._error is None:
            return self._answer
        if isinstance(self._error, HostError):
            raise self._error
        if isinstance(self._error, AnsibleError):
            raise HostUnreachable("the host is unreachable: %s" % str(self._error).strip())
        # Connection plugins raise what their libraries do: an EOFError of paramiko's is no defect of ours.
        raise HostUnreachable("the connection failed: %s: %s" % (type(self._error).__name__, self._error))

    def end(self) -> None:
        """Leave nothing behind, such as an ssh that waits for a host which has gone."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.is_alive():
                return
            if self._interrupt is not None:
                self._interrupt()
            for process in _children(self.native_id):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, number)
            self.join(_MOST_END_SECONDS)


def _children(thread: int | None) -> list[int]:
    """The processes that this thread of ours has started (proc(5)); none where the control node has no /proc."""
    try:
        return [int(word) for word in Path("/proc/self/task/%s/children" % thread).read_text().split()]
    except OSError:
        return []
