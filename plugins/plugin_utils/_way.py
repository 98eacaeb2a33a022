# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host is told to reboot, by one shell command for each init system and method, and what it is asked before."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

# A kexec that finds nothing loaded would become a reboot through the firmware, or systemd would load what it chooses.
_ONLY_LOADED = (
    'if [ "$(cat /sys/kernel/kexec_loaded)" != 1 ]; then echo "no image is loaded any more" >&2; exit 1; fi; '
)
# And with an image loaded, a reboot that was meant for the firmware would become a kexec.
_ONLY_UNLOADED = (
    'if [ "$(cat /sys/kernel/kexec_loaded 2>/dev/null)" = 1 ]; '
    'then echo "somebody has loaded an image again" >&2; exit 1; fi; '
)

# Where the role kexec_autoload makes every reboot a kexec, this file gives one through the firmware.
_COLD_ONCE = (
    "if [ -e /usr/local/sbin/fleetops-kexec ]; "
    "then mkdir -p /run/fleetops-kexec && touch /run/fleetops-kexec/cold; fi; "
)

_COMMANDS = {
    ("systemd", "kexec"): _ONLY_LOADED + "systemctl kexec",
    # From version 255 on, systemctl would kexec if somebody has loaded an image in between.
    ("systemd", "firmware"): _ONLY_UNLOADED + _COLD_ONCE + "SYSTEMCTL_SKIP_AUTO_KEXEC=1 systemctl reboot",
    # Debian's /etc/init.d/kexec, and /etc/init.d/halt of Red Hat's and Oracle's releases 5 and 6, run kexec -e at the
    # end of the shutdown when an image is loaded.
    ("sysvinit", "kexec"): (
        _ONLY_LOADED + "if ! grep -qs kexec /etc/init.d/kexec /etc/init.d/halt || ! command -v kexec >/dev/null; "
        'then echo "the shutdown scripts of this host know no kexec; install kexec-tools" >&2; exit 1; fi; reboot'
    ),
    # Debian's /etc/init.d/kexec-load would load an image by itself, unless this file is there.
    ("sysvinit", "firmware"): (
        _ONLY_UNLOADED + "if [ -e /etc/init.d/kexec-load ]; then touch /no-kexec-reboot; fi; reboot"
    ),
    ("openrc", "kexec"): (
        _ONLY_LOADED + "if command -v openrc-shutdown >/dev/null; then openrc-shutdown --kexec now; else reboot -k; fi"
    ),
    ("openrc", "firmware"): _ONLY_UNLOADED + "reboot",
}


ASK_USER = "printf 'fleetops-uid:%s\\n' \"$(id -u)\""

# The marks of those that tell it in a file, and then what runs the first process, which only root may see.
ASK_CONTAINER = (
    "printf 'fleetops-container:%s\\n' \"$(if [ -e /run/.containerenv ]; then echo podman; "
    "elif [ -e /.dockerenv ]; then echo docker; "
    "else { tr '\\0' '\\n' </proc/1/environ | sed -n 's/^container=//p'; } 2>/dev/null; fi)\""
)
_MARKED = re.compile(r"^fleetops-container:([^\r\n]+)", re.MULTILINE)


def marked_container(output: str) -> str | None:
    """The kind of container that :data:`ASK_CONTAINER` found; None on a machine of its own."""
    found = _MARKED.search(output)
    return found.group(1) if found else None


def is_root(output: str) -> bool:
    """Whether :data:`ASK_USER` was answered as root."""
    # Where the connection asks for a terminal, as ssh does, lines end with a carriage return too.
    return "fleetops-uid:0" in output.splitlines()


def only_in_boot(boot_id: str, command: str) -> str:
    """The command, made to do nothing in another boot than that one.

    A connection that tries again by itself (ANSIBLE_SSH_RETRIES) may deliver it once more when the host is back.
    """
    return 'if [ "$(cat /proc/sys/kernel/random/boot_id)" != %s ]; then exit 0; fi; %s' % (
        shlex.quote(boot_id),
        command,
    )


def command_for(init: str, method: str, ignore_inhibitors: bool) -> str | None:
    """What asks *init* for a reboot; None where this collection does not know that init system."""
    command = _COMMANDS.get((init, method))
    if command is not None and init == "systemd" and ignore_inhibitors:
        # Since version 248 the same as --check-inhibitors=no, which older ones lack.
        return command.replace("systemctl ", "systemctl -i ")
    return command


def unattended(command: str) -> str:
    """The command with nothing to read.

    Debian's molly-guard stands in front of reboot and shutdown and asks for the host's name, where the standard input
    is a terminal: its run.d/30-query-hostname looks for one. Become gives us a terminal. Other checks of molly-guard's
    stay in force, and may refuse.
    """
    return "(%s\n) </dev/null" % command


def with_search_paths(search_paths: Sequence[str], command: str) -> str:
    """The command with its programs looked for in those folders first, because a login may leave out /sbin."""
    folders = "".join(shlex.quote(folder) + ":" for folder in search_paths)
    return 'PATH=%s"$PATH"; export PATH; %s' % (folders, command)


def own_command(command: str, search_paths: Sequence[str]) -> str:
    """A reboot command of the user's: its first word is looked for in those folders only, unless it is a path."""
    program, _blank, arguments = command.partition(" ")
    if program.startswith("/"):
        return command
    return (
        "program=; for folder in %s; do "
        'if [ -x "$folder/"%s ]; then program=$folder/%s; break; fi; done; '
        'if [ -z "$program" ]; then echo %s >&2; exit 127; fi; "$program" %s'
    ) % (
        " ".join(map(shlex.quote, search_paths)),
        shlex.quote(program),
        shlex.quote(program),
        shlex.quote("there is no program %s in %s" % (program, ", ".join(search_paths))),
        arguments,
    )


def announcement(text: str) -> str:
    """Shows the text to those who are logged in, as it is: no shell reads it. A host without wall goes without."""
    return "{ printf '%%s\\n' %s | wall; } >/dev/null 2>&1; " % shlex.quote(text) if text else ""


@dataclass(frozen=True)
class Inhibitor:
    """Somebody who asks logind not to shut down."""

    who: str
    why: str

    def __str__(self) -> str:
        return "%s (%s)" % (self.who, self.why)


# logind's own list, in busctl's text form, which every version prints: --json came with version 240.
ASK_INHIBITORS = (
    "printf 'fleetops-inhibitors:%s\\n' \"$(busctl --no-pager call org.freedesktop.login1 /org/freedesktop/login1 "
    "org.freedesktop.login1.Manager ListInhibitors 2>/dev/null | tr '\\n' ' ')\""
)
_LIST = re.compile(r"^fleetops-inhibitors:a\(ssssuu\) (\d+) (.*)$", re.MULTILINE)


def parse_inhibitors(output: str) -> list[Inhibitor]:
    """Those that block a shutdown, from what :data:`ASK_INHIBITORS` printed; none where there is no logind."""
    found = _LIST.search(output)
    if found is None:
        return []
    # what, who, why, mode, uid, pid; busctl quotes and escapes its strings.
    words = shlex.split(found.group(2))
    rows = [words[start : start + 6] for start in range(0, 6 * int(found.group(1)), 6)]
    return [
        Inhibitor(who, why)
        for what, who, why, mode, _uid, _pid in rows
        if "shutdown" in what.split(":") and mode.startswith("block")
    ]
