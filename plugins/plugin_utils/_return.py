# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the request until the host is back: going down, coming up, and whether it is the same host that answers."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import QUESTION, Boot, parse_boot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import Deadline
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer, Host, Pending
from ansible_collections.fleetops.kexec.plugins.plugin_utils._identity import Identity
from ansible_collections.fleetops.kexec.plugins.plugin_utils._inquiry import Inquiry, ServerGone
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Before, HostLost, Outcome, RebootFailed
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import ASK_SERVICES, Services, parse_services

WHO_IS_THERE = "%s; %s" % (QUESTION, ASK_SERVICES)

# Seconds between two looks at a host that should go down, at least: what an OpenSSH server of 9.8 or later bears for
# long without penalties, see _watch.py.
_LOOK_DOWN = 1.0

# A host that goes down and up between two looks has a new boot id all the same: it is asked this often for it, and at
# the next look where the connection of the request has broken. Each question is a login, so they are not as frequent as
# looks. A connection held open would tell no sooner: sshd ends those that do not log in, and what has forked from it
# may live on until the end of a shutdown.
_ASK_WHILE_UP = 5.0

# Seconds for which a server that has answered may be silent and is not gone: over a long way, or on a busy host, a
# banner takes longer than a look.
_MOST_SILENCE = 5.0

# Seconds between two lines about somebody else who answers.
_SAY_AGAIN = 30.0


class Refused(RebootFailed):
    """The host did not accept the request and is still up."""


class Return:
    """The watch over one reboot.

    :param say: told, in a short line, what is being waited for.
    """

    def __init__(
        self,
        host: Host,
        deadline: Deadline,
        request: Request,
        identity: Identity,
        outcome: Outcome,
        say: Callable[[str], None],
    ) -> None:
        self._host = host
        self._deadline = deadline
        self._request = request
        self._identity = identity
        self._outcome = outcome
        self._say = say
        self._is_down = False
        self._inquiry: Inquiry | None = None
        self._asked = self._not_before = deadline.now()
        self._found: tuple[Boot, Services | None] | None = None
        self._unready = ""
        self._refusal = ""
        self._said = self._heard = float("-inf")

    def wait(self, fired: Pending[Answer] | None, before: Before) -> tuple[Boot, Services | None]:
        """The new boot. Raises RebootFailed at the deadline, Refused when the host does not want to.

        :param fired: the request; None where an earlier task has made it and has seen the host go down.
        """
        self._is_down = fired is None
        self._outcome.phase = "return" if self._is_down else "down"
        self._say("waiting for the host to %s" % ("come back" if self._is_down else "go down"))
        self._asked = self._deadline.now()
        self._not_before = self._asked + self._request.post_reboot_delay
        accepted = fired is None
        while self._deadline.remaining() > 0:
            if fired is not None and not accepted:
                accepted = self._is_accepted(fired)
            looked = self._deadline.now()
            interval = max(self._request.poll_interval, 0.0 if self._is_down else _LOOK_DOWN)
            self._look(interval, before.boot.boot_id)
            if self._found is not None and self._is_same_host(0.0):
                return self._found
            self._deadline.sleep_until(looked + interval)
        raise self._too_late()

    def _is_accepted(self, fired: Pending[Answer]) -> bool:
        """Whether the command has come to its end, or has lost its connection; raises Refused if it refused."""
        try:
            answer = fired.wait(0.0 if self._is_down else 0.2)
        except HostUnreachable:
            self._ask_soon()  # it went down under its own command
            return True
        if answer is None:
            return False
        # Above 128 it was ended by a signal, and 255 is ssh's own: the shutdown was quicker than the answer.
        if answer.rc > 128:
            self._ask_soon()
        if 0 < answer.rc <= 128:
            self._refusal = "the host refused to reboot (return code %d): %s" % (answer.rc, answer.said)
            if not self._is_down:
                self._refuse()
        return True

    def _ask_soon(self) -> None:
        """Ask which boot it is at the next look, though the host seems to be up."""
        self._asked = float("-inf")

    def _refuse(self) -> None:
        self._outcome.phase = "request"
        raise Refused(self._refusal)

    def _look(self, interval: float, old_boot_id: str) -> None:
        """One look at the host, with a question to it where it seems to be up."""
        if self._inquiry is None and not self._is_heard(interval):
            return
        if self._is_down and not self._may_be_back():
            return
        boot = self._ask(interval) if self._found is None else None
        if boot is not None and boot[0].boot_id != old_boot_id:
            self._found, self._is_down = boot, True
            self._mark("ready")
            self._is_same_host(interval)
        elif boot is not None:
            self._note_still_up()

    def _is_heard(self, interval: float) -> bool:
        """Whether a server answers; notes that the host is down where none does."""
        seconds = min(interval, self._deadline.remaining())
        sign = self._host.answers(seconds)
        if sign:
            self._heard = self._deadline.now()
            return True
        # The last look before the deadline is shorter than others.
        is_short = seconds < interval or (self._is_down and self._deadline.now() - self._heard < _MOST_SILENCE)
        if sign is False or not is_short:
            self._note_down()
        return False

    def _may_be_back(self) -> bool:
        """Whether what answers now may be the host, as far as is known."""
        if self._is_same_host(0.0) is False:
            return False
        if self._outcome.timeline["answering"] is None:
            self._mark("answering")
            self._say("answering after %.1f s" % self._deadline.elapsed())
        return True

    def _is_same_host(self, seconds: float) -> bool | None:
        """Whether the same host answers; None while that is not known."""
        verdict = self._identity.verdict(seconds)
        if verdict is False:
            self._drop_inquiry()
            self._forget_answers()
            if self._deadline.now() - self._said >= _SAY_AGAIN:
                self._said = self._deadline.now()
                self._say("not back after %.1f s: %s" % (self._deadline.elapsed(), self._identity.trouble))
        return verdict

    def _forget(self) -> None:
        """Whoever answers next is looked at anew."""
        self._identity.forget()
        self._forget_answers()

    def _forget_answers(self) -> None:
        self._found = None
        self._outcome.timeline["answering"] = self._outcome.timeline["ready"] = None

    def _mark(self, moment: str) -> None:
        self._outcome.timeline[moment] = self._deadline.elapsed()

    def _note_down(self) -> None:
        self._forget()
        if not self._is_down:
            self._is_down = True
            self._mark("down")
            self._outcome.phase = "return"
            self._say("down after %.1f s; waiting for it to come back" % self._deadline.elapsed())

    def _note_still_up(self) -> None:
        """The boot is still the old one: a shutdown that takes its time, or a server too busy to answer at once."""
        self._is_down = False
        self._forget()
        self._outcome.timeline["down"] = None
        self._outcome.phase = "down"
        if self._refusal:
            self._refuse()
        self._say("still the old boot after %.1f s" % self._deadline.elapsed())

    def _ask(self, seconds: float) -> tuple[Boot, Services | None] | None:
        """Which boot this is; None while that cannot be said, and self._unready tells why."""
        now = self._deadline.now()
        if self._inquiry is None:
            if now < self._not_before or (not self._is_down and now - self._asked < _ASK_WHILE_UP):
                return None
            if self._is_down:
                self._host.reset()
            self._inquiry = Inquiry(self._host, self._deadline, WHO_IS_THERE, self._request.answer_timeout)
            self._asked = now
        try:
            answer = self._inquiry.answer(seconds)
        except HostUnreachable as error:
            self._unready = str(error)
            self._drop_inquiry()
            if isinstance(error, ServerGone):
                self._note_down()
            return None
        if answer is None:
            return None
        self._inquiry = None
        boot = parse_boot(answer.stdout)
        if boot is None:
            self._unready = "a command ended with %d: %s" % (answer.rc, answer.said)
            return None
        return boot, parse_services(answer.stdout)

    def _drop_inquiry(self) -> None:
        if self._inquiry is not None:
            self._inquiry = None
            self._host.reset()

    def _too_late(self) -> RebootFailed:
        limit = "%g s" % self._request.timeout
        if not self._is_down:
            return RebootFailed(
                "the host did not go down within %s: it still runs its old boot, and may go down yet, because the "
                "reboot was accepted" % limit
            )
        down, answering = self._outcome.timeline["down"], self._outcome.timeline["answering"]
        if self._identity.trouble:
            return HostLost("the host is not back within %s: %s" % (limit, self._identity.trouble))
        if answering is not None:
            return HostLost(
                "the host answers again since %g s, but no command worked within %s: %s"
                % (answering, limit, self._unready or "no reason was given")
            )
        return HostLost(
            "the host%s did not come back within %s; look at its console, where it may still be stopping services"
            % ("" if down is None else " stopped answering after %g s and" % down, limit)
        )
