# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does something again and again beside the playbook."""

from __future__ import annotations

import threading
from collections.abc import Callable

# Not more often than this, however much happens.
_LEAST_SECONDS = 0.25


class Ticker:
    """Calls a function every so many seconds, and soon after it was woken, until it is stopped.

    :param failed: is told of an exception of the function's, which is not called again then.
    """

    def __init__(self, tick: Callable[[], None], seconds: float, failed: Callable[[Exception], None]) -> None:
        self._tick, self._seconds, self._failed = tick, seconds, failed
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleetops.kexec.rollout", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something new."""
        self._woken.set()

    def stop(self) -> None:
        """Wait until it is not called any more."""
        self._stopped.set()
        self._woken.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_LEAST_SECONDS):
            self._woken.wait(max(0.0, self._seconds - _LEAST_SECONDS))
            self._woken.clear()
            if self._stopped.is_set():
                return
            try:
                self._tick()
            except Exception as error:
                self._failed(error)
                return
