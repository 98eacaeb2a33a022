# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a host before it counts as healthy, and what came of asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.expression import Expression


class BadCheck(Exception):
    """A check cannot be meant, as a sentence."""


@dataclass(frozen=True)
class Tls:
    """How a server is known, and how we are."""

    validate_certs: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


@dataclass(frozen=True)
class UrlCheck:
    """A request, and what its answer must be."""

    name: str
    timeout: float
    url: str
    """Without user and password, which are in the headers."""
    from_host: bool
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    statuses: tuple[int, ...] = (200,)
    expect: Expression | None = None
    contains: str | None = None
    tls: Tls = Tls()
    follow_redirects: bool = True


@dataclass(frozen=True)
class CommandCheck:
    """A program on the host, and its return code."""

    name: str
    timeout: float
    argv: tuple[str, ...]
    rc: int = 0


@dataclass(frozen=True)
class PortCheck:
    """A TCP port that accepts."""

    name: str
    timeout: float
    port: int
    from_host: bool
    host: str | None = None
    """None for the host itself."""


@dataclass(frozen=True)
class UnitCheck:
    """A systemd unit that is active."""

    name: str
    timeout: float
    unit: str


@dataclass(frozen=True)
class FailedUnitsCheck:
    """The boot has ended, and no unit has failed that had not before."""

    name: str
    timeout: float


HostCheck = CommandCheck | PortCheck | UnitCheck | FailedUnitsCheck
Check = UrlCheck | HostCheck


@dataclass(frozen=True)
class WebAnswer:
    """What a server answered."""

    status: int | None
    """None where there was no answer."""
    body: str = ""
    error: str = ""
    """Why there was none, or no whole one."""


@dataclass(frozen=True)
class Ran:
    """What a program on the host left behind."""

    rc: int
    output: str


@dataclass(frozen=True)
class Finding:
    """How a check stood at one look."""

    holds: bool
    why: str = ""
    """Why it does not hold."""
    answer: str = ""
    """What was answered, as it came."""
