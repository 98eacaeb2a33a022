# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the documentation of several modules has in common."""

    DOCUMENTATION = r"""
options: {}
author:
  - The fleetops.kexec authors (@fleetops)
attributes:
  platform:
    support: full
    platforms: linux
    description: The systems of the hosts.
"""

    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: It never changes anything.
  diff_mode:
    support: none
    description: It never changes anything.
"""

    CONTROL_NODE = r"""
options: {}
attributes:
  action:
    support: full
    description: It runs on the control node.
"""
