# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a check hold, by what was answered? Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import (
    CommandCheck,
    Finding,
    PortCheck,
    Ran,
    UnitCheck,
    UrlCheck,
    WebAnswer,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import Services

# As timeout(1) ends.
_TIMED_OUT = 124
# Of a unit's states, those in which it is at work: systemctl(1), is-active.
_AT_WORK = ("active", "reloading", "refreshing")


def judge_url(check: UrlCheck, answer: WebAnswer) -> Finding:
    """The status first, then the text, then the expression."""
    why = _against_url(check, answer)
    return Finding(not why, why, answer.body)


def _against_url(check: UrlCheck, answer: WebAnswer) -> str:
    if answer.status is not None and answer.status not in check.statuses:
        return "the status is %d, not %s" % (answer.status, " or ".join(map(str, check.statuses)))
    if answer.error or answer.status is None:
        return answer.error or "there was no answer"
    if check.contains is not None and check.contains not in answer.body:
        return "the answer does not contain %r" % check.contains
    if check.expect is None:
        return ""
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        return "the answer is no JSON: %s" % error
    except RecursionError:
        return "the answer is no JSON that can be read: it is nested too deeply"
    return check.expect.against(value)


def judge_host(check: CommandCheck | PortCheck | UnitCheck, ran: Ran) -> Finding:
    """What the host was asked to run for that check."""
    if isinstance(check, CommandCheck):
        return _judge_command(check, ran)
    return _judge_port(check, ran) if isinstance(check, PortCheck) else _judge_unit(ran)


def _judge_command(check: CommandCheck, ran: Ran) -> Finding:
    if ran.rc == check.rc:
        return Finding(True, answer=ran.output)
    if ran.rc == _TIMED_OUT:
        return Finding(False, "it ended with 124, as what takes longer than %g s does" % check.timeout, ran.output)
    return Finding(False, "it ended with %d, not %d" % (ran.rc, check.rc), ran.output)


def _judge_port(check: PortCheck, ran: Ran) -> Finding:
    if ran.rc == 0:
        return Finding(True)
    if ran.rc == _TIMED_OUT:
        return Finding(False, "it did not accept within %g s" % check.timeout)
    return Finding(False, ran.output.rpartition("\n")[2] or "the connection failed")


def _judge_unit(ran: Ran) -> Finding:
    state = dict(line.split("=", 1) for line in ran.output.splitlines() if "=" in line)
    active, sub = state.get("ActiveState"), state.get("SubState", "")
    if ran.rc != 0 or active is None:
        return Finding(False, "systemd does not tell (return code %d)" % ran.rc, ran.output)
    answer = "%s (%s)" % (active, sub) if sub not in ("", active) else active
    if active in _AT_WORK:
        return Finding(True, answer=answer)
    if state.get("LoadState") == "not-found":
        return Finding(False, "there is no such unit", answer)
    if active == "failed":
        return Finding(False, "it has failed: %s" % state.get("Result", "no reason given"), answer)
    return Finding(False, "it is %s" % answer, answer)


def judge_failed_units(services: Services | None, before: Sequence[str]) -> Finding:
    """:param before: the units that had failed before."""
    if services is None:
        return Finding(False, "systemd does not tell")
    answer = ", ".join(services.failed)
    new = [unit for unit in services.failed if unit not in before]
    if new:
        return Finding(False, "these have failed, and had not before: %s" % ", ".join(new), answer)
    if not services.is_settled:
        return Finding(False, "the boot has not come to its end", answer)
    return Finding(True, answer=answer)
