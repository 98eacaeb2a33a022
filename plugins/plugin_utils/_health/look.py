# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a host: all checks are asked, those on the host itself by one command."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import Call, HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._clock import Deadline
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import (
    Check,
    FailedUnitsCheck,
    Finding,
    HostCheck,
    PortCheck,
    UrlCheck,
    WebAnswer,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.judge import (
    judge_failed_units,
    judge_host,
    judge_url,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.question import parse_answers, question
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.terms import Terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.web import start_connection, start_request
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer, Pending
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import parse_services

NOT_ASKED = Finding(False, "it was not asked, because others do not hold")


class Host(Protocol):
    """A host, as far as its health has to do with it: see _host.py."""

    def address(self) -> str:
        """Where the control node reaches it."""

    def start(self, command: str) -> Pending[Answer]:
        """Start a shell command."""

    def request(self, arguments: dict[str, Any]) -> Pending[dict[str, Any]]:
        """Let the host send a request itself: the arguments and the result of ansible.builtin.uri."""

    def reset(self) -> None:
        """Forget the present connection."""

    def end(self) -> None:
        """Leave no thread, process or socket behind."""


class Looker:
    """Looks at one host.

    :param answer_timeout: seconds for a command on the host, beside what the checks in it may take.
    """

    def __init__(self, host: Host, terms: Terms, deadline: Deadline, answer_timeout: float) -> None:
        self._host = host
        self._terms = terms
        self._deadline = deadline
        self._answer_timeout = answer_timeout
        self._calls: list[Call[Any]] = []
        self._on_controller: dict[int, UrlCheck | PortCheck] = {}
        self._on_host: dict[int, HostCheck] = {}
        self._by_host: dict[int, UrlCheck] = {}
        for number, check in enumerate(terms.checks):
            if isinstance(check, UrlCheck):
                (self._by_host if check.from_host else self._on_controller)[number] = check
            elif isinstance(check, PortCheck) and not check.from_host:
                self._on_controller[number] = check
            else:
                self._on_host[number] = check

    def look(self) -> dict[int, Finding | None]:
        """What is found, by the checks' numbers; None where the time was up before there was an answer.

        All is asked at the same time, but for the host's own requests: each costs a module, so they come last, and only
        where all else holds.
        """
        asked = {number: self._ask(check) for number, check in self._on_controller.items()}
        findings = dict(self._ask_host() if self._on_host else {})
        for number, call in asked.items():
            findings[number] = self._heard(self._on_controller[number], call)
        for number, check in self._by_host.items():
            others_hold = all(finding is not None and finding.holds for finding in findings.values())
            findings[number] = self._ask_host_to_request(check) if others_hold else NOT_ASKED
        return findings

    def end(self) -> None:
        """Leave nothing behind."""
        self._host.end()
        for call in self._calls:
            call.end()

    def _limit(self, check: Check) -> float:
        return min(check.timeout, self._deadline.remaining())

    def _silence(self, check: Check) -> Finding | None:
        if self._deadline.remaining() <= 0:
            return None
        return Finding(False, "there was no answer within %g s" % check.timeout)

    # On the control node

    def _ask(self, check: UrlCheck | PortCheck) -> Call[WebAnswer] | Call[str]:
        call: Call[WebAnswer] | Call[str]
        if isinstance(check, UrlCheck):
            call = start_request(check, self._limit(check))
        else:
            call = start_connection(check.host or self._host.address(), check.port, self._limit(check))
        self._calls = [earlier for earlier in self._calls if earlier.is_alive()] + [call]
        return call

    def _heard(self, check: UrlCheck | PortCheck, call: Call[WebAnswer] | Call[str]) -> Finding | None:
        try:
            answer = call.wait(self._limit(check))
        except HostUnreachable as error:
            return Finding(False, str(error))
        if isinstance(answer, WebAnswer) and isinstance(check, UrlCheck):
            return judge_url(check, answer)
        if isinstance(answer, str):
            return Finding(not answer, answer)
        call.end()
        return self._silence(check)

    # On the host

    def _ask_host(self) -> dict[int, Finding | None]:
        checks, remaining = self._on_host, self._deadline.remaining()
        most = self._answer_timeout + sum(check.timeout for check in checks.values())
        answer = self._answer(self._host.start(question(checks, remaining)), most)
        if answer is None:
            return {number: self._silence(check) for number, check in checks.items()}
        if isinstance(answer, Finding):
            return dict.fromkeys(checks, answer)
        services, ran = parse_services(answer.stdout), parse_answers(answer.stdout)
        findings: dict[int, Finding | None] = {}
        for number, check in checks.items():
            if isinstance(check, FailedUnitsCheck):
                findings[number] = judge_failed_units(services, self._terms.failed_units_before)
            elif number in ran:
                findings[number] = judge_host(check, ran[number])
            else:
                findings[number] = Finding(False, "the host did not answer: %s" % answer.said)
        return findings

    def _ask_host_to_request(self, check: UrlCheck) -> Finding | None:
        pending = self._host.request(_as_arguments(check, self._limit(check)))
        result = self._answer(pending, self._answer_timeout + check.timeout)
        if result is None:
            return self._silence(check)
        return result if isinstance(result, Finding) else judge_url(check, _as_answer(result))

    def _answer(self, pending: Pending[Any], most_seconds: float) -> Any:
        """The answer, a finding where the host is unreachable, or None where there is no answer."""
        try:
            answer = pending.wait(min(most_seconds, self._deadline.remaining()))
        except HostUnreachable as error:
            self._host.reset()
            return Finding(False, str(error))
        if answer is None:
            self._host.end()
            self._host.reset()
        return answer


def _as_arguments(check: UrlCheck, seconds: float) -> dict[str, Any]:
    """For ansible.builtin.uri."""
    return {
        "url": check.url,
        "method": check.method,
        "headers": dict(check.headers),
        "body": check.body,
        "return_content": True,
        "status_code": list(check.statuses),
        "timeout": max(1, math.ceil(seconds)),
        "follow_redirects": "safe" if check.follow_redirects else "none",
        # It would send them on to any server.
        "unredirected_headers": ["Authorization", "Cookie"],
        "use_netrc": False,
        "validate_certs": check.tls.validate_certs,
        "ca_path": check.tls.ca_path,
        "client_cert": check.tls.client_cert,
        "client_key": check.tls.client_key,
    }


def _as_answer(result: Mapping[str, Any]) -> WebAnswer:
    status = int(result.get("status", -1))
    if status > 0:
        return WebAnswer(status, str(result.get("content", "")))
    return WebAnswer(None, error=str(result.get("msg", "no reason given")))
