# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Symbolic links on the way to a boot loader's files."""

import os
from typing import List

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine

MAX_LINKS = 40
"""As the kernel has it: MAXSYMLINKS."""


def real_path(machine: Machine, path: str) -> str:
    """*path* without symbolic links, as the machine sees it; as far as it goes where links have no end."""
    done = "/"
    left: List[str] = [part for part in reversed(path.split("/")) if part]
    links = 0
    while left:
        part = left.pop()
        if part in (".", ".."):
            done = os.path.normpath(os.path.join(done, part))
            continue
        place = os.path.join(done, part)
        try:
            target = os.readlink(machine.path(place)) if links < MAX_LINKS else None
        except OSError:
            target = None
        if target is None:
            done = place
            continue
        links += 1
        if target.startswith("/"):
            done = "/"
        left.extend(part for part in reversed(target.split("/")) if part)
    return done
