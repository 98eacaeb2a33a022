# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few commands that a fleet is asked over and over, answered without a process of their own.

The answers come from the same files that the command would read; a test holds the two together.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import QUESTION

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
# ansible.builtin.reboot's.
BOOT_ID_QUESTION = "cat " + _BOOT_ID

# By the text of the command: how it ends, and what it prints.
Answer = tuple[int, str]


def _question(root: Path) -> Answer:
    """grep -sH '' FILE..., which ends with 2 where a file is missing."""
    code, printed = 0, ""
    for path in QUESTION.partition("''")[2].split():
        try:
            text = (root / path.lstrip("/")).read_text()
        except FileNotFoundError:
            code = 2
        else:
            printed += "".join("%s:%s\n" % (path, line) for line in text.splitlines())
    return code, printed


def _boot_id(root: Path) -> Answer:
    return 0, (root / _BOOT_ID.lstrip("/")).read_text()


_ANSWERS: Mapping[str, Callable[[Path], Answer]] = {QUESTION: _question, BOOT_ID_QUESTION: _boot_id}


def answer(command: str, root: Path) -> Answer | None:
    """The answer to a command as Ansible sends it; None where it has to be run."""
    if not command.startswith("/bin/sh -c "):
        return None
    known = _ANSWERS.get(shlex.split(command)[2].strip())
    return None if known is None else known(root)
