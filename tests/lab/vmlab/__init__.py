# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of real virtual machines under QEMU, for tests: see the README beside this package."""

from .errors import LabError
from .fleet import Lab
from .machine import Machine, Status
from .recipe import RECIPES, Recipe

__all__ = ["RECIPES", "Lab", "LabError", "Machine", "Recipe", "Status"]
