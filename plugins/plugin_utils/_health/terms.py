# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is awaited, and for how long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import BadCheck, Check
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.reading import read_checks

_LEAST_INTERVAL = 0.1


@dataclass(frozen=True)
class Terms:
    """Times are in seconds. Raises BadCheck where they cannot be meant."""

    checks: tuple[Check, ...]
    timeout: float = 300.0
    consecutive: int = 1
    interval: float = 0.5
    failed_units_before: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.timeout) or self.timeout <= 0:
            raise BadCheck("timeout is %g; it must be more than 0 seconds" % self.timeout)
        if not math.isfinite(self.interval) or self.interval < _LEAST_INTERVAL:
            raise BadCheck("interval is %g; it must be %g seconds or more" % (self.interval, _LEAST_INTERVAL))
        if self.consecutive < 1:
            raise BadCheck("consecutive is %d; it must be 1 or more" % self.consecutive)
        if (self.consecutive - 1) * self.interval >= self.timeout:
            raise BadCheck(
                "%d looks in a row, one every %g s, do not fit into a timeout of %g s"
                % (self.consecutive, self.interval, self.timeout)
            )


def read_terms(arguments: Mapping[str, Any]) -> Terms:
    """The arguments of the task, with their types and defaults. Raises BadCheck."""
    return Terms(
        checks=read_checks(arguments["checks"]),
        timeout=arguments["timeout"],
        consecutive=arguments["consecutive"],
        interval=arguments["interval"],
        failed_units_before=tuple(arguments.get("failed_units_before", ())),
    )
