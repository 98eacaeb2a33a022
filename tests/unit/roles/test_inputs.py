# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of each role stand in two files, which must say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import jinja2
import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]


class Role(NamedTuple):
    """A role's files, read."""

    name: str
    text: str
    """Of defaults/main.yml."""
    defaults: dict
    shown: dict
    """Inputs without a default: there they stand as a comment, ready to be used."""
    specs: dict
    tasks: str
    variables: str
    """Of vars/main.yml; empty where there are none."""
    playbook: str
    """The playbook of the same name; empty where there is none."""

    def inputs(self):
        return [*self.defaults, *self.shown]


def read_role(folder):
    name = folder.name
    text = (folder / "defaults/main.yml").read_text()
    playbook = CHECKOUT / "playbooks" / (name + ".yml")
    return Role(
        name=name,
        text=text,
        defaults=yaml.safe_load(text),
        shown=dict(re.findall(r"^# (%s_\w+): (.+)$" % name, text, re.MULTILINE)),
        specs=yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"],
        tasks="".join(path.read_text() for path in folder.glob("tasks/**/*.yml")),
        variables=(folder / "vars/main.yml").read_text() if (folder / "vars/main.yml").exists() else "",
        playbook=playbook.read_text() if playbook.exists() else "",
    )


ROLES = [read_role(folder) for folder in sorted((CHECKOUT / "roles").iterdir())]
EACH_INPUT = [pytest.param(role, name, id=name) for role in ROLES for name in role.inputs()]


@pytest.mark.parametrize(
    ("role", "entry_point"),
    [pytest.param(role, name, id=role.name + "-" + name) for role in ROLES for name in role.specs],
)
def test_both_files_name_the_same_inputs(role, entry_point):
    assert set(role.specs[entry_point]["options"]) == set(role.inputs())


@pytest.mark.parametrize(("role", "name"), EACH_INPUT)
def test_both_files_give_the_same_default(role, name):
    assert role.specs["main"]["options"][name].get("default") == role.defaults.get(name)


@pytest.mark.parametrize(("role", "name"), EACH_INPUT)
def test_every_input_is_explained_where_it_is_set(role, name):
    lines = role.text.splitlines()
    place = next(number for number, line in enumerate(lines) if re.match("(# )?%s:" % name, line))
    above = next(line for line in reversed(lines[:place]) if role.name + "_" not in line)
    assert above.startswith("# ")


@pytest.mark.parametrize(("role", "name"), EACH_INPUT)
def test_every_input_is_used(role, name):
    assert re.search(r"\b%s\b" % name, role.tasks + role.variables + role.playbook)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_nothing_else_is_read_as_an_input(role):
    known = set(yaml.safe_load(role.variables) or ())
    known.update(re.findall(r"(?:register|loop_var): (\w+)", role.tasks))
    for facts in re.findall(r"(?:set_fact|vars):(?: &\w+)?\n((?: +.*\n)+)", role.tasks):
        known.update(re.findall(r"^ +(\w+):", facts, re.MULTILINE))
    assert set(re.findall(r"\b%s_\w+" % role.name, role.tasks)) <= set(role.inputs()) | known


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"ansible_inventory_sources": ["fleet.yml"]}, "all of fleet.yml"),
        ({"ansible_inventory_sources": ["fleet.yml"], "ansible_limit": "web"}, "all limited to web of fleet.yml"),
        # AWX writes every inventory to a file of the same name.
        (
            {"ansible_inventory_sources": ["/runner/inventory/hosts"], "awx_inventory_id": 3},
            "all of inventory 3 of AWX",
        ),
    ],
)
def test_a_rollout_is_named_by_its_command(variables, name):
    role = next(role for role in ROLES if role.name == "fast_reboot")
    command = yaml.safe_load(role.variables)["fast_reboot_command"]
    assert jinja2.Environment().from_string(command).render(variables) == name
