# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reason against a kexec of a host, and which reasons an operator may put aside."""

from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.known_trouble import (
    TABLE,
    Trouble,
    with_own_rows,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

REFUSE = "refuse"
WARN = "warn"


class Blocker(NamedTuple):
    """A reason against a kexec of this host."""

    id: str
    severity: str
    """refuse: it must not be done. warn: it may be done, and the operator should know."""
    message: str


# What really cannot work: to put one of these aside would only move the failure behind the drain. And what the operator
# has said.
INSURMOUNTABLE = (
    "boot_loader",
    "container",
    "init",
    "load_disabled",
    "load_limit",
    "no_call",
    "no_kexec",
    "not_root",
    "objection",
    "rollback_net",
    "target",
)

# What an operator may know better.
SURMOUNTABLE = (
    "altered_kernel",
    "boot_entry_files",
    "cmdline",
    "confidential_guest",
    "crash_kernel",
    "firmware_update",
    "luks_passphrase",
    "no_room",
    "other_initrd",
    "root_full",
    "tpm_sealed",
    "unsigned_kernel",
    "xen",
)


# All that stands against a reboot through the firmware. The last two only where it is not known whether one is needed.
_AGAINST_FIRMWARE = ("container", "init", "not_root", "objection")
_UNDECIDED = ("boot_loader", "target")


def concerns(blocker: str, method: str, undecided: bool) -> bool:
    """Whether a blocker stands against that way to reboot.

    :param undecided: whether it is unknown that a reboot is needed, or which kernel is to run.
    """
    if method == "firmware":
        return blocker in _AGAINST_FIRMWARE or (undecided and blocker in _UNDECIDED)
    return method == "kexec" or blocker != "init"  # kexec_now stops no service


class Rules(NamedTuple):
    """What the operator adds to the table of known trouble, and puts aside."""

    known_trouble: Tuple[Trouble, ...] = TABLE
    ignored: Tuple[str, ...] = ()

    @classmethod
    def of(cls, params: Dict[str, Any]) -> "Rules":
        """From kexec_info's parameters; raises KexecError for what cannot be meant."""
        table = with_own_rows(TABLE, params["known_trouble"] or ())
        # An answer left blank in a survey of AWX arrives as an empty text, and "a, b" with the blank.
        ignored = tuple(name.strip() for name in params["ignore_blockers"] or () if name.strip())
        known = SURMOUNTABLE + tuple(row.id for row in table)
        for name in ignored:
            if name in INSURMOUNTABLE:
                raise KexecError(
                    "the blocker %s cannot be ignored: what it stands for really does not work, or you have said it"
                    % name
                )
            if name not in known:
                raise KexecError(
                    "no blocker has the id %r that is to be ignored; there are: %s"
                    % (name, ", ".join(sorted(set(known))))
                )
        return cls(table, ignored)

    def remaining(self, blockers: Iterable[Blocker]) -> List[Blocker]:
        """Those that are not put aside, in their order."""
        return [blocker for blocker in blockers if blocker.id not in self.ignored]
