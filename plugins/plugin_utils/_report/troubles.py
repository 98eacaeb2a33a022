# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts somebody has to look at, and why. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import Report
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.words import rank


class Trouble(NamedTuple):
    """Hosts with the same story."""

    outcome: str
    reason: str
    last_words: str
    hosts: tuple[str, ...]


def troubles(report: Report) -> list[Trouble]:
    """Failures first, and then those that were left untouched."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for host in report.not_good:
        found.setdefault((host.outcome, host.reason, host.last_words), []).append(host.name)
    stories = [Trouble(*story, tuple(hosts)) for story, hosts in found.items()]
    return sorted(stories, key=lambda trouble: rank(trouble.outcome))
