# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the installed program does when a host with systemd goes down: turns a reboot into a kexec, or says why not.

Two units run at a shutdown. The first, active since the boot, is stopped after all services and before the file
systems, and stages the boot loader's default; it leaves a mark. The second is part of reboot.target only, and where
it finds that mark it asks systemd for the last step of a kexec, right before systemd would reset the machine. A
failure leaves no mark, and without it nothing has changed: systemd goes through the firmware, even with an image
loaded, because systemd-shutdown does what its verb says (src/shutdown/shutdown.c).
"""

import argparse
import json
import struct
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils import _kexec
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import REFUSE, WARN, Rules
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import (
    KexecError,
    Machine,
    local_machine,
    shown,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._staging import Request, plan_for
from ansible_collections.fleetops.kexec.plugins.module_utils._survey import survey
from ansible_collections.fleetops.kexec.plugins.module_utils._systemd import is_starting
from ansible_collections.fleetops.kexec.plugins.module_utils._target import Selection

PROGRAM = "/usr/local/sbin/fleetops-kexec"
SETTINGS = "/etc/fleetops-kexec.json"

# Whoever puts this file there has one reboot through the firmware: it dies with the boot.
COLD = _kexec.RUN_DIRECTORY + "/cold"
# The second unit's ConditionPathExists.
STAGED = _kexec.RUN_DIRECTORY + "/autoload-staged"

# What an operator can be told of at a survey, but nobody at a shutdown.
_COLD_WARNINGS = ("firmware_update",)

# The argument of `systemctl reboot --reboot-argument=`, for the firmware (src/shared/reboot-util.c).
_REBOOT_PARAMETER = "/run/systemd/reboot-param"

# UEFI specification 8.5.4: the next start leads to the firmware's menu, `systemctl reboot --firmware-setup`.
_OS_INDICATIONS = "/sys/firmware/efi/efivars/OsIndications-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_BOOT_TO_FIRMWARE = 0x1


class Settings(NamedTuple):
    """What the administrator has chosen, in the file of that name."""

    panic_seconds: int
    known_trouble: Tuple[Dict[str, Any], ...]
    ignore_blockers: Tuple[str, ...]

    @classmethod
    def of(cls, params: Dict[str, Any]) -> "Settings":
        """From the module's parameters; raises KexecError for what cannot be meant."""
        rows = tuple(dict({"severity": REFUSE}, **row) for row in params["known_trouble"] or ())
        for row in rows:
            if not {"id", "reason"}.issubset(row) or row["severity"] not in (REFUSE, WARN):
                raise KexecError("a row of known_trouble needs an id and a reason, and may be refuse or warn: %r" % row)
        settings = cls(
            panic_seconds=params["panic_seconds"],
            known_trouble=rows,
            ignore_blockers=tuple(params["ignore_blockers"] or ()),
        )
        settings.rules()
        settings.request()
        return settings

    def as_text(self) -> str:
        """The content of the file."""
        return json.dumps(self._asdict(), indent=1, sort_keys=True) + "\n"

    def rules(self) -> Rules:
        """Which blockers count; raises KexecError."""
        return Rules.of(self._asdict())

    def request(self) -> Request:
        """The boot loader's default; raises KexecError."""
        nothing = {"entry": None, "kernel": None, "initrd": None, "cmdline": None, "append": None, "remove": None}
        return Request.of(dict(nothing, state="loaded", panic_seconds=self.panic_seconds, force=True))


def read_settings(machine: Machine) -> Settings:
    """Raises KexecError where the file is not as the module writes it."""
    text = machine.read_text(SETTINGS)
    try:
        return Settings.of(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise KexecError("%s is not as kexec_autoload writes it: %s" % (SETTINGS, error))


def is_rebooting(machine: Machine) -> bool:
    """Whether systemd is on its way to an ordinary reboot, not to a halt, a kexec or a soft reboot."""
    return is_starting(machine, "reboot.target")


def asked_for_firmware(machine: Machine) -> Optional[str]:
    """Who wants this very reboot to go through the firmware; None where nobody does."""
    if machine.exists(COLD):
        return "%s is there" % COLD
    if machine.exists(_REBOOT_PARAMETER):
        return "the reboot was asked for with an argument for the firmware"
    try:
        (indications,) = struct.unpack_from("<Q", machine.read_bytes(_OS_INDICATIONS, 12), 4)
    except (KexecError, struct.error):
        indications = 0
    if indications & _BOOT_TO_FIRMWARE:
        return "the firmware's menu was asked for"
    return None


def speaks_against(machine: Machine, settings: Settings, shutting_down: bool) -> List[str]:
    """Why a reboot goes through the firmware, as sentences; empty where it can be a kexec. Raises KexecError.

    :param shutting_down: whether it has begun. A rollback net is taken down at its beginning, and its entry with it.
    """
    looked = survey(machine, Selection(None, None, ()), settings.rules())
    reasons = [
        blocker["message"]
        for blocker in looked["blockers"]
        if blocker["severity"] == REFUSE or blocker["id"] in _COLD_WARNINGS
    ]
    is_nets = looked["net"] is not None and looked["net"]["armed"]
    if looked["one_shot_entry"] and (shutting_down or not is_nets):
        # Only the boot loader can use it up.
        reasons.append("the boot loader is to start the entry %r once" % looked["one_shot_entry"])
    return reasons


def stage(machine: Machine) -> str:
    """Stage the boot loader's default for the reboot that is under way. Returns what was done; raises KexecError."""
    machine.remove(STAGED)
    if not is_rebooting(machine):
        return "this is no ordinary reboot: nothing is staged"
    wish = asked_for_firmware(machine)
    if wish is not None:
        return "this reboot goes through the firmware: " + wish
    settings = read_settings(machine)
    reasons = speaks_against(machine, settings, shutting_down=True)
    if reasons:
        raise KexecError("this reboot goes through the firmware: " + "; ".join(reasons))
    staged = plan_for(machine, settings.request()).apply(machine, "auto")
    if staged is None:
        raise ValueError("a plan to load has loaded nothing")
    machine.write_atomically(STAGED, "")
    return "this reboot is a kexec into %s (%s)" % (staged["release"] or "an unnamed release", staged["kernel"])


def make_cold(machine: Machine) -> str:
    """Let the next reboot go through the firmware. Raises KexecError."""
    machine.write_atomically(COLD, "")
    return "the next reboot goes through the firmware; remove %s to call it off" % COLD


def tell(machine: Machine) -> str:
    """What the next ordinary reboot would be. Raises KexecError."""
    wish = asked_for_firmware(machine)
    reasons = [wish] if wish is not None else speaks_against(machine, read_settings(machine), shutting_down=False)
    if reasons:
        return "the next reboot goes through the firmware: " + "; ".join(reasons)
    return "the next reboot is a kexec into the boot loader's default"


_COMMANDS = {
    "cold": (make_cold, "let the next reboot go through the firmware"),
    "status": (tell, "tell what the next reboot would be"),
    "stage": (stage, "what the unit runs at a shutdown"),
}


def main(arguments: Optional[List[str]] = None, machine: Optional[Machine] = None) -> int:
    """The installed program; returns its exit code."""
    parser = argparse.ArgumentParser(prog="fleetops-kexec", description="Makes every ordinary reboot a kexec.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (_function, text) in _COMMANDS.items():
        commands.add_parser(name, help=text, description=text)
    command = parser.parse_args(arguments).command
    if command is None:
        parser.error("a COMMAND is needed: " + ", ".join(_COMMANDS))
    function, _text = _COMMANDS[command]
    try:
        sys.stdout.write(shown(function(local_machine() if machine is None else machine)) + "\n")
    except KexecError as error:
        sys.stderr.write(shown(str(error)) + "\n")
        return 1
    return 0
