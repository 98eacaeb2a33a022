# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes late in a boot: the user's own tests, the end of the boot, failed units, the crash kernel."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import Boot, parse_boot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import Deadline
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer, Host
from ansible_collections.fleetops.kexec.plugins.plugin_utils._inquiry import Inquiry
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Outcome, RebootFailed
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request
from ansible_collections.fleetops.kexec.plugins.plugin_utils._return import WHO_IS_THERE
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import Services, new_failures, parse_services

# Seconds for an answer of a host that has just answered.
_MOST_ANSWERING = 5.0

# Seconds between two tries of a command that has to succeed.
_TRY_AGAIN = 1.0

# Seconds that a crash kernel may take to be loaded again by its service, which starts late in the boot, and seconds
# between two looks. Only hosts that had one before are looked at.
_CRASH_KERNEL_PATIENCE = 15.0
_LOOK_AGAIN = 2.0


class After:
    """A host that has come back.

    :param say: told, in a short line, what is being waited for.
    """

    def __init__(
        self, host: Host, deadline: Deadline, request: Request, outcome: Outcome, say: Callable[[str], None]
    ) -> None:
        self._host = host
        self._deadline = deadline
        self._request = request
        self._outcome = outcome
        self._say = say

    def test(self, boot_time: str | None) -> None:
        """Try the user's own commands until they are satisfied; raises RebootFailed at the deadline.

        :param boot_time: what boot_time_command said before the reboot; None where there is no such command.
        """
        if self._request.boot_time_command is not None and boot_time is not None:
            self._try("boot_time_command", self._request.boot_time_command, lambda said: _against(boot_time, said))
        if self._request.test_command is not None:
            self._try("test_command", self._request.test_command, lambda said: "")

    def _try(self, option: str, command: str, against: Callable[[str], str]) -> None:
        why = ""
        self._outcome.phase = "test"
        while self._deadline.remaining() > 0:
            started, before = self._deadline.now(), why
            try:
                answer = self._run(command)
                why = _failure(answer) or against(answer.stdout.strip())
                if not why:
                    return
            except HostUnreachable as error:
                self._host.reset()
                why = str(error)
            if why != before:
                self._say("%s has not succeeded yet: %s" % (option, why))
            self._deadline.sleep_until(started + _TRY_AGAIN)
        raise RebootFailed(
            "the host is back, but %s did not succeed within %g s: %s" % (option, self._request.timeout, why)
        )

    def _run(self, command: str) -> Answer:
        # However long it takes: it may well be one that waits for something.
        inquiry = Inquiry(self._host, self._deadline, command, limit=None)
        while self._deadline.remaining() > 0:
            answer = inquiry.answer(_TRY_AGAIN)
            if answer is not None:
                return answer
        raise HostUnreachable("it did not come to its end")

    def settle(self, before: Boot, units_before: Services | None, boot: Boot, services: Services | None) -> None:
        """Wait for the end of the boot, if that is asked for, and for the crash kernel. Warns of what is missing."""
        if services is None and units_before is not None:
            # systemd was too busy to answer beside the first question.
            boot, services = self._ask_again() or (boot, services)
        start = self._deadline.now()
        settled_by = start + self._request.settle_timeout
        crash_kernel_by = start + _CRASH_KERNEL_PATIENCE
        while True:
            unsettled = self._request.settle_timeout > 0 and services is not None and not services.is_settled
            unprotected = before.crash_loaded and not boot.crash_loaded
            awaited = [limit for late, limit in ((unsettled, settled_by), (unprotected, crash_kernel_by)) if late]
            rest = min(max(awaited, default=start) - self._deadline.now(), self._deadline.remaining())
            if rest <= 0:
                break
            self._say("waiting for %s" % ("the boot to end" if unsettled else "the crash kernel to be loaded again"))
            self._deadline.sleep(min(_LOOK_AGAIN, rest))
            boot, services = self._ask_again() or (boot, services)
        self._warn(unsettled, unprotected)
        self._outcome.crash_kernel["after"] = boot.crash_loaded
        self._compare(units_before, services)

    def _warn(self, unsettled: bool, unprotected: bool) -> None:
        if unsettled:
            self._outcome.warnings.append(
                "the boot had not come to its end within settle_timeout (%g s); see systemctl list-jobs"
                % self._request.settle_timeout
            )
        if unprotected:
            self._outcome.warnings.append(
                "a crash kernel was loaded before the reboot and is not any more; check the kdump service"
            )

    def _compare(self, before: Services | None, after: Services | None) -> None:
        new = new_failures(before, after)
        self._outcome.failed_units["after"] = None if after is None else list(after.failed)
        self._outcome.failed_units["new"] = new
        if not new:
            return
        sentence = "systemd units have failed that had not before the reboot: %s" % ", ".join(new)
        if self._request.fail_on_new_failed_units:
            self._outcome.phase = "test"
            raise RebootFailed(sentence)
        self._outcome.warnings.append(sentence)

    def _ask_again(self) -> tuple[Boot, Services | None] | None:
        """What a host says that is known to be up; None where it says nothing now."""
        try:
            answer = self._host.start(WHO_IS_THERE).wait(min(_MOST_ANSWERING, self._deadline.remaining()))
        except HostUnreachable:
            self._host.reset()
            return None
        boot = None if answer is None else parse_boot(answer.stdout)
        return None if answer is None or boot is None else (boot, parse_services(answer.stdout))


def _failure(answer: Answer) -> str:
    if answer.rc == 0:
        return ""
    return "it ended with %d: %s" % (answer.rc, answer.said[:500])


def _against(before: str, after: str) -> str:
    return "" if after not in ("", before) else "it says %r, as before the reboot" % after[:200]
