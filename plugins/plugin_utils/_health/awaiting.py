# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for a host's health: look after look, under one deadline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import Clock, Deadline
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import Finding
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.look import NOT_ASKED, Host, Looker
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.secrets import masked, secrets_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.terms import Terms

# Characters of an answer that are shown.
_MOST_SHOWN = 500

_CUT_SHORT = Finding(False, "there was no answer before the time was up")


class Awaiting:
    """One wait for one host.

    :param answer_timeout: seconds for a command on the host, beside what the checks in it may take.
    :param say: told, in a short line, what is being waited for.
    """

    def __init__(
        self, host: Host, clock: Clock, terms: Terms, answer_timeout: float, say: Callable[[str], None]
    ) -> None:
        self._terms = terms
        self._say = say
        self._deadline = Deadline(clock, terms.timeout)
        self._looker = Looker(host, terms, self._deadline, answer_timeout)
        self._secrets = secrets_of(terms.checks)
        self._findings: dict[int, Finding] = {}
        self._held_out: dict[str, Any] | None = None

    def run(self) -> dict[str, Any]:
        """Wait, and tell what came of it. Nothing is raised for what hosts and servers do."""
        streak = looks = 0
        try:
            while streak < self._terms.consecutive and self._deadline.remaining() > 0:
                started = self._deadline.now()
                all_hold = self._look()
                looks += 1
                streak = streak + 1 if all_hold else 0
                if streak < self._terms.consecutive:
                    # A look may itself take longer than the interval; hosts and servers have other work.
                    pause = self._terms.interval
                    self._deadline.sleep_until(max(started + pause, self._deadline.now() + pause / 5))
        finally:
            self._looker.end()
        healthy = streak >= self._terms.consecutive
        return {
            "changed": False,
            "failed": not healthy,
            "msg": "all checks hold" if healthy else self._failure(),
            "held_out": self._held_out,
            "checks": [self._report(number) for number in range(len(self._terms.checks))],
            "looks": looks,
            "elapsed": self._deadline.elapsed(),
            "at": datetime.now(timezone.utc).isoformat(),
        }

    def _first_that_does_not_hold(self) -> int | None:
        """Of those that were asked: others are asked only where these hold."""
        return min(
            (number for number, found in self._findings.items() if not found.holds and found is not NOT_ASKED),
            default=None,
        )

    def _look(self) -> bool:
        """Whether all checks hold. Tells of the first that does not, where that is another one than before."""
        found = self._looker.look()
        # Of a look that the end of the time has cut short, only the answers count.
        self._findings = {
            number: finding or self._findings.get(number) or _CUT_SHORT for number, finding in found.items()
        }
        number = self._first_that_does_not_hold()
        if number is None:
            return None not in found.values()
        report = self._report(number)
        if self._held_out is None or self._held_out["name"] != report["name"]:
            self._say("waiting for %(name)s: %(why)s" % report)
        self._held_out = {name: report[name] for name in ("name", "why", "answer")}
        return False

    def _failure(self) -> str:
        number = self._first_that_does_not_hold()
        start = "not healthy within %g s: " % self._terms.timeout
        if number is None:
            return start + "all checks hold, but have not %d times in a row" % self._terms.consecutive
        report = self._report(number)
        answer = "; its last answer: %s" % report["answer"] if report["answer"] else ""
        return "%s%s: %s%s" % (start, report["name"], report["why"], answer)

    def _report(self, number: int) -> dict[str, Any]:
        finding = self._findings.get(number, NOT_ASKED)
        return {
            "name": self._shown(self._terms.checks[number].name),
            "holds": finding.holds,
            "why": self._shown(finding.why),
            "answer": self._shown(finding.answer),
        }

    def _shown(self, text: str) -> str:
        text = masked(text.strip(), self._secrets)
        return text if len(text) <= _MOST_SHOWN else "%s… (%d characters)" % (text[:_MOST_SHOWN], len(text))
