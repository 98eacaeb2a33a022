# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes a net down when nobody does: a timer on the host, and a service that is stopped at a shutdown.

Whoever arms a net may die at any moment, the control node for one. So the host itself sees to it that the boot loader
is not left with an entry that would surprise somebody weeks later. The timer counts from the arming and again from
each boot. At a shutdown in good order other than into a kexec, the net goes at once, because such a start is meant to
be an ordinary one, and a host that is off runs no timer. None of it needs the network or Ansible.
"""

from typing import Optional, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.mounts import covering, read_mounts
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import init_system
from ansible_collections.fleetops.kexec.plugins.module_utils._installation import File, is_there
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._net.state import FOLDER, STATE
from ansible_collections.fleetops.kexec.plugins.module_utils._systemd import UNITS, find_systemctl, run

PROGRAM = FOLDER + "/net"
TIMER = "fleetops-kexec-net.timer"
SERVICE = "fleetops-kexec-net.service"
SHUTDOWN = "fleetops-kexec-net-shutdown.service"
_UNIT_FILES = tuple(UNITS + name for name in (TIMER, SERVICE, SHUTDOWN))

# What is written there does not outlive the boot, or nobody can tell whether it does.
_FLEETING = ("overlay", "ramfs", "squashfs", "tmpfs")

_TIMER = """\
[Unit]
Description=Give the rollback net of a staged kernel its time
Wants=%s

[Timer]
OnActiveSec=%d
AccuracySec=1

[Install]
WantedBy=timers.target
"""

# By its interpreter: SELinux lets systemd run programs from /usr and not from /var. Not of the type oneshot, for which
# systemd before version 244 knows no Restart=.
_SERVICE = """\
[Unit]
Description=Take down the rollback net of a staged kernel that nobody has accepted

[Service]
ExecStart=%s -I %s expire
Restart=on-failure
RestartSec=60
"""

# Before the net is a matter of Python, the shell looks whether there is one, and whether it has to stay: this is on the
# way of every kexec. The mounts are named because grubenv is on one of them; naming one that does not exist does no
# harm.
_SHUTDOWN = """\
[Unit]
Description=Take down the rollback net of a staged kernel at a shutdown
After=boot.mount boot.automount boot-efi.mount boot-efi.automount efi.mount efi.automount

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'test ! -e %s || %s list-jobs --no-legend --no-pager | grep -Eq " kexec[.]target +start " \
  || exec %s -I %s shutdown'
TimeoutStopSec=90
"""


def why_not(machine: Machine) -> Optional[str]:
    """Why the host could not be guarded, as a sentence; None where it can."""
    init = init_system(machine)
    if init != "systemd":
        return (
            "nothing would take the net down on a host with the init system %r when the control node dies; "
            "that needs systemd" % init
        )
    mounts = read_mounts(machine)
    for folder in (FOLDER, UNITS):
        mount = covering(mounts, folder)
        if mount is not None and mount.kind in _FLEETING:
            return "%s is on a %s, so what is kept there for the next boot may be lost" % (folder, mount.kind)
    return None


def files(machine: Machine, interpreter: str, seconds: int, packed: bytes) -> Tuple[File, ...]:
    """All that is installed, the units last, for they need the program."""
    systemctl = find_systemctl(machine)
    units = {
        SHUTDOWN: _SHUTDOWN % (STATE, systemctl, interpreter, PROGRAM),
        SERVICE: _SERVICE % (interpreter, PROGRAM),
        TIMER: _TIMER % (SHUTDOWN, seconds),
    }
    return (File(PROGRAM, packed, 0o700),) + tuple(
        File(UNITS + name, text.encode("utf-8"), 0o644) for name, text in units.items()
    )


def install(machine: Machine, wanted: Tuple[File, ...]) -> None:
    """Put it in place, and let the time count from now; raises KexecError."""
    for file in wanted:
        if not is_there(machine, file):
            machine.write_atomically(file.path, file.content, file.mode)
    systemctl = find_systemctl(machine)
    run(machine, systemctl, "enable", TIMER)  # which reloads the units as well
    machine.sync_folder(UNITS + "timers.target.wants")
    run(machine, systemctl, "restart", TIMER)


def is_installed(machine: Machine) -> bool:
    """Whether anything of it is there."""
    return any(machine.exists(path) for path in _UNIT_FILES + (PROGRAM,))


def uninstall(machine: Machine, shutting_down: bool) -> None:
    """Take it away; raises KexecError.

    The timer goes first and the program last, so that whoever dies on the way leaves nothing that fails at each boot,
    and the service can begin again.

    :param shutting_down: whether systemd is stopping the units already, so that waiting for them would have no end.
    """
    systemctl = find_systemctl(machine)
    if machine.exists(UNITS + TIMER):
        run(machine, systemctl, "--no-reload", "disable", TIMER)
        if not shutting_down:
            run(machine, systemctl, "stop", TIMER, SHUTDOWN)
    for unit in _UNIT_FILES:
        machine.remove(unit)
    if not shutting_down:
        run(machine, systemctl, "daemon-reload")
    machine.remove(PROGRAM)
