# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's inputs stand in two files, which must say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROLE = Path(__file__).parents[3] / "roles" / "fast_reboot"
DEFAULTS_TEXT = (ROLE / "defaults/main.yml").read_text()
DEFAULTS = yaml.safe_load(DEFAULTS_TEXT)
SPECS = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]
# An input without a default stands there as a comment, ready to be used.
SHOWN = dict(re.findall(r"^# (fast_reboot_\w+): (.+)$", DEFAULTS_TEXT, re.MULTILINE))


@pytest.mark.parametrize("entry_point", ["main", "survey"])
def test_both_files_name_the_same_inputs(entry_point):
    assert set(SPECS[entry_point]["options"]) == set(DEFAULTS) | set(SHOWN)


@pytest.mark.parametrize("name", list(SPECS["main"]["options"]))
def test_both_files_give_the_same_default(name):
    assert SPECS["main"]["options"][name].get("default") == DEFAULTS.get(name)


@pytest.mark.parametrize("name", [*DEFAULTS, *SHOWN])
def test_every_input_is_explained_where_it_is_set(name):
    lines = DEFAULTS_TEXT.splitlines()
    place = next(number for number, line in enumerate(lines) if re.match("(# )?%s:" % name, line))
    above = next(line for line in reversed(lines[:place]) if "fast_reboot_" not in line)
    assert above.startswith("# ")


@pytest.mark.parametrize("name", [*DEFAULTS, *SHOWN])
def test_every_input_is_used(name):
    used = "".join(
        path.read_text() for path in (*ROLE.glob("tasks/*.yml"), ROLE.parents[1] / "playbooks/fast_reboot.yml")
    )
    assert re.search(r"\b%s\b" % name, used)


def test_nothing_else_is_read_as_an_input():
    used = "".join(path.read_text() for path in ROLE.glob("tasks/*.yml"))
    registered = set(re.findall(r"register: (\w+)", used))
    assert set(re.findall(r"\bfast_reboot_\w+", used)) <= set(DEFAULTS) | set(SHOWN) | registered
