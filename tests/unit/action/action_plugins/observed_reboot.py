# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kexec_reboot, and what it leaves behind in the process that has run it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible_collections.fleetops.kexec.plugins.action import kexec_reboot


def children():
    """The processes that this one has started and that still run."""
    numbers = [word for file in Path("/proc/self/task").glob("*/children") for word in file.read_text().split()]
    return [Path("/proc/%s/cmdline" % number).read_bytes().replace(b"\0", b" ").decode() for number in numbers]


class ActionModule(kexec_reboot.ActionModule):
    def run(self, tmp=None, task_vars=None):
        options = self._connection.get_options()
        threads = set(threading.enumerate())
        try:
            result = super().run(tmp, task_vars)
        except AnsibleActionFail as error:
            result = {"failed": True, "msg": str(error)}
        result["left"] = {
            "options": [name for name, value in self._connection.get_options().items() if options[name] != value],
            "threads": [thread.name for thread in set(threading.enumerate()) - threads],
            "processes": children(),
            "of": os.getpid(),
        }
        return result
