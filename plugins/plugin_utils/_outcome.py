# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a host before its reboot, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import Boot, Staged
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host_key import HostKey, parse_host_key
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import Services


class RebootFailed(Exception):
    """Why the reboot is no success; the outcome has the phase."""


class HostLost(RebootFailed):
    """It went down and is not back."""


class Begun(NamedTuple):
    """When an earlier task began with the reboot, and what it saw, in seconds from then."""

    started: datetime
    requested: float | None
    down: float | None


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
    begun: Begun | None = None
    """None where no earlier task has told."""


@dataclass
class Outcome:
    """What was asked for and what was seen, complete from the start; the past tense is for what was observed."""

    changed: bool = False
    failed: bool = False
    msg: str = ""
    phase: str = "check"
    """check, request, down, return, proof, test, health or commit: where it is, or where it failed."""
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
    health: dict[str, Any] | None = None
    """The result of awaiting health; None where that did not begin."""
    commit: dict[str, Any] | None = None
    """The result of accepting the kernel; None where that did not begin."""
    elapsed: float = 0.0
    warnings: list[str] = field(default_factory=list)
    """Ansible shows them by itself."""

    def as_result(self, started: datetime, begun: Begun | None = None) -> dict[str, Any]:
        """For Ansible. :param begun: where a reboot was resumed, from whose beginning all times count then."""
        timeline, down_seconds, elapsed = self.timeline, self.down_seconds, self.elapsed
        if begun is not None and self.phase != "check":
            # Two tasks have no monotonic clock in common.
            between = max((started - begun.started).total_seconds(), 0.0)
            timeline = {name: None if at is None else round(at + between, 2) for name, at in timeline.items()}
            timeline["requested"] = begun.requested
            if timeline["down"] is None and self.phase != "down":
                timeline["down"] = begun.down
            if timeline["down"] is not None and timeline["ready"] is not None:
                down_seconds = round(timeline["ready"] - timeline["down"], 2)
            started, elapsed = begun.started, elapsed + between
        return {
            "started": started.isoformat(),
            **vars(self),
            "timeline": timeline,
            "down_seconds": down_seconds,
            # Whole seconds, as ansible.builtin.reboot returns them.
            "elapsed": int(elapsed),
        }

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
            begun=_begun(result),
        )
    except (KeyError, TypeError) as error:
        raise ValueError("it is no result of kexec_reboot: %s is missing or of another type" % error)


def _begun(result: Mapping[str, Any]) -> Begun | None:
    if not result.get("started"):
        return None
    try:
        started = datetime.fromisoformat(result["started"])
        seen = {name: result["timeline"][name] for name in ("requested", "down")}
        return Begun(started.astimezone(timezone.utc), **{n: None if s is None else float(s) for n, s in seen.items()})
    except ValueError as error:
        raise ValueError("it is no result of kexec_reboot: %s" % error)
