# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a host before its reboot, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import Boot, Staged
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host_key import HostKey, parse_host_key
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import Services


class RebootFailed(Exception):
    """Why the reboot is no success; the outcome has the phase."""


class HostLost(RebootFailed):
    """It went down and is not back."""


@dataclass(frozen=True)
class Before:
    """The host as it was before it was asked to reboot."""

    boot: Boot
    services: Services | None
    asked: str
    """kexec, kexec_now, firmware, or command for one of the user's own."""
    host_key: HostKey | None = None
    """None where nobody looked, or it could not be seen."""
    not_kexec: str = ""
    """Why method auto has not chosen a kexec; empty where it has, or another method was asked for."""


@dataclass
class Outcome:
    """What was asked for and what was seen, complete from the start; the past tense is for what was observed."""

    changed: bool = False
    failed: bool = False
    msg: str = ""
    phase: str = "check"
    """check, request, down, return, proof or test: where it is, or where it failed."""
    rebooted: bool = False
    asked: dict[str, str | None] = field(
        default_factory=lambda: {"method": None, "token": None, "release": None, "build": None, "not_kexec": None}
    )
    method: str | None = None
    """kexec or firmware, as observed; kexec_now for a kexec that was asked for so."""
    fell_back: bool = False
    rolled_back: bool = False
    lost: bool = False
    boot_id: dict[str, str | None] = field(default_factory=lambda: {"before": None, "after": None})
    release: dict[str, str | None] = field(default_factory=lambda: {"before": None, "after": None})
    build: dict[str, str | None] = field(default_factory=lambda: {"before": None, "after": None})
    host_key: dict[str, str | None] = field(default_factory=lambda: {"before": None, "after": None})
    crash_kernel: dict[str, bool | None] = field(default_factory=lambda: {"before": None, "after": None})
    failed_units: dict[str, list[str] | None] = field(
        default_factory=lambda: {"before": None, "after": None, "new": []}
    )
    timeline: dict[str, float | None] = field(
        default_factory=lambda: {"requested": None, "down": None, "answering": None, "ready": None}
    )
    down_seconds: float | None = None
    elapsed: float = 0.0
    warnings: list[str] = field(default_factory=list)
    """Ansible shows them by itself."""

    def as_result(self) -> dict[str, Any]:
        """For Ansible."""
        # Whole seconds, as ansible.builtin.reboot returns them.
        return {**vars(self), "elapsed": int(self.elapsed)}

    def note(self, moment: str, boot: Boot, services: Services | None, host_key: HostKey | None) -> None:
        """Take down what was seen. :param moment: before or after."""
        self.boot_id[moment] = boot.boot_id
        self.release[moment] = boot.release
        self.build[moment] = boot.build
        self.crash_kernel[moment] = boot.crash_loaded
        self.host_key[moment] = None if host_key is None else str(host_key)
        self.failed_units[moment] = None if services is None else list(services.failed)


def before_from(result: Mapping[str, Any]) -> Before:
    """What an earlier task knew before its reboot, by its result; raises ValueError where it has not lost the host."""
    try:
        if not result["lost"]:
            raise ValueError("the host was not lost in it")
        asked, units, key = result["asked"], result["failed_units"]["before"], result["host_key"]["before"]
        return Before(
            boot=Boot(
                boot_id=str(result["boot_id"]["before"]),
                release=str(result["release"]["before"]),
                build=result["build"]["before"] or None,
                token=None,
                by_kexec=None,
                image_loaded=asked["token"] is not None,
                crash_loaded=bool(result["crash_kernel"]["before"]),
                staged=None
                if asked["token"] is None
                else Staged(asked["token"], asked["release"], asked["build"] or None),
                init="unknown",
                container=None,
            ),
            services=None if units is None else Services(tuple(units), is_settled=True),
            asked=asked["method"],
            host_key=None if key is None else parse_host_key(key),
            not_kexec=asked["not_kexec"] or "",
        )
    except (KeyError, TypeError) as error:
        raise ValueError("it is no result of kexec_reboot: %s is missing or of another type" % error)
