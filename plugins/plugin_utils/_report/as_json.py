# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for programs; docs/report.schema.json says what is in it. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import Report

# Raised where a program that knows the old one would read something wrong; new keys do not raise it.
VERSION = 1


def summary(report: Report) -> dict[str, Any]:
    """The numbers of the whole roll."""
    return {
        "hosts": len(report.hosts),
        "outcomes": report.counts,
        "not_good": len(report.not_good),
        "rebooted_by_kexec": report.by_kexec,
        "seconds": report.seconds,
        "max_unavailable": report.max_unavailable,
        "most_out_of_service": report.most_out_of_service,
        "down_seconds": None if report.down is None else asdict(report.down),
        "saved_seconds": None if report.saved is None else asdict(report.saved),
    }


def as_dict(report: Report) -> dict[str, Any]:
    """All of it."""
    return {
        "version": VERSION,
        "title": report.title,
        "started": None if report.started is None else report.started.isoformat(),
        "stopped": report.stopped,
        "summary": summary(report),
        "hosts": [asdict(host) for host in report.hosts],
    }


def json_text(report: Report) -> str:
    """A file's content."""
    return json.dumps(as_dict(report), indent=1) + "\n"
