# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input for the parsers of target-side code, and what must hold whatever it is.

atheris drives it in ``make soak``, because it sees which lines of a parser an input reaches and goes on from there;
hypothesis would try a tenth as many inputs in the same time, without seeing that. The unit tests run some thousands of
inputs by the same mutations without it, under every Python, so that module is needed for the long run only.
"""
