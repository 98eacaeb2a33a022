# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of its present boot, asked by one command that needs nothing but a shell and grep."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ansible_collections.fleetops.kexec.plugins.module_utils._cmdline import token_of
from ansible_collections.fleetops.kexec.plugins.module_utils._running import BOOT_ID_PATTERN, X86_KEXEC

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_RELEASE = "/proc/sys/kernel/osrelease"
_BUILD = "/proc/sys/kernel/version"
_CMDLINE = "/proc/cmdline"
_LOADER_TYPE = "/proc/sys/kernel/bootloader_type"
_LOADED = "/sys/kernel/kexec_loaded"
_CRASH_LOADED = "/sys/kernel/kexec_crash_loaded"
_RECORD = "/run/fleetops-kexec/staged.json"
_FIRST_PROCESS = "/proc/1/comm"
_OPENRC = "/run/openrc/softlevel"
_CONTAINER = "/run/systemd/container"

# grep puts the file's name before each line, which tells the answer from what a login shell may print beside it.
QUESTION = "LC_ALL=C grep -sH '' " + " ".join(
    (
        _BOOT_ID,
        _RELEASE,
        _BUILD,
        _CMDLINE,
        _LOADER_TYPE,
        _LOADED,
        _CRASH_LOADED,
        _RECORD,
        _FIRST_PROCESS,
        _OPENRC,
        _CONTAINER,
    )
)

# SysV init and upstart, which Red Hat's and Oracle's release 6 has, run the same scripts under the same name.
_INIT_NAMES = {"init": "sysvinit"}


@dataclass(frozen=True)
class Staged:
    """The record that kexec_load has left for the image in the kernel's slot."""

    token: str
    release: str | None
    build: str | None
    """What ``uname -v`` will say; None where the image does not tell."""


@dataclass(frozen=True)
class Boot:
    """A boot of a host."""

    boot_id: str
    release: str
    build: str | None
    """As ``uname -v``: tells two builds of one release apart."""
    token: str | None
    """The token on the running kernel's command line."""
    by_kexec: bool | None
    """Whether a kexec started this kernel; None where the architecture does not tell."""
    image_loaded: bool
    crash_loaded: bool
    """Whether a crash kernel is loaded, for kdump."""
    staged: Staged | None
    init: str
    """systemd, openrc, sysvinit, or the name of process 1."""
    container: str | None


def parse_boot(output: str) -> Boot | None:
    """What :data:`QUESTION` printed; None where it is no whole answer, such as one cut short by the shutdown."""
    values: dict[str, list[str]] = {}
    for line in output.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.startswith("/"):
            values.setdefault(name, []).append(value)
    boot_id = _only(values, _BOOT_ID)
    release = _only(values, _RELEASE)
    cmdline = _only(values, _CMDLINE)
    if boot_id is None or BOOT_ID_PATTERN.fullmatch(boot_id) is None or not release or cmdline is None:
        return None
    loader_type = _only(values, _LOADER_TYPE)
    first = _only(values, _FIRST_PROCESS) or "unknown"
    return Boot(
        boot_id=boot_id,
        release=release,
        build=_only(values, _BUILD),
        token=token_of(cmdline),
        by_kexec=loader_type == X86_KEXEC if loader_type is not None else None,
        image_loaded=_only(values, _LOADED) == "1",
        crash_loaded=_only(values, _CRASH_LOADED) == "1",
        staged=_staged("\n".join(values.get(_RECORD, [])), boot_id),
        init="openrc" if _OPENRC in values else _INIT_NAMES.get(first, first),
        container=_only(values, _CONTAINER),
    )


def _only(values: dict[str, list[str]], name: str) -> str | None:
    lines = values.get(name, [])
    return lines[0] if len(lines) == 1 else None


def _staged(record: str, boot_id: str) -> Staged | None:
    """The record, where it is one and of this boot."""
    try:
        values = json.loads(record)
        if values["boot_id"] != boot_id:
            return None
        return Staged(token=values["token"], release=values["release"], build=values["build"])
    except (ValueError, KeyError, TypeError):
        return None
