# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for, from the arguments of the task. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Before, before_from

# Two questions a second are what an OpenSSH server that has just booted bears, see _watch.py.
_LEAST_INTERVAL = 0.5

_POSITIVE = ("reboot_timeout", "connect_timeout")
_NOT_NEGATIVE = ("pre_reboot_delay", "post_reboot_delay", "settle_timeout")


class BadRequest(Exception):
    """The arguments cannot be meant, as a sentence."""


@dataclass(frozen=True)
class Request:
    """What is asked for. Times are in seconds."""

    method: str = "auto"
    """auto, kexec, kexec_now or firmware."""
    fallback: str = "firmware"
    """What auto does where no kexec is possible: firmware or fail."""
    timeout: float = 600.0
    """For the whole: going down, coming up, proof; the delays that are asked for come on top."""
    answer_timeout: float = 30.0
    """That a single command may take."""
    expect_release: str | None = None
    """What ``uname -r`` must say afterwards; None for what was staged."""
    expect_build: str | None = None
    """What ``uname -v`` must say afterwards; None for what was staged."""
    ignore_inhibitors: bool = False
    token: str | None = None
    """Of the staging that is to be started; None for whatever is on record."""
    pre_reboot_delay: float = 0.0
    post_reboot_delay: float = 0.0
    announcement: str = ""
    search_paths: tuple[str, ...] = ()
    reboot_command: str | None = None
    boot_time_command: str | None = None
    test_command: str | None = None
    poll_interval: float = _LEAST_INTERVAL
    settle_timeout: float = 0.0
    fail_on_new_failed_units: bool = False
    require_same_host_key: bool = True
    own_boot_id: str | None = None
    """Of the control node, which must not be rebooted under the task's feet; None where that is not known."""
    resume: Before | None = None
    """The host was asked to reboot by an earlier task, and is only waited for."""


def request_from(arguments: Mapping[str, Any], answer_timeout: float, own_boot_id: str | None) -> Request:
    """Raises BadRequest. :param arguments: with their types and defaults."""
    _check_numbers(arguments)
    if arguments["reboot_command"] is not None:
        if arguments["method"] != "auto":
            raise BadRequest("reboot_command says how to reboot; leave out method, which is %r" % arguments["method"])
        if not arguments["reboot_command"].strip():
            raise BadRequest("reboot_command is empty")
    before = None
    if arguments["resume"] is not None:
        try:
            before = before_from(arguments["resume"])
        except ValueError as error:
            raise BadRequest("resume takes the result of a kexec_reboot that has lost the host; %s" % error)
    return Request(
        method=arguments["method"],
        fallback=arguments["fallback"],
        timeout=arguments["reboot_timeout"],
        answer_timeout=answer_timeout,
        expect_release=arguments["expect_release"] or None,
        expect_build=arguments["expect_build"] or None,
        ignore_inhibitors=arguments["ignore_inhibitors"],
        token=arguments["token"],
        pre_reboot_delay=arguments["pre_reboot_delay"],
        post_reboot_delay=arguments["post_reboot_delay"],
        announcement=arguments["msg"],
        search_paths=tuple(arguments["search_paths"]),
        reboot_command=arguments["reboot_command"],
        boot_time_command=arguments["boot_time_command"] or None,
        test_command=arguments["test_command"] or None,
        poll_interval=arguments["poll_interval"],
        settle_timeout=arguments["settle_timeout"],
        fail_on_new_failed_units=arguments["fail_on_new_failed_units"],
        require_same_host_key=arguments["require_same_host_key"],
        own_boot_id=own_boot_id,
        resume=before,
    )


def _check_numbers(arguments: Mapping[str, Any]) -> None:
    for name in (*_POSITIVE, *_NOT_NEGATIVE, "poll_interval"):
        value = arguments[name]
        if value is None:
            continue
        if not math.isfinite(value):
            raise BadRequest("%s is %g; it must be a number of seconds" % (name, value))
        if name in _POSITIVE and value <= 0:
            raise BadRequest("%s is %g; it must be more than 0 seconds" % (name, value))
        if value < 0:
            raise BadRequest("%s is %g; it must be 0 seconds or more" % (name, value))
    if arguments["poll_interval"] < _LEAST_INTERVAL:
        raise BadRequest(
            "poll_interval is %g; it must be %g seconds or more: an SSH server that has just come up has other work"
            % (arguments["poll_interval"], _LEAST_INTERVAL)
        )
