# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host before anything is done to it: what is it, may it be rebooted, and which way is taken."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import QUESTION, Boot, parse_boot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Before, RebootFailed
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import ASK_SERVICES, Services, parse_services
from ansible_collections.fleetops.kexec.plugins.plugin_utils._way import (
    ASK_CONTAINER,
    ASK_INHIBITORS,
    ASK_USER,
    Inhibitor,
    command_for,
    is_root,
    marked_container,
    parse_inhibitors,
)

EXAMINATION = "; ".join((QUESTION, ASK_USER, ASK_CONTAINER, ASK_INHIBITORS, ASK_SERVICES))


@dataclass(frozen=True)
class Examined:
    """What a host says of itself before its reboot."""

    boot: Boot
    services: Services | None
    container: str | None
    is_root: bool
    inhibitors: tuple[Inhibitor, ...]


def read_examination(answer: Answer) -> Examined:
    """What :data:`EXAMINATION` was answered with. Raises RebootFailed where it is no answer."""
    boot = parse_boot(answer.stdout)
    if boot is None:
        raise RebootFailed("the host did not say which boot this is; it was left alone (%s)" % answer.said[:200])
    return Examined(
        boot=boot,
        services=parse_services(answer.stdout),
        container=boot.container or marked_container(answer.stdout),
        is_root=is_root(answer.stdout),
        inhibitors=tuple(parse_inhibitors(answer.stdout)),
    )


def choose(request: Request, host: Examined, check_mode: bool) -> Before:
    """The way that the reboot takes. Pure. Raises RebootFailed where none may be taken.

    :param check_mode: whether the staging before this was not carried out either.
    """
    if host.boot.boot_id == request.own_boot_id:
        raise RebootFailed("this is the control node, or shares its kernel; it was left alone")
    if host.container is not None:
        raise RebootFailed("this is a container (%s); reboot its host instead" % host.container)
    if request.method != "kexec_now":
        _check_inhibitors(request, host)
    if request.reboot_command is not None:
        return Before(host.boot, host.services, "command")
    if not host.is_root:
        raise RebootFailed("rebooting needs root on the host; use become: true")
    if request.method != "kexec_now":
        _check_init(host.boot.init)
    if request.method == "firmware":
        return Before(host.boot, host.services, "firmware")
    against = _against_kexec(request, host.boot)
    if against and (request.method, request.fallback) == ("auto", "firmware"):
        return Before(host.boot, host.services, "firmware", not_kexec=against)
    if against and not check_mode:
        raise RebootFailed(against)
    return Before(host.boot, host.services, "kexec" if request.method == "auto" else request.method)


def _check_inhibitors(request: Request, host: Examined) -> None:
    if host.inhibitors and not request.ignore_inhibitors:
        raise RebootFailed(
            "a shutdown is inhibited by %s; wait for it, or set ignore_inhibitors: true"
            % ", ".join(map(str, host.inhibitors))
        )


def _check_init(init: str) -> None:
    if command_for(init, "kexec", ignore_inhibitors=False) is None:
        raise RebootFailed(
            "the init system %r is not known, so its services cannot be stopped; method kexec_now goes without" % init
        )


def _against_kexec(request: Request, boot: Boot) -> str:
    """Why the staged image cannot be started; empty where it can."""
    if not boot.image_loaded:
        return "no image is staged; run kexec_load first"
    if boot.staged is None:
        return (
            "an image is loaded, but kexec_load has no record of it, so nothing could prove that it is the right one; "
            "run kexec_load first"
        )
    if request.token not in (None, boot.staged.token):
        return "another image than the one that was to be started is staged; run kexec_load again"
    return ""
