# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of one machine, for tests that do to it what they want."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from driver import Fleet
from vmlab import Lab
from vmlab.fleet import default_cache

HOST = "lab1"
FIRMWARE, KEXEC = "114", "208"
"""Who started the kernel, by its bootloader_type."""

HANGS = "init=/bin/cat"
"""On a command line: the first process waits for its input, for ever. An initramfs that gives up would reboot."""

# Seconds for a boot. Under emulation it has taken more than five minutes on a computer with much else to do.
_PATIENCE = 1200.0

# What a rollback net has on a host besides the boot loader's entry.
_TRACES = (
    "find /var/lib/fleetops-kexec /etc/systemd/system -name '*net*' -not -path '*network*' 2>/dev/null; "
    "systemctl list-units --all --plain --no-legend 'fleetops-kexec-net*'"
)

SomeSite = TypeVar("SomeSite", bound="Site")


def folder_of(purpose: str) -> Path:
    """The folder of the lab for that purpose."""
    return default_cache() / purpose


@contextmanager
def one_machine(purpose: str, folder: Path, variant: str = "grub", post_seconds: int = 0) -> Iterator[Fleet]:
    """The machine, new from its image, until the end of the block.

    It is another one than those of `make demo`, which may be running; only the image is shared.

    :param purpose: names the lab: two of one purpose are not there at once.
    :param folder: for what Ansible needs.
    """
    lab = Lab(folder_of(purpose), images=default_cache() / "images")
    lab.down()
    lab.up(1, variant=variant, post_seconds=post_seconds, timeout_seconds=_PATIENCE)
    yield Fleet(lab, folder)
    lab.down()


@dataclass(frozen=True)
class Site:
    """The machine, and its two kernels: the older one runs at first, the newer one is the boot loader's default."""

    fleet: Fleet
    older: str
    newer: str

    @classmethod
    def of(cls: type[SomeSite], fleet: Fleet, **others: Any) -> SomeSite:
        """With the newer kernel made the default."""
        older, newer = fleet.kernels(HOST)
        assert fleet.boot(HOST)["release"] == older
        fleet.lab.update([HOST])
        return cls(fleet, older, newer, **others)

    def ssh(self, command: str) -> str:
        return self.fleet.ssh(HOST, command)

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        return self.fleet.module(HOST, name, **arguments)

    def modules(self, name: str, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self.fleet.modules(HOST, name, runs)

    def survey(self, **arguments: Any) -> dict[str, Any]:
        result = self.module("kexec_info", **arguments)
        assert result["failed"] is False
        survey: dict[str, Any] = result["kexec"]
        return survey

    def boot(self) -> dict[str, str]:
        return self.fleet.boot(HOST)

    def release(self) -> str:
        return self.boot()["release"]

    def reset(self) -> None:
        self.fleet.lab.reset(HOST, timeout_seconds=_PATIENCE)

    def keep_journal(self) -> None:
        """So that what is said at a shutdown can be read in the next boot."""
        self.ssh("mkdir -p /var/log/journal && systemctl restart systemd-journald && journalctl --flush")

    def start_older_once(self) -> None:
        """As an administrator does it, so that the older kernel runs and the newer one stays the default."""
        survey = self.survey()
        entry = next(entry["id"] for entry in survey["entries"] if entry["release"] == self.older)
        command = "grub-reboot" if survey["boot_loader"] == "grub" else "bootctl set-oneshot"
        self.ssh("%s '%s' && sync" % (command, entry))

    def begin(self) -> None:
        """The older kernel runs, started by the boot loader, the newer one is the default, and nothing is armed."""
        boot = self.boot()
        if (boot["release"], boot["loader_type"] == KEXEC) != (self.older, False):
            self.start_older_once()
            self.reset()
            assert self.release() == self.older
        assert self.is_clean()

    def traces(self) -> str:
        """What is there of a rollback net."""
        return self.ssh(_TRACES)

    def is_clean(self) -> bool:
        """Whether nothing is armed or staged."""
        survey = self.survey()
        found = (self.traces(), survey["one_shot_entry"], survey["net"], survey["loaded"]["image"])
        print(found)
        return found == ("", None, None, False)
