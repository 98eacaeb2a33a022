# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each task's beginning and end mean for the roll, and what of it an operator is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.plain import plain
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.roll import Result, Roll, is_bad
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.step import Shape, Step
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import GOOD, Outcome, reason_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import duration
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.words import counted

# How a task ended, as Ansible tells it; ignored is a failure after which the play goes on.
OK, SKIPPED, FAILED, IGNORED, UNREACHABLE = "ok", "skipped", "failed", "ignored", "unreachable"
BAD = (FAILED, IGNORED, UNREACHABLE)

_RESULTS_THAT_COUNT = ("kexec_load", "kexec_reboot", "kexec_commit")


class Note(NamedTuple):
    """Something that an operator is told."""

    host: str
    """Empty where it is about the whole roll."""
    text: str
    is_bad: bool = False


class End(NamedTuple):
    """How a task has ended on a host."""

    host: str
    step: Step
    """With its templates filled in."""
    status: str
    result: Result


class Events:
    """Takes the events of a playbook in their order."""

    def __init__(self, roll: Roll) -> None:
        self.roll = roll
        self._shape = Shape()
        self._deferred_because: set[str] = set()

    def play(self, shape: Shape) -> None:
        """A play begins."""
        self._shape = shape

    def begins(self, host: str, step: Step, now: float) -> list[Note]:
        """A task begins on a host."""
        if step.is_ours and step.action == "kexec_info" and not self._shape.has_turns:
            survey = self.roll.survey
            survey.began = now if survey.began is None else survey.began
            survey.under_way.add(host)
        if step.acquires:
            self.roll.waiting.setdefault(host, now)
        elif step.is_ours and step.action == "kexec_reboot":
            return self._reboots(host, step, now)
        elif host in self.roll.in_flight or self._begins_turn(host, step):
            self.roll.turn(host, now)
            self.roll.enters(host, step.phase, now)
        return []

    def _begins_turn(self, host: str, step: Step) -> bool:
        """Without slots the first of the collection's tasks in the roll does."""
        if host in self.roll.ended or not self._shape.has_turns or self._shape.has_slots:
            return False
        return step.is_ours and step.action in ("kexec_load", "kexec_push")

    def _reboots(self, host: str, step: Step, now: float) -> list[Note]:
        resumes = step.resumes
        if host in self.roll.ended:
            # Where the play ignores that a host is unreachable, its further tasks are tried, and come to nothing.
            if not resumes:
                return []
            self.roll.reopens(host, now)
        self.roll.turn(host, now)
        self.roll.enters(host, step.phase, now)
        return [Note(host, "is awaited once more" if resumes else "reboots")]

    def ends(self, end: End, now: float) -> list[Note]:
        """A task has ended on a host."""
        if not end.step.is_ours:
            return self._others(end)
        if end.step.action == "kexec_info":
            return self._surveyed(end)
        if end.step.action == "rollout_plan" and end.status == OK:
            return self._planned(end, now)
        if end.step.action == "rollout_report" and end.status == OK:
            return self._reported(end)
        if end.step.acquires:
            return self._admitted(end, now)
        if end.step.releases:
            return self._released(end, now)
        if end.step.action in _RESULTS_THAT_COUNT and end.step.args.get("state") != "unloaded":
            return self._of_a_turn(end, now)
        return self._others(end)

    def _others(self, end: End) -> list[Note]:
        """A task that is no landmark: only that it went wrong is told."""
        if end.status not in BAD:
            return []
        said = "was unreachable in" if end.status == UNREACHABLE else "failed in"
        # What has failed in earnest is shown in full beside it.
        why = "" if end.status == FAILED else ": %s" % reason_of(end.result)
        ignored = ", which is ignored" if end.status == IGNORED else ""
        return [Note(end.host, "%s %s%s%s" % (said, end.step.name, ignored, why), is_bad=True)]

    def _surveyed(self, end: End) -> list[Note]:
        survey = self.roll.survey
        if end.host not in survey.under_way:
            return self._others(end)
        survey.under_way.discard(end.host)
        survey.looked_at += 1
        if end.status not in BAD:
            return []
        survey.failed += 1
        return [Note(end.host, "could not be surveyed: %s" % reason_of(end.result), is_bad=True)]

    def _planned(self, end: End, now: float) -> list[Note]:
        roll = self.roll
        roll.plan(end.result, now)
        hosts = len(roll.planned) + roll.left_out.total()
        text = "%d of %s to reboot" % (len(roll.planned), counted(hosts, "host"))
        if roll.planned:
            text += ", in about %s" % duration(timedelta(seconds=roll.planned_seconds))
        if roll.left_out:
            text += "; left out: %s" % numbers(roll.left_out)
        stopped = end.result.get("stopped")
        return [Note("", text + ("; stopped: %s" % stopped if stopped else ""), is_bad=bool(stopped))]

    def _reported(self, end: End) -> list[Note]:
        self.roll.is_reported = True
        return []

    def _admitted(self, end: End, now: float) -> list[Note]:
        result = end.result
        if end.status == OK and result.get("admitted"):
            self.roll.turn(end.host, now).has_slot = True
            self.roll.enters(end.host, "beginning", now)
            self.roll.admitted = str(result.get("reason") or "")
            return []
        if end.status == SKIPPED:
            self.roll.waiting.pop(end.host, None)
            return []
        if end.status == OK and result.get("answer") == "ended":
            return self._finish(end.host, Outcome(str(result.get("outcome")), reason_of_answer(result)), now)
        name = "deferred" if end.status == OK else "failed"
        return self._finish(end.host, Outcome(name, reason_of_answer(result)), now)

    def _released(self, end: End, now: float) -> list[Note]:
        """The outcome with which a slot is given back counts; the rest of it is known from the turn's own results."""
        turn = self.roll.in_flight.get(end.host)
        if turn is None or end.status == SKIPPED:
            return []
        told = {**end.step.args, **end.result}
        seen = turn.outcome()
        name = str(told.get("outcome") or (seen.name if seen is not None else "failed"))
        reason = str(told.get("reason") or "")
        if seen is not None and (seen.name == name or (seen.name in GOOD and name in GOOD)):
            name, reason = seen.name, reason or seen.reason
        outcome = Outcome(name, reason, down_seconds=None if seen is None else seen.down_seconds)
        notes = self._others(end)
        return notes + self._finish(end.host, outcome, now)

    def _of_a_turn(self, end: End, now: float) -> list[Note]:
        turn = self.roll.in_flight.get(end.host)
        if turn is None:
            return self._others(end)
        # Ansible takes these out of what it shows to callbacks.
        marks = {"failed": end.status in (FAILED, IGNORED), "unreachable": end.status == UNREACHABLE}
        turn.results[end.step.action] = {**end.result, **marks}
        notes = []
        if end.status in BAD:
            notes = self._others(end)
        elif end.step.action == "kexec_reboot" and end.result.get("rebooted"):
            notes = [Note(end.host, _is_back(end.result))]
        if turn.has_slot or end.status == IGNORED:
            return notes
        if end.status in BAD or end.step.action == self._last_step:
            outcome = turn.outcome() or Outcome("failed", reason_of(end.result))
            return notes + self._finish(end.host, outcome, now)
        return notes

    @property
    def _last_step(self) -> str:
        return "kexec_commit" if self._shape.commits else "kexec_reboot"

    def _finish(self, host: str, outcome: Outcome, now: float) -> list[Note]:
        self.roll.ends(host, outcome, now)
        if outcome.name == "deferred":
            # When a roll stops, every host that waits is told the same.
            if outcome.reason in self._deferred_because:
                return []
            self._deferred_because.add(outcome.reason)
        progress = ""
        if host in self.roll.planned:
            done = sum(name in self.roll.planned for name in self.roll.ended)
            progress = " (%d of %d)" % (done, len(self.roll.planned))
        text = outcome.name + progress + (": %s" % outcome.reason if outcome.reason else "")
        return [Note(host, text, is_bad=is_bad(outcome))]


def _is_back(reboot: Result) -> str:
    release, seconds = reboot.get("release", {}).get("after"), reboot.get("down_seconds")
    # A host may be down for too short a time for anybody to see it.
    down = "" if seconds is None else " after %.1f s down" % seconds
    return "is back%s%s" % (down, ", with kernel %s" % release if release else "")


def reason_of_answer(result: Mapping[str, Any]) -> str:
    """Why a host has got no slot."""
    return plain(result.get("reason") or reason_of(result))


def numbers(outcomes: Mapping[str, int]) -> str:
    """``10 rebooted, 2 failed``."""
    return ", ".join("%d %s" % (count, name) for name, count in outcomes.items())
