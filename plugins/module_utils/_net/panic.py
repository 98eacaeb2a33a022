# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kernel.panic, which the staged command line has set for the net, and what it is without.

What it was before the reboot is no measure: that boot may have been a staged one too, and what somebody has set by hand
ends with its boot. It is to be what a start of the same entry by the boot loader gives: the entry's own ``panic=``, or
else the kernel's own value, unless sysctl.d sets one, which then holds already.
"""

import re
from typing import NamedTuple, Optional, Sequence

from ansible_collections.fleetops.kexec.plugins.module_utils import _cmdline
from ansible_collections.fleetops.kexec.plugins.module_utils._capabilities import kernel_config
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._running import Running

PANIC = "/proc/sys/kernel/panic"

# sysctl.d(5), the first of two files with the same name counts. Debian's systemd still has its own in /lib.
_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
_ASSIGNMENT = re.compile(r"^[ \t]*-?[ \t]*kernel[./]panic[ \t]*=", re.MULTILINE)
_DEFAULT = re.compile(r"^CONFIG_PANIC_TIMEOUT=(-?[0-9]+)$", re.MULTILINE)


class Change(NamedTuple):
    """Seconds after which the kernel resets the machine when it panics; 0 stands for never."""

    before: int
    after: int

    def apply(self, machine: Machine) -> None:
        """Raises KexecError."""
        machine.set_value(PANIC, "%d\n" % self.after)


def plan_panic(machine: Machine, running: Running) -> Optional[Change]:
    """What has to change; None where kernel.panic is not what a staging of ours has made it."""
    words = _cmdline.split(running.cmdline)
    ours = _cmdline.staged_panic(words)
    if ours is None or machine.read_word(PANIC) != str(ours) or _is_configured(machine):
        return None
    without = _cmdline.clean(running.cmdline)
    own = _last_panic(without)
    if own is None:
        found = _DEFAULT.search(kernel_config(machine, running.release) or "")
        own = 0 if found is None else int(found.group(1))
    return None if own == ours else Change(ours, own)


def _last_panic(words: Sequence[str]) -> Optional[int]:
    values = [word[len("panic=") :] for word in words if re.match(r"panic=-?[0-9]+\Z", word)]
    return int(values[-1]) if values else None


def _is_configured(machine: Machine) -> bool:
    files = {name: folder for folder in reversed(_FOLDERS) for name in machine.names(folder) if name.endswith(".conf")}
    texts = [machine.read_word("%s/%s" % (folder, name)) for name, folder in files.items()]
    return any(_ASSIGNMENT.search(text) for text in texts if text is not None)
