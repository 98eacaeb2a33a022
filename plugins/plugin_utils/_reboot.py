# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reboot of one host: asked for, seen to happen, and proven, under one deadline."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.fleetops.kexec.plugins.plugin_utils._after import After
from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import Boot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostError, HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import Clock, Deadline
from ansible_collections.fleetops.kexec.plugins.plugin_utils._examine import EXAMINATION, choose, read_examination
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer, Host, Pending
from ansible_collections.fleetops.kexec.plugins.plugin_utils._identity import Identity
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Before, HostLost, Outcome, RebootFailed
from ansible_collections.fleetops.kexec.plugins.plugin_utils._proof import judge
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request
from ansible_collections.fleetops.kexec.plugins.plugin_utils._return import Refused, Return
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import Services
from ansible_collections.fleetops.kexec.plugins.plugin_utils._way import (
    announcement,
    command_for,
    only_in_boot,
    own_command,
    unattended,
    with_search_paths,
)

# Seconds for showing a message to those who are logged in.
_MOST_ANNOUNCING = 10.0


class Reboot:
    """One reboot of one host.

    :param say: told, in a short line, what is being waited for.
    """

    def __init__(self, host: Host, clock: Clock, request: Request, say: Callable[[str], None]) -> None:
        self._host = host
        self._request = request
        self._say = say
        self._deadline = Deadline(clock, request.timeout)
        known = None if request.resume is None else request.resume.host_key
        self._identity = Identity(host, self._deadline, request.require_same_host_key, known)
        self.outcome = Outcome()

    def run(self, check_mode: bool = False) -> Outcome:
        """Do it. Failures are in the outcome; nothing is raised for what a host does."""
        try:
            before = self._before(check_mode)
            if check_mode:
                self.outcome.changed = self._request.resume is None
                self.outcome.msg = self._intent(before)
            else:
                self._reboot(before)
        except (RebootFailed, HostError) as error:
            self.outcome.failed = True
            self.outcome.lost = isinstance(error, HostLost)
            self.outcome.msg = str(error)
        finally:
            self._host.end()
        self.outcome.elapsed = self._deadline.elapsed()
        return self.outcome

    def _intent(self, before: Before) -> str:
        if self._request.resume is not None:
            return "would wait for the host"
        if self._request.method == "auto" and before.asked != "command":
            return "would reboot by kexec if an image is staged by then%s" % (
                ", and through the firmware otherwise" if self._request.fallback == "firmware" else ""
            )
        return "would reboot by %s" % (before.asked if before.asked != "command" else self._request.reboot_command)

    # Before

    def _before(self, check_mode: bool) -> Before:
        """What the host is before anything is done to it, and the way that is taken. Raises RebootFailed."""
        before = self._request.resume
        if before is None:
            before = self._examined(check_mode)
        elif not check_mode:
            self._host.prepare_watch(self._request.poll_interval, is_known=before.host_key is not None)
        staged = before.boot.staged
        self.outcome.asked = {
            "method": before.asked,
            "token": None if staged is None else staged.token,
            "release": None if staged is None else staged.release,
            "build": None if staged is None else staged.build,
            "not_kexec": before.not_kexec or None,
        }
        return before

    def _examined(self, check_mode: bool) -> Before:
        limit = min(self._request.answer_timeout, self._request.timeout)
        pending, began = self._host.start(EXAMINATION), self._deadline.now()
        if not check_mode:
            # Beside the command, which takes longer.
            self._host.prepare_watch(self._request.poll_interval, beside=pending, most=limit)
            self._identity.begin()
        answer = pending.wait(limit - (self._deadline.now() - began))
        if answer is None:
            raise HostUnreachable("the host did not answer within %g s; it was left alone" % limit)
        host = read_examination(answer)
        self.outcome.note("before", host.boot, host.services, None)
        return choose(self._request, host, check_mode)

    def _boot_time(self) -> str | None:
        """What the user's own command says of the time of the boot. Raises RebootFailed."""
        if self._request.boot_time_command is None:
            return None
        answer = self._host.start(self._request.boot_time_command).wait(self._request.answer_timeout)
        if answer is None or answer.rc != 0:
            raise RebootFailed(
                "boot_time_command %s; the host was left alone"
                % ("did not end" if answer is None else "ended with %d: %s" % (answer.rc, answer.said))
            )
        return answer.stdout.strip()

    def _learn_host_key(self) -> None:
        why = self._identity.learn()
        if why:
            self.outcome.warnings.append(
                "the host key after the reboot could not be compared, because it was not seen before: " + why
            )

    # The reboot

    def _reboot(self, before: Before) -> None:
        if self._request.resume is not None:
            self.outcome.note("before", before.boot, before.services, self._identity.before)
            self._finish(None, before, None)
            return
        boot_time = self._boot_time()
        self._delay(before)
        self._learn_host_key()
        self.outcome.note("before", before.boot, before.services, self._identity.before)
        try:
            self._go(before, boot_time)
        except Refused as refusal:
            if before.asked != "kexec" or (self._request.method, self._request.fallback) != ("auto", "firmware"):
                raise
            self._say("%s; going through the firmware" % refusal)
            before = Before(before.boot, before.services, "firmware", not_kexec=str(refusal))
            self.outcome.asked.update(method="firmware", not_kexec=before.not_kexec)
            self._go(before, boot_time)

    def _go(self, before: Before, boot_time: str | None) -> None:
        try:
            self._finish(self._fire(before), before, boot_time)
        except Refused:
            self.outcome.changed = False
            raise

    def _delay(self, before: Before) -> None:
        """Tell those who are logged in, and give them the time that was asked for."""
        delay = self._request.pre_reboot_delay
        if delay == 0 or before.asked == "command":
            return
        if before.asked != "kexec_now" and self._request.announcement:
            self._host.start(announcement(self._request.announcement)).wait(_MOST_ANNOUNCING)
        self._say("waiting for %g s before the reboot" % delay)
        self._deadline.extend(delay)
        self._deadline.sleep(delay)

    def _fire(self, before: Before) -> Pending[Answer]:
        if before.asked == "firmware" and before.boot.image_loaded:
            self._host.unload_image(self._deadline.remaining())
        self.outcome.phase = "request"
        command = self._command(before)
        fired = self._host.jump() if command is None else self._host.start(command)
        self.outcome.timeline["requested"] = self._deadline.elapsed()
        # From here on the host may go down whatever else happens.
        self.outcome.changed = True
        self._deadline.extend(self._request.post_reboot_delay)
        return fired

    def _command(self, before: Before) -> str | None:
        """The shell command that asks for the reboot; None for kexec_now, which has none."""
        request, boot = self._request, before.boot
        if request.reboot_command is not None:
            command: str | None = own_command(request.reboot_command, request.search_paths)
        else:
            command = command_for(boot.init, before.asked, request.ignore_inhibitors)
            if command is not None and request.pre_reboot_delay == 0:
                command = announcement(request.announcement) + command
        if command is None:
            return None
        return unattended(only_in_boot(boot.boot_id, with_search_paths(request.search_paths, command)))

    # After

    def _finish(self, fired: Pending[Answer] | None, before: Before, boot_time: str | None) -> None:
        watch = Return(self._host, self._deadline, self._request, self._identity, self.outcome, self._say)
        boot, services = watch.wait(fired, before)
        self._prove(before, boot, services)
        after = After(self._host, self._deadline, self._request, self.outcome, self._say)
        after.test(boot_time)
        after.settle(before.boot, before.services, boot, services)

    def _prove(self, before: Before, boot: Boot, services: Services | None) -> None:
        """Raises RebootFailed where the new boot is not what was asked for."""
        outcome = self.outcome
        outcome.phase = "proof"
        outcome.rebooted = outcome.changed = True
        outcome.note("after", boot, services, self._identity.after)
        down, ready = outcome.timeline["down"], outcome.timeline["ready"]
        if down is not None and ready is not None:
            outcome.down_seconds = round(ready - down, 2)
        verdict = judge(self._request, before, boot)
        outcome.method = verdict.method
        outcome.fell_back, outcome.rolled_back = verdict.fell_back, verdict.rolled_back
        if verdict.failure:
            raise RebootFailed(verdict.failure)
        outcome.msg = "rebooted by %s into %s" % (verdict.method or "an unknown way", boot.release)
        if before.not_kexec:
            outcome.msg += "; no kexec, because " + before.not_kexec
        if verdict.fell_back:
            outcome.warnings.append("the kexec did not happen: the host came back through its firmware")
