# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came back, against what was asked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import Boot, Staged
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Before
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request


@dataclass(frozen=True)
class Verdict:
    """How the host was seen to have rebooted."""

    method: str | None
    """kexec, kexec_now for one that was asked for so, firmware, or None where nothing tells."""
    fell_back: bool
    """Through the firmware although a kexec was asked for."""
    rolled_back: bool
    """Into the kernel that ran before, although another was to be started by a kexec."""
    failure: str
    """Why this is no success; empty where it is one."""


@dataclass(frozen=True)
class _Expected:
    """The kernel that is to come back; None for what nobody knows, or does not care for."""

    release: str | None
    build: str | None

    def against(self, after: Boot) -> str:
        """Why this is not that kernel; empty where it is."""
        if self.release not in (None, after.release):
            return "the host came back with kernel %s, and %s was expected" % (after.release, self.release)
        if self.build is not None and after.build not in (None, self.build):
            return "the host came back with another build of kernel %s: %s, and %s was expected" % (
                after.release,
                after.build,
                self.build,
            )
        return ""


def judge(request: Request, before: Before, after: Boot) -> Verdict:
    """Compare the new boot with what was asked for."""
    if before.asked in ("kexec", "kexec_now"):
        return _judge_kexec(request, before, after)
    method = _method(before.boot.staged, after)
    asked_for = _Expected(request.expect_release, request.expect_build)
    failure = asked_for.against(after)
    if before.asked == "firmware" and method == "kexec":
        failure = "a reboot through the firmware was asked for, and the host came back by a kexec"
    return Verdict(method, False, False, failure)


def _judge_kexec(request: Request, before: Before, after: Boot) -> Verdict:
    staged = before.boot.staged
    expected = _expected(request, staged)
    if staged is not None and after.token == staged.token:
        return Verdict(before.asked, False, False, expected.against(after))
    method = _method(staged, after)
    fell_back = method == "firmware"
    if method != "kexec" and _is_old_kernel(before.boot, after, expected):
        failure = (
            "the host has rolled back: it runs its old kernel %s again, and %s did not come up; its console and the "
            "journal of its last boot tell more" % _told_apart(after, expected)
        )
        return Verdict(method, fell_back, True, failure)
    if not fell_back:
        failure = (
            "the host came back with %s, but not from the staged image: its token is not on the command line"
            % after.release
        )
    elif (request.method, request.fallback) == ("auto", "firmware"):
        failure = expected.against(after)
    else:
        failure = "the kexec did not happen: the host came back through its firmware, with %s" % after.release
    return Verdict(method, fell_back, False, failure)


def _method(staged: Staged | None, after: Boot) -> str | None:
    if staged is not None and after.token == staged.token:
        return "kexec"
    if after.by_kexec is None:
        return None
    return "kexec" if after.by_kexec else "firmware"


def _expected(request: Request, staged: Staged | None) -> _Expected:
    """What the operator says counts; what was staged says the rest, unless it is about another release."""
    if staged is None or request.expect_release not in (None, staged.release):
        return _Expected(request.expect_release, request.expect_build)
    return _Expected(staged.release, request.expect_build or staged.build)


def _is_old_kernel(before: Boot, after: Boot, expected: _Expected) -> bool:
    """Whether the kernel of before runs again; not where that is just what was expected, or nobody knows."""
    if expected.release is None or after.release != before.release:
        return False
    if None in (after.build, before.build):
        return expected.release != before.release
    another = expected.release != before.release or expected.build not in (None, before.build)
    return another and after.build == before.build


def _told_apart(after: Boot, expected: _Expected) -> tuple[str, str]:
    """The names of the kernel that came back and of the expected one."""
    if after.release != expected.release:
        return after.release, str(expected.release)
    return "%s (%s)" % (after.release, after.build), "its build %s" % expected.build
