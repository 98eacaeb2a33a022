# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the results of a roll's tasks to its report. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import (
    ANSWERING,
    DOWN,
    DRAINING,
    HEALTHY,
    WAITING,
    HostReport,
    Phase,
    Report,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.text import last_lines, line
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import Plan, PlannedHost
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.report import reboot_of_this_roll
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.results import Results
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import FAILED, STANDING_AFTER


class _Span(NamedTuple):
    """A phase by the clock on the wall."""

    name: str
    start: datetime
    end: datetime


def report_of(plan: Plan, found: Mapping[str, Outcome], results: Mapping[str, Results], title: str) -> Report:
    """The report. :param found: each host's outcome. :param results: what its tasks returned."""
    planned = {host.name: host for host in plan.order}
    told = {
        name: replace(results[name], reboot=reboot_of_this_roll(planned[name], results[name].reboot))
        if name in planned
        else results.get(name, Results())
        for name in found
    }
    spans = {name: _spans(told[name], outcome) for name, outcome in found.items() if name in planned}
    moments = [moment for turn in spans.values() for span in turn for moment in (span.start, span.end)]
    started = min(moments, default=None)
    return Report(
        title=line(title),
        started=started,
        seconds=_since(started, max(moments)) if started is not None else 0.0,
        max_unavailable=plan.max_unavailable,
        stopped=line(plan.stopped) if plan.stopped else None,
        hosts=tuple(
            _host(name, outcome, told[name], planned.get(name), _phases(spans.get(name, ()), started))
            for name, outcome in found.items()
        ),
    )


def _host(
    name: str, outcome: Outcome, results: Results, planned: PlannedHost | None, phases: tuple[Phase, ...]
) -> HostReport:
    method = results.reboot.get("method")
    reason = line(outcome.reason)
    return HostReport(
        name=line(name),
        outcome=outcome.name,
        reason=reason,
        is_good=outcome.is_good,
        last_words="" if outcome.is_good else _last_words(results, reason),
        warnings=tuple(line(warning) for warning in results.reboot.get("warnings") or ()),
        domain=line(planned.domain) if planned else "",
        host_class=line(planned.host_class) if planned else _hardware(results.survey),
        stage=planned.stage if planned else "",
        kernel_before=_line_or_none(outcome.kernel_before),
        kernel_after=_line_or_none(outcome.kernel_after),
        method=method,
        waited_seconds=_number(results.slot.get("waited_seconds")),
        down_seconds=_number(outcome.down_seconds),
        saved_seconds=_saved(results.survey) if method in ("kexec", "kexec_now") else None,
        phases=phases,
    )


def _line_or_none(text: str | None) -> str | None:
    return None if text is None else line(text)


def _number(value: Any) -> float | None:
    return None if value is None else round(float(value), 2)


def _hardware(survey: Mapping[str, Any]) -> str:
    return line(survey.get("kexec", {}).get("hardware", {}).get("class", ""))


def _saved(survey: Mapping[str, Any]) -> float | None:
    known = [survey.get("kexec", {}).get(name) for name in ("firmware_seconds", "loader_seconds")]
    return None if None in known else _number(sum(known))


# When what happened


def _spans(results: Results, outcome: Outcome) -> list[_Span]:
    """The phases of a turn, as far as they were seen, one after the other."""
    began = _moment(results.slot.get("at"))
    waited = results.slot.get("waited_seconds")
    asked = began - timedelta(seconds=waited) if began is not None and waited is not None else began
    if results.slot.get("admitted") is False:
        return _joined([(WAITING, asked)], began)
    started = _moment(results.reboot.get("started"))
    seen = {
        name: started + timedelta(seconds=seconds)
        for name, seconds in (results.reboot.get("timeline") or {}).items()
        if started is not None and seconds is not None
    }
    ended = _moment(results.released.get("at"))
    if ended is None and started is not None:
        ended = seen.get("ready") or started + timedelta(seconds=results.reboot.get("elapsed") or 0)
    healthy = None
    if STANDING_AFTER.get(outcome.name) != FAILED:
        healthy = _moment(results.health.get("at")) or seen.get("ready")
    return _joined(
        [
            (WAITING, asked),
            (DRAINING, began or (started if seen else None)),
            (DOWN, seen.get("down")),
            (ANSWERING, seen.get("answering")),
            (HEALTHY, healthy),
        ],
        ended,
    )


def _joined(beginnings: Iterable[tuple[str, datetime | None]], end: datetime | None) -> list[_Span]:
    """Each phase lasts until the next one that was seen; nothing where the end is not known."""
    known = [(name, start) for name, start in beginnings if start is not None] + [("", end)]
    return [
        _Span(name, start, stop)
        for (name, start), (_next, stop) in itertools.pairwise(known)
        if start is not None and stop is not None and stop > start
    ]


def _moment(text: Any) -> datetime | None:
    return None if not text else datetime.fromisoformat(text)


def _since(started: datetime, moment: datetime) -> float:
    return round((moment - started).total_seconds(), 2)


def _phases(spans: Iterable[_Span], started: datetime | None) -> tuple[Phase, ...]:
    if started is None:
        return ()
    return tuple(Phase(span.name, _since(started, span.start), _since(started, span.end)) for span in spans)


# What was said last

_WORDS = ("msg", "module_stderr", "stderr", "module_stdout", "stdout")


def _last_words(results: Results, reason: str) -> str:
    """All that the task said which failed first, where it is more than the reason."""
    # A reboot that includes awaiting health and accepting the kernel has failed where they have.
    turn = (results.survey, results.staged, results.health, results.commit, results.reboot)
    failed = next((result for result in turn if result.get("failed") or result.get("unreachable")), {})
    said = [str(failed[name]).strip() for name in _WORDS if failed.get(name)]
    said += [str(held_out["answer"])] if (held_out := failed.get("held_out")) else []
    units = (failed.get("failed_units") or {}).get("new")
    if units:
        said.append("units that have failed since: %s" % ", ".join(units))
    parts = [part for part in dict.fromkeys(said) if line(part) not in reason]
    return last_lines("\n".join(parts))
