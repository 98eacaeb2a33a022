# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kexec_reboot in a process whose time of day is set again and again, and jumps by a year each time.

CLOCK_MONOTONIC goes on, as it does on Linux. libfaketime, which would set it for all processes, breaks Python's sleep.
"""

from __future__ import annotations

import itertools
import time
from unittest.mock import patch

from ansible_collections.fleetops.kexec.plugins.action import kexec_reboot

YEAR = 365 * 86400.0


class ActionModule(kexec_reboot.ActionModule):
    def run(self, tmp=None, task_vars=None):
        real, signs = time.time, itertools.cycle((YEAR, -YEAR))
        with patch("time.time", lambda: real() + next(signs)):
            return super().run(tmp, task_vars)
