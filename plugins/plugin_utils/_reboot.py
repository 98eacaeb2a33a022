# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reboot of one host: asked for, seen to happen, and proven, under one deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import QUESTION, Boot, Staged, parse_boot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import Clock
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Host, HostError, HostUnreachable, Pending
from ansible_collections.fleetops.kexec.plugins.plugin_utils._way import (
    ASK_INHIBITORS,
    ASK_USER,
    Inhibitor,
    command_for,
    is_root,
    only_in_boot,
    parse_inhibitors,
)

# Seconds between two looks at a host that should go down, and at one that should come up. The first is what an
# OpenSSH server of 9.8 or later bears for long without penalties, see _watch.py.
_LOOK_DOWN = 1.0
_LOOK_UP = 0.5

# A host that goes down and up between two looks has a new boot id all the same: it is asked this often for it.
_ASK_WHILE_UP = 5.0

# A question that was put to a host which then went down would never be answered. It is given up when the SSH server
# refuses, or has been silent for so long; a host that is busy with its boot is silent for a while, too.
_MOST_SILENCE = 10.0

# Seconds that a crash kernel may take to be loaded again by its service, which starts late in the boot, and seconds
# between two looks for it. Only hosts that had one before are looked at.
_CRASH_KERNEL_PATIENCE = 15.0
_LOOK_FOR_CRASH_KERNEL = 3.0


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    method: str
    """kexec, kexec_now or firmware."""
    timeout: float
    """Seconds for the whole: going down, coming up, proof."""
    answer_timeout: float
    """Seconds that a single command may take."""
    expect_release: str | None
    """What ``uname -r`` must say afterwards; None for what was staged."""
    ignore_inhibitors: bool = False
    token: str | None = None
    """Of the staging that is to be started; None for whatever is on record."""


@dataclass
class Outcome:
    """What was asked for and what was seen, complete from the start; the past tense is for what was observed."""

    changed: bool = False
    failed: bool = False
    msg: str = ""
    phase: str = "check"
    """check, request, down, return or proof: where it is, or where it failed."""
    rebooted: bool = False
    method: str | None = None
    """kexec or firmware, as observed; kexec_now for a kexec that was asked for so."""
    fell_back: bool = False
    boot_id: dict[str, str | None] = field(default_factory=lambda: {"before": None, "after": None})
    release: dict[str, str | None] = field(default_factory=lambda: {"before": None, "after": None})
    timeline: dict[str, float | None] = field(
        default_factory=lambda: {"requested": None, "down": None, "answering": None, "ready": None}
    )
    down_seconds: float | None = None
    elapsed: float = 0.0
    warnings: list[str] = field(default_factory=list)
    """Ansible shows them by itself."""

    def as_result(self) -> dict[str, Any]:
        """For Ansible."""
        return dict(vars(self))


class RebootFailed(Exception):
    """Why the reboot is no success; the outcome has the phase."""


class Reboot:
    """One reboot of one host.

    :param say: told, in a short line, what is being waited for.
    """

    def __init__(self, host: Host, clock: Clock, request: Request, say: Callable[[str], None]) -> None:
        self._host = host
        self._clock = clock
        self._request = request
        self._say = say
        self._start = clock.now()
        self._deadline = self._start + request.timeout
        self._question: Pending | None = None
        self._asked = self._heard = self._start
        self._unready = ""
        self._inhibitors: list[Inhibitor] = []
        self._refusal = ""
        self.outcome = Outcome()

    def run(self, check_mode: bool = False) -> Outcome:
        """Do it. Failures are in the outcome; nothing is raised for what a host does."""
        try:
            before = self._look()
            self._may(before, check_mode)
            if check_mode:
                self.outcome.changed = True
                self.outcome.msg = "would reboot by %s" % self._request.method
            else:
                self._reboot(before)
        except (RebootFailed, HostError) as error:
            self.outcome.failed = True
            self.outcome.msg = str(error)
        self.outcome.elapsed = self._seconds()
        return self.outcome

    def _seconds(self) -> float:
        return round(self._clock.now() - self._start, 2)

    def _mark(self, moment: str) -> None:
        self.outcome.timeline[moment] = self._seconds()

    # Before

    def _look(self) -> Boot:
        """What the host is before anything is done to it."""
        answer = self._host.start("%s; %s; %s" % (QUESTION, ASK_USER, ASK_INHIBITORS)).wait(
            min(self._request.answer_timeout, self._request.timeout)
        )
        if answer is None:
            raise HostUnreachable(
                "the host did not answer within %g s; it was left alone" % self._request.answer_timeout
            )
        boot = parse_boot(answer.stdout)
        if boot is None:
            raise RebootFailed(
                "the host did not say which boot this is; it was left alone (%s)"
                % (answer.stderr.strip() or answer.stdout.strip()[:200] or "it said nothing")
            )
        self.outcome.boot_id["before"] = boot.boot_id
        self.outcome.release["before"] = boot.release
        if not is_root(answer.stdout):
            raise RebootFailed("rebooting needs root on the host; use become: true")
        self._inhibitors = parse_inhibitors(answer.stdout)
        return boot

    def _may(self, before: Boot, check_mode: bool) -> None:
        """Raises RebootFailed where the request must not be made."""
        if before.container is not None:
            raise RebootFailed("this is a container (%s); reboot its host instead" % before.container)
        if self._request.method != "kexec_now":
            self._may_gracefully(before.init)
        # In check mode the staging before this was one as well.
        if self._request.method != "firmware" and not check_mode:
            self._may_kexec(before)

    def _may_gracefully(self, init: str) -> None:
        if self._command(init) is None:
            raise RebootFailed(
                "the init system %r is not known, so its services cannot be stopped; method kexec_now goes without"
                % init
            )
        if self._inhibitors and not self._request.ignore_inhibitors:
            raise RebootFailed(
                "a shutdown is inhibited by %s; wait for it, or set ignore_inhibitors: true"
                % ", ".join(map(str, self._inhibitors))
            )

    def _may_kexec(self, before: Boot) -> None:
        if not before.image_loaded:
            raise RebootFailed("no image is staged; run kexec_load first")
        if before.staged is None:
            raise RebootFailed(
                "an image is loaded, but kexec_load has no record of it, so nothing could prove that it is the right "
                "one; run kexec_load first"
            )
        if self._request.token not in (None, before.staged.token):
            raise RebootFailed("another image than the one that was to be started is staged; run kexec_load again")

    def _command(self, init: str) -> str | None:
        return command_for(init, self._request.method, self._request.ignore_inhibitors)

    def _refuse(self, why: str) -> None:
        self.outcome.changed = False
        raise RebootFailed("the host refused to reboot %s" % why)

    # The reboot

    def _reboot(self, before: Boot) -> None:
        if self._request.method == "firmware" and before.image_loaded:
            self._host.unload_image()
        self._host.prepare_watch()
        self.outcome.phase = "request"
        command = self._command(before.init)
        fired = self._host.jump() if command is None else self._host.start(only_in_boot(before.boot_id, command))
        self._mark("requested")
        # From here on the host may go down whatever else happens.
        self.outcome.changed = True
        after = self._watch(fired, before)
        self._prove(before, after)
        if before.crash_loaded:
            self._look_for_crash_kernel(after)

    def _watch(self, fired: Pending, before: Boot) -> Boot:
        """Until the host answers with another boot id; raises RebootFailed at the deadline, or when it refuses."""
        self._say("waiting for the host to go down")
        accepted = False
        self._asked = self._clock.now()
        while self._clock.now() < self._deadline:
            if not accepted:
                accepted = self._is_accepted(fired)
            looked = self._clock.now()
            interval = _LOOK_UP if self._is_down() else _LOOK_DOWN
            if self._question is not None or self._host.answers(min(interval, self._deadline - looked)):
                boot = self._ask(interval)
                if boot is not None and boot.boot_id != before.boot_id:
                    self._mark("ready")
                    return boot
                if boot is not None:
                    self._note_still_up()
            else:
                self._note_down()
            self._wait_until(looked + interval)
        raise RebootFailed(self._why_late())

    def _is_accepted(self, fired: Pending) -> bool:
        """Whether the command has come to its end, or has lost its connection; raises RebootFailed if it refused."""
        try:
            answer = fired.wait(0.0 if self._is_down() else 0.2)
        except HostUnreachable:
            return True  # it went down under its own command
        if answer is None:
            return False
        # Above 128 it was ended by a signal, and 255 is ssh's own: the shutdown was quicker than the answer.
        if 0 < answer.rc <= 128:
            said = answer.stderr.strip() or answer.stdout.strip() or "it did not say why"
            self._refusal = "(return code %d): %s" % (answer.rc, said)
            if not self._is_down():
                self._refuse(self._refusal)
        return True

    def _is_down(self) -> bool:
        return self.outcome.timeline["down"] is not None

    def _note_down(self) -> None:
        self.outcome.timeline["answering"] = None
        if self._question is not None:
            self._drop_question("the host stopped answering")
        if not self._is_down():
            self._mark("down")
            self.outcome.phase = "return"
            self._say("down after %.1f s; waiting for it to come back" % self._seconds())

    def _note_answering(self) -> None:
        if self.outcome.timeline["answering"] is None:
            self._mark("answering")
            self._say("answering after %.1f s" % self._seconds())

    def _note_still_up(self) -> None:
        """The boot is still the old one: a shutdown that takes its time, or a server too busy to answer at once."""
        self.outcome.timeline["down"] = self.outcome.timeline["answering"] = None
        self.outcome.phase = "down"
        if self._refusal:
            self._refuse(self._refusal)
        self._say("still the old boot after %.1f s" % self._seconds())

    def _ask(self, seconds: float) -> Boot | None:
        """Which boot this is; None while that cannot be said, and self._unready tells why."""
        now = self._clock.now()
        if self._question is None:
            if not self._is_down() and now - self._asked < _ASK_WHILE_UP:
                return None
            if self._is_down():
                self._note_answering()
                self._host.reset()
            self._question, self._asked, self._heard = self._host.start(QUESTION), now, now
        try:
            answer = self._question.wait(min(seconds, self._deadline - now))
        except HostUnreachable as error:
            self._drop_question(str(error))
            return None
        if answer is None:
            self._look_beside()
            return None
        self._question = None
        boot = parse_boot(answer.stdout)
        if boot is None:
            self._unready = "a command ended with %d: %s" % (answer.rc, answer.stderr.strip())
        return boot

    def _look_beside(self) -> None:
        """See whether there is still somebody who could answer the question."""
        now = self._clock.now()
        sign = self._host.glance()
        if sign:
            self._heard = now
        if sign is False or now - self._heard > _MOST_SILENCE:
            self._note_down()
        elif now - self._asked >= self._request.answer_timeout:
            self._drop_question("a command did not end within %g s" % self._request.answer_timeout)

    def _drop_question(self, why: str) -> None:
        self._question = None
        self._unready = why
        self._host.reset()

    def _wait_until(self, moment: float) -> None:
        remaining = min(moment, self._deadline) - self._clock.now()
        if remaining > 0:
            self._clock.sleep(remaining)

    def _why_late(self) -> str:
        limit = "%g s" % self._request.timeout
        timeline = self.outcome.timeline
        if timeline["down"] is None:
            self.outcome.phase = "down"
            return (
                "the host did not go down within %s: it still runs its old boot, and may go down yet, because the "
                "reboot was accepted" % limit
            )
        self.outcome.phase = "return"
        if timeline["answering"] is None:
            return (
                "the host stopped answering after %g s and did not come back within %s; look at its console, where it "
                "may still be stopping services" % (timeline["down"], limit)
            )
        return "the host answers again since %g s, but no command worked within %s: %s" % (
            timeline["answering"],
            limit,
            self._unready or "no reason was given",
        )

    # After

    def _prove(self, before: Boot, after: Boot) -> None:
        """Compare what came back with what was asked for. Raises RebootFailed."""
        outcome = self.outcome
        outcome.phase = "proof"
        outcome.rebooted = True
        outcome.boot_id["after"] = after.boot_id
        outcome.release["after"] = after.release
        down, ready = outcome.timeline["down"], outcome.timeline["ready"]
        if down is not None and ready is not None:
            outcome.down_seconds = round(ready - down, 2)
        outcome.method = _method(before.staged, after)
        if self._request.method != "firmware":
            outcome.fell_back = outcome.method == "firmware"
            self._prove_kexec(before.staged, after)
            outcome.method = self._request.method
        elif outcome.method == "kexec":
            raise RebootFailed("a reboot through the firmware was asked for, and the host came back by a kexec")
        self._prove_release(before.staged, after)
        outcome.msg = "rebooted by %s into %s" % (outcome.method or "an unknown way", after.release)

    def _prove_kexec(self, staged: Staged | None, after: Boot) -> None:
        if staged is not None and after.token == staged.token:
            return
        if self.outcome.fell_back:
            raise RebootFailed(
                "the kexec did not happen: the host came back through its firmware, with %s" % after.release
            )
        raise RebootFailed(
            "the host came back with %s, but not from the staged image: its token is not on the command line"
            % after.release
        )

    def _prove_release(self, staged: Staged | None, after: Boot) -> None:
        expected = self._request.expect_release
        if expected is None and self._request.method != "firmware" and staged is not None:
            expected = staged.release
        if expected is not None and after.release != expected:
            raise RebootFailed("the host came back with kernel %s, and %s was expected" % (after.release, expected))

    def _look_for_crash_kernel(self, after: Boot) -> None:
        """Warn where the crash kernel that was loaded before is not loaded again."""
        limit = min(self._clock.now() + _CRASH_KERNEL_PATIENCE, self._deadline)
        boot: Boot | None = after
        while boot is None or not boot.crash_loaded:
            if self._clock.now() + _LOOK_FOR_CRASH_KERNEL > limit:
                self.outcome.warnings.append(
                    "a crash kernel was loaded before the reboot and is not any more; check the kdump service"
                )
                return
            self._say("waiting for the crash kernel to be loaded again")
            self._clock.sleep(_LOOK_FOR_CRASH_KERNEL)
            boot = self._ask_again()

    def _ask_again(self) -> Boot | None:
        """What a host says that is known to be up; None where it says nothing now."""
        try:
            answer = self._host.start(QUESTION).wait(_LOOK_FOR_CRASH_KERNEL)
        except HostUnreachable:
            self._host.reset()
            return None
        return None if answer is None else parse_boot(answer.stdout)


def _method(staged: Staged | None, after: Boot) -> str | None:
    if staged is not None and after.token == staged.token:
        return "kexec"
    if after.by_kexec is None:
        return None
    return "kexec" if after.by_kexec else "firmware"
