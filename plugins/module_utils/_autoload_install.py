# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting in place, or taking away, what makes every ordinary reboot of a host a kexec."""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils import _autoload, _installation
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.kernel import kernel_blockers
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import read_host_kind
from ansible_collections.fleetops.kexec.plugins.module_utils._installation import File, is_there
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._systemd import UNITS, find_systemctl, run, unit_property

_STAGE_UNIT = "fleetops-kexec-stage.service"
_JUMP_UNIT = "fleetops-kexec-jump.service"

# Stopped when the services have stopped, which come after sysinit.target, and before the file systems and the journal
# on the disk, after which it comes. The mounts are named one by one, for the order among stopping units holds only
# between two that both stop; naming one that does not exist does no harm.
_STAGE = (
    """\
[Unit]
Description=Stage the boot loader's default kernel when the system reboots
DefaultDependencies=no
After=local-fs.target boot.mount boot.automount boot-efi.mount boot-efi.automount efi.mount efi.automount
After=systemd-remount-fs.service systemd-journal-flush.service
Before=sysinit.target shutdown.target
Conflicts=shutdown.target
IgnoreOnIsolate=yes

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=%s stage
TimeoutStopSec=90

[Install]
WantedBy=sysinit.target
"""
    % _autoload.PROGRAM
)

# Wanted, not required: where it fails, systemd-reboot.service comes next and resets the machine.
# With --force systemctl asks systemd itself, which then needs no D-Bus, no logind and no program of kexec-tools.
_JUMP = """\
[Unit]
Description=Reboot by kexec
DefaultDependencies=no
After=shutdown.target umount.target final.target
Before=systemd-reboot.service
ConditionPathExists=%s

[Service]
Type=oneshot
ExecStart=%s --force kexec

[Install]
WantedBy=reboot.target
"""

# Debian's own mechanism for sysvinit, of the package kexec-tools.
_DEBIAN_SCRIPT = "/etc/init.d/kexec-load"
_DEBIAN_DEFAULTS = "/etc/default/kexec"
_DEBIAN_KERNEL = "/vmlinuz"
_KEPT = "/etc/fleetops-kexec.load_kexec"
_LOAD_KEXEC = re.compile(r"^[ \t]*LOAD_KEXEC=.*\n?", re.MULTILINE)


class Plan(NamedTuple):
    """What has to be done. Check mode, diff and ``changed`` all come from here."""

    write: Tuple[File, ...]
    remove: Tuple[str, ...]
    before: Tuple[Tuple[str, ...], ...]
    """Commands to run before files are removed."""
    after: Tuple[Tuple[str, ...], ...]
    """Commands to run after files are written or removed."""

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.write or self.remove or self.before or self.after)

    def apply(self, machine: Machine) -> None:
        """Do it; raises KexecError."""
        for command in self.before:
            run(machine, *command)
        for file in self.write:
            machine.write_atomically(file.path, file.content, file.mode)
        for path in self.remove:
            machine.remove(path)
        for command in self.after:
            run(machine, *command)

    def diff(self, machine: Machine) -> List[Dict[str, str]]:
        """For --diff, to be asked before apply."""
        shown = [(file.path, _text(file.content)) for file in self.write] + [(path, "") for path in self.remove]
        return [
            {"before_header": path, "after_header": path, "before": _text(_content(machine, path)), "after": after}
            for path, after in shown
        ]


def _content(machine: Machine, path: str) -> bytes:
    return machine.read_bytes(path) if machine.exists(path) else b""


def _text(content: bytes) -> str:
    if b"\0" in content:
        return "a program of %d bytes\n" % len(content)
    return content.decode("utf-8", "replace")


def program(interpreter: str) -> bytes:
    """The program that is installed: the one that runs this Python decides as kexec_load does."""
    return _installation.program(interpreter, _autoload.__name__)


def plan_for(machine: Machine, present: bool, settings: _autoload.Settings, make: Callable[[], bytes]) -> Plan:
    """Compare what is there with what is wanted. Raises KexecError.

    :param make: gives the program.
    """
    kind = read_host_kind(machine)
    if present and kind.container is not None:
        raise KexecError(kernel_blockers(machine, kind.container)[0].message)
    if machine.euid != 0:
        raise KexecError("this ran without root, which it needs; use become: true")
    if kind.init == "systemd":
        return _plan_present(machine, settings, make()) if present else _plan_absent(machine)
    if kind.init == "sysvinit":
        return _plan_debian(machine, present)
    raise KexecError("the init system %r has no place for this: it works with systemd and sysvinit" % kind.init)


# systemd


def files(systemctl: str, settings: _autoload.Settings, packed: bytes) -> Tuple[File, ...]:
    """All that is installed under systemd, the units last, for they need the others (pure)."""
    return (
        File(_autoload.PROGRAM, packed, 0o755),
        File(_autoload.SETTINGS, settings.as_text().encode("utf-8"), 0o644),
        File(UNITS + _STAGE_UNIT, _STAGE.encode("utf-8"), 0o644),
        File(UNITS + _JUMP_UNIT, (_JUMP % (_autoload.STAGED, systemctl)).encode("utf-8"), 0o644),
    )


def _plan_present(machine: Machine, settings: _autoload.Settings, packed: bytes) -> Plan:
    systemctl = find_systemctl(machine)
    wanted = files(systemctl, settings, packed)
    write = tuple(file for file in wanted if not is_there(machine, file))
    after: List[Tuple[str, ...]] = []
    if any(file.path.startswith(UNITS) for file in write):
        after.append((systemctl, "daemon-reload"))
    for unit in (_STAGE_UNIT, _JUMP_UNIT):
        if unit_property(machine, unit, "UnitFileState") != "enabled":
            after.append((systemctl, "enable", unit))
    if unit_property(machine, _STAGE_UNIT, "ActiveState") != "active":
        # Only what is active is stopped, and it is at its stop that it does its work.
        after.append((systemctl, "start", _STAGE_UNIT))
    return Plan(write, (), (), tuple(after))


def _plan_absent(machine: Machine) -> Plan:
    systemctl = find_systemctl(machine)
    units = [unit for unit in (_STAGE_UNIT, _JUMP_UNIT) if machine.exists(UNITS + unit)]
    paths = [UNITS + unit for unit in units] + [_autoload.PROGRAM, _autoload.SETTINGS, _autoload.COLD]
    remove = tuple(path for path in paths if machine.exists(path))
    before = ((systemctl, "disable", "--now") + tuple(units),) if units else ()
    after = ((systemctl, "daemon-reload"),) if units else ()
    return Plan((), remove, before, after)


# sysvinit, as Debian has it


def with_load_kexec(text: str, line: Optional[str]) -> str:
    """The defaults file with that line in place of its LOAD_KEXEC, or without any (pure)."""
    kept = _LOAD_KEXEC.sub("", text)
    if line is None:
        return kept
    return kept + ("" if kept.endswith("\n") or not kept else "\n") + line + "\n"


def _load_kexec(text: str) -> Optional[str]:
    """The line that counts, the last one; the shell reads the file."""
    found = _LOAD_KEXEC.findall(text)
    return found[-1].strip() if found else None


def _plan_debian(machine: Machine, present: bool) -> Plan:
    text = _content(machine, _DEBIAN_DEFAULTS).decode("utf-8", "surrogateescape")
    if not present:
        if not machine.exists(_KEPT):
            return Plan((), (), (), ())
        before = machine.read_text(_KEPT).strip() or None
        return Plan((_debian_file(with_load_kexec(text, before)),), (_KEPT,), (), ())
    if not machine.exists(_DEBIAN_SCRIPT):
        raise KexecError(
            "%s does not exist: with sysvinit, Debian's package kexec-tools does this; install it" % _DEBIAN_SCRIPT
        )
    wanted = "LOAD_KEXEC=true"
    if machine.exists(_KEPT) and _load_kexec(text) == wanted:
        return Plan((), (), (), ())
    write = [] if machine.exists(_KEPT) else [File(_KEPT, ((_load_kexec(text) or "") + "\n").encode(), 0o644)]
    if _load_kexec(text) != wanted:
        write.append(_debian_file(with_load_kexec(text, wanted)))
    return Plan(tuple(write), (), (), ())


def _debian_file(text: str) -> File:
    return File(_DEBIAN_DEFAULTS, text.encode("utf-8", "surrogateescape"), 0o644)


def doubts(machine: Machine, settings: _autoload.Settings) -> List[str]:
    """Why reboots would go through the firmware as things are now, or not lead where they should."""
    try:
        if read_host_kind(machine).init != "systemd":
            return [
                "with sysvinit, Debian's kexec-tools decide what is loaded: %s with the running command line, which "
                "need not be the boot loader's default" % _DEBIAN_KERNEL
            ]
        reasons = _autoload.speaks_against(machine, settings, shutting_down=False)
        return ["a reboot would go through the firmware: " + why for why in reasons]
    except KexecError as error:
        return [str(error)]
