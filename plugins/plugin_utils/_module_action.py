# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's task on a host that may go away in the middle of it."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action.normal import ActionModule as Normal


class ModuleAction(Normal):
    """As ansible-core runs any module; a host that is gone when it tidies up is unreachable, and has not failed.

    ansible-core 2.16 removes its folder on the host also after the connection has failed, and reports what that raises.
    """

    def cleanup(self, *arguments: Any, **named: Any) -> None:
        """See ActionBase."""
        with contextlib.suppress(AnsibleConnectionFailure):
            super().cleanup(*arguments, **named)  # type: ignore[no-untyped-call]
