# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting in place, or taking away, what makes every ordinary reboot of a host a kexec."""

import io
import re
import sys
import zipfile
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils import _autoload
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.kernel import kernel_blockers
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import read_host_kind
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

_UNITS = "/etc/systemd/system/"
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

_PACKAGE = "ansible_collections.fleetops.kexec.plugins.module_utils."
_MAIN = "import sys\n\nfrom %s_autoload import main\n\nsys.exit(main())\n" % _PACKAGE

# Debian's own mechanism for sysvinit, of the package kexec-tools.
_DEBIAN_SCRIPT = "/etc/init.d/kexec-load"
_DEBIAN_DEFAULTS = "/etc/default/kexec"
_DEBIAN_KERNEL = "/vmlinuz"
_KEPT = "/etc/fleetops-kexec.load_kexec"
_LOAD_KEXEC = re.compile(r"^[ \t]*LOAD_KEXEC=.*\n?", re.MULTILINE)


class File(NamedTuple):
    """A file that is to be there."""

    path: str
    content: bytes
    mode: int


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
            _run(machine, command)
        for file in self.write:
            machine.write_atomically(file.path, file.content, file.mode)
        for path in self.remove:
            machine.remove(path)
        for command in self.after:
            _run(machine, command)

    def diff(self, machine: Machine) -> List[Dict[str, str]]:
        """For --diff, to be asked before apply."""
        shown = [(file.path, _text(file.content)) for file in self.write] + [(path, "") for path in self.remove]
        return [
            {"before_header": path, "after_header": path, "before": _text(_content(machine, path)), "after": after}
            for path, after in shown
        ]


def _run(machine: Machine, command: Tuple[str, ...]) -> None:
    result = machine.run(*command)
    if result.rc != 0:
        raise KexecError("%s ended with %d: %s" % (" ".join(command), result.rc, result.stderr.strip()))


def _content(machine: Machine, path: str) -> bytes:
    return machine.read_bytes(path) if machine.exists(path) else b""


def _text(content: bytes) -> str:
    if b"\0" in content:
        return "a program of %d bytes\n" % len(content)
    return content.decode("utf-8", "replace")


def program(interpreter: str, modules: Optional[Dict[str, Any]] = None) -> bytes:
    """The target-side code as one executable file, which needs neither Ansible nor a folder of its own.

    It is made of the sources that this very process runs, so there is no second loader that could differ from
    kexec_load's. The same sources give the same bytes.

    :param interpreter: the Python that will run it: the one that runs this.
    """
    sources = {"__main__.py": _MAIN}
    for name, module in sorted((sys.modules if modules is None else modules).items()):
        if not name.startswith(_PACKAGE) or module is None:
            continue
        file = name.replace(".", "/") + ("/__init__.py" if hasattr(module, "__path__") else ".py")
        sources[file] = module.__spec__.loader.get_source(name) or ""
    parts = _PACKAGE.rstrip(".").split(".")
    for length in range(1, len(parts) + 1):
        sources.setdefault("/".join(parts[:length]) + "/__init__.py", "")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file, source in sorted(sources.items()):
            archive.writestr(zipfile.ZipInfo(file), source.encode("utf-8"))
    # Isolated: neither the environment nor a user's packages have a part in it.
    return ("#!%s -I\n" % interpreter).encode() + packed.getvalue()


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


def _systemctl(machine: Machine) -> str:
    found = machine.find_program("systemctl")
    if found is None:
        raise KexecError("systemctl is missing on this host")
    return found


def files(systemctl: str, settings: _autoload.Settings, packed: bytes) -> Tuple[File, ...]:
    """All that is installed under systemd, the units last, for they need the others (pure)."""
    return (
        File(_autoload.PROGRAM, packed, 0o755),
        File(_autoload.SETTINGS, settings.as_text().encode("utf-8"), 0o644),
        File(_UNITS + _STAGE_UNIT, _STAGE.encode("utf-8"), 0o644),
        File(_UNITS + _JUMP_UNIT, (_JUMP % (_autoload.STAGED, systemctl)).encode("utf-8"), 0o644),
    )


def _plan_present(machine: Machine, settings: _autoload.Settings, packed: bytes) -> Plan:
    systemctl = _systemctl(machine)
    wanted = files(systemctl, settings, packed)
    write = tuple(file for file in wanted if not _is_there(machine, file))
    after: List[Tuple[str, ...]] = []
    if any(file.path.startswith(_UNITS) for file in write):
        after.append((systemctl, "daemon-reload"))
    for unit in (_STAGE_UNIT, _JUMP_UNIT):
        if _state(machine, unit, "UnitFileState") != "enabled":
            after.append((systemctl, "enable", unit))
    if _state(machine, _STAGE_UNIT, "ActiveState") != "active":
        # Only what is active is stopped, and it is at its stop that it does its work.
        after.append((systemctl, "start", _STAGE_UNIT))
    return Plan(write, (), (), tuple(after))


def _is_there(machine: Machine, file: File) -> bool:
    return (
        machine.exists(file.path)
        and machine.read_bytes(file.path) == file.content
        and machine.stat(file.path).st_mode & 0o777 == file.mode
    )


def _plan_absent(machine: Machine) -> Plan:
    systemctl = _systemctl(machine)
    units = [unit for unit in (_STAGE_UNIT, _JUMP_UNIT) if machine.exists(_UNITS + unit)]
    paths = [_UNITS + unit for unit in units] + [_autoload.PROGRAM, _autoload.SETTINGS, _autoload.COLD]
    remove = tuple(path for path in paths if machine.exists(path))
    before = ((systemctl, "disable", "--now") + tuple(units),) if units else ()
    after = ((systemctl, "daemon-reload"),) if units else ()
    return Plan((), remove, before, after)


def _state(machine: Machine, unit: str, name: str) -> str:
    """A property of a unit; the empty string where there is no such unit."""
    result = machine.run(_systemctl(machine), "show", unit, "--property=" + name)
    return result.stdout.strip().partition("=")[2]


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
        return ["a reboot would go through the firmware: " + why for why in _autoload.speaks_against(machine, settings)]
    except KexecError as error:
        return [str(error)]
