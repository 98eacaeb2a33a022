# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every boot loader's reader returns."""

from typing import NamedTuple, Optional, Tuple

MAX_ENTRIES = 500
"""Of a menu. More are of no use to anybody, and looking for the files of each takes its time."""


class BootEntry(NamedTuple):
    """What the boot loader would start: paths as seen from the running system."""

    id: str
    """As the boot loader names it; for GRUB with the ids of the submenus before it, joined by ``>``."""
    title: str
    """As the menu shows it; for GRUB with the titles of the submenus before it, joined by ``>``."""
    kernel: str
    """Absolute path in the running system, or what the entry says where it cannot be mapped (see problem)."""
    initrds: Tuple[str, ...]
    cmdline: str
    """As the boot loader would pass it, its variables expanded, ``BOOT_IMAGE=`` not yet added."""
    source: str
    """Where it was read: "grub", "bls" (by GRUB), "systemd-boot", "grub-legacy", "extlinux" or "grubby"."""
    problem: Optional[str] = None
    """Why this entry cannot be staged, as a sentence; None where it can."""


class BootConfig(NamedTuple):
    """A boot loader's configuration, read."""

    loader: str
    """The kind of boot loader: "grub", "systemd-boot", "grub-legacy", "extlinux"; "grubby" where only that knows."""
    path: str
    """The file that was read, as the running system sees it."""
    entries: Tuple[BootEntry, ...]
    """All entries that start a Linux kernel, in the order of the menu."""
    default: Optional[BootEntry]
    """What the boot loader starts unless told otherwise; None where it is no Linux entry or cannot be told."""
    default_problem: Optional[str]
    """Why ``default`` is None, as a sentence."""
    one_shot: Optional[str]
    """The entry that only the next start through the boot loader uses, as written there (GRUB's next_entry)."""
    warnings: Tuple[str, ...] = ()
    """What an operator should know of the configuration's files, as sentences."""
