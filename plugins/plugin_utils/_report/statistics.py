# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a roll for whoever runs the playbook, such as AWX. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.as_json import summary
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import Report
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.words import verdict

# AWX hands them on to the next jobs of a workflow as extra variables.
_MOST_NAMED = 100


def statistics(report: Report) -> dict[str, Any]:
    """By the name of a variable."""
    return {
        "rollout_report": {
            **summary(report),
            "verdict": verdict(report),
            "look_at": [host.name for host in report.not_good][:_MOST_NAMED],
        }
    }
