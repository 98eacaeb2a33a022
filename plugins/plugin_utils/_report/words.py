# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and times of a report as people read them. Pure."""

from __future__ import annotations

from datetime import timedelta

from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import Report
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import GOOD
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.words import counted

UNKNOWN = "unknown"

_UNTOUCHED = ("deferred", "refused")


def length(seconds: float) -> str:
    """``19.4 s``, ``4 min 12 s``, ``1 h 14 min``, ``3 d 2 h``."""
    if round(seconds, 1) < 100:
        return "%.1f s" % seconds
    whole = round(seconds)
    if whole < 3600:
        return "%d min %d s" % divmod(whole, 60)
    if whole < 2 * 86400:
        return "%d h %d min" % divmod(round(whole / 60), 60)
    return "%d d %d h" % divmod(round(whole / 3600), 24)


def outcome_name(outcome: str) -> str:
    """An outcome in plain words."""
    return outcome.replace("_", " ")


def rank(outcome: str) -> str:
    """How an outcome is to be taken: ``good``, ``bad``, or ``untouched``."""
    if outcome in GOOD:
        return "good"
    return "untouched" if outcome in _UNTOUCHED else "bad"


def period(report: Report) -> str:
    """From when to when."""
    if report.started is None:
        return "Nothing was timed."
    ended = report.started + timedelta(seconds=report.seconds)
    end = "%H:%M:%S" if ended.date() == report.started.date() else "%a %d %b %Y, %H:%M:%S"
    return "%s to %s UTC, %s" % (
        report.started.strftime("%a %d %b %Y, %H:%M:%S"),
        ended.strftime(end),
        length(report.seconds),
    )


def verdict(report: Report) -> str:
    """How it went, in a sentence."""
    if report.stopped is not None:
        return "Nothing was rebooted: %s." % report.stopped
    ranks = [rank(host.outcome) for host in report.hosts]
    bad, untouched = ranks.count("bad"), ranks.count("untouched")
    hosts = counted(len(ranks), "host")
    if not bad and not untouched:
        return "%s, and nothing to look at." % hosts
    said = ["%s somebody to look at %s" % (_number(bad, "needs", "need"), "it" if bad == 1 else "them")] if bad else []
    said += ["%s left untouched" % _number(untouched, "was", "were")] if untouched else []
    return "Of %s, %s." % (hosts, " and ".join(said))


def _number(number: int, one: str, many: str) -> str:
    return "%d %s" % (number, one if number == 1 else many)


def figures(report: Report) -> dict[str, tuple[str, str]]:
    """The numbers of the roll: name, value, and what is to be said about it."""
    rebooted = sum(report.counts.get(name, 0) for name in ("rebooted", "fell_back"))
    ranks = [rank(host.outcome) for host in report.hosts]
    down, saved = report.down, report.saved
    return {
        "Rebooted": ("%d of %d" % (rebooted, len(report.hosts)), "%d of them by kexec" % report.by_kexec),
        "To look at": (str(ranks.count("bad")), "%s left untouched" % counted(ranks.count("untouched"), "host")),
        "Down, median host": (
            UNKNOWN if down is None else length(down.median),
            "no host was seen to go down" if down is None else "95 %% within %s" % length(down.p95),
        ),
        "Out of service at most": (
            counted(report.most_out_of_service, "host"),
            "%d allowed at the same time" % report.max_unavailable,
        ),
        "Saved against firmware": (
            UNKNOWN if saved is None else length(saved.total),
            "no host told how long its firmware takes"
            if saved is None
            else "estimated, of %d of %d hosts" % (saved.hosts, report.by_kexec),
        ),
        "The whole roll": (UNKNOWN if report.started is None else length(report.seconds), "from first host to last"),
    }
