# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever copies an example from the documentation is not told that it is wrong."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.reading import read_checks
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import DEFAULTS, read_policy

from .examples import (
    CHECKOUT,
    EXAMPLES,
    JUDGED_BY_ACTIONS,
    MODULES,
    OURS,
    PAGES,
    argument_spec,
    code_blocks,
    documented,
    filled_in,
    mappings,
    plugin,
    uses,
)

ROLES = {
    folder.name: yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    for folder in sorted((CHECKOUT / "roles").iterdir())
}
PLAYBOOKS = {path.stem for path in CHECKOUT.glob("playbooks/*.yml")}
INPUTS = {name: option for options in ROLES.values() for name, option in options.items()}
PREFIX = "(?:%s|rollout_control)_" % "|".join(ROLES)

TASKS = uses(EXAMPLES, re.escape(OURS) + r"\w+")
VARIABLES = uses(EXAMPLES, PREFIX + r"\w+")
SHELL = [example for page in PAGES for example in code_blocks(page, "shell")]


def names_known():
    """What may be written with a role's prefix: inputs, the playbooks' own variables, and what tasks leave behind."""
    sources = [*CHECKOUT.glob("playbooks/*.yml"), *CHECKOUT.glob("roles/*/tasks/**/*.yml")]
    text = "".join(path.read_text() for path in sources)
    variables = set(re.findall(r"\b%s\w+" % PREFIX, text))
    return variables | set(INPUTS) | PLAYBOOKS


def options_in_short(options):
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "choices": option.get("choices"),
            "default": option.get("default"),
            "required": option.get("required", False),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_an_example_of_itself(module):
    tasks = [name for mapping in mappings(yaml.safe_load(plugin("modules", module).EXAMPLES)) for name in mapping]
    assert OURS + module in tasks


@pytest.mark.parametrize("module", JUDGED_BY_ACTIONS)
def test_the_documentation_has_the_options_that_the_action_takes(module, monkeypatch):
    """ansible-test compares the two for modules only."""
    spec = argument_spec(module, monkeypatch)["argument_spec"]
    shown, taken = options_in_short(documented(module)), options_in_short(spec)
    if module == "await_health":
        # The action takes text too.
        taken["checks"].update(type="list", elements="dict")
    if module == "rollout_plan":
        # An empty limit is the same as none, so its default is put in later.
        for limit, default in DEFAULTS.items():
            taken[limit]["default"] = default
    assert shown == taken


@pytest.mark.parametrize("place", TASKS)
def test_a_task_has_arguments_that_its_module_takes(place, monkeypatch):
    name, arguments = TASKS[place].name.removeprefix(OURS), TASKS[place].value or {}
    assert name in MODULES
    spec = argument_spec(name, monkeypatch)
    options = spec["argument_spec"]
    given = {key: filled_in(value, options.get(key, {})) for key, value in arguments.items()}
    result = ArgumentSpecValidator(**spec).validate(given)
    assert result.error_messages == []
    if name == "await_health" and given["checks"] != "x":
        assert read_checks(given["checks"])
    if name == "rollout_plan":
        read_policy({limit: given.get(limit, default) for limit, default in DEFAULTS.items()})


@pytest.mark.parametrize("place", VARIABLES)
def test_a_variable_is_an_input_and_has_a_value_that_it_takes(place):
    name, value = VARIABLES[place]
    assert name in names_known()
    if name in INPUTS:
        result = ArgumentSpecValidator({name: INPUTS[name]}).validate({name: filled_in(value, INPUTS[name])})
        assert result.error_messages == []
    if name == "fast_reboot_health":
        assert read_checks(filled_in(value, {}))
    limit = name.removeprefix("fast_reboot_")
    if limit in DEFAULTS and not limit.startswith(("failure_domain", "max_unavailable_per", "max_domains")):
        read_policy({**DEFAULTS, limit: value})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_a_page_names_no_variable_that_nothing_reads(page):
    assert set(re.findall(r"\b%s\w+" % PREFIX, page.read_text())) - names_known() == set()


def included(key, name):
    return [
        (mapping[key], example.place)
        for example in EXAMPLES
        for mapping in mappings(yaml.safe_load(example.text))
        if key in mapping and str(name(mapping[key])).startswith(OURS)
    ]


def test_roles_and_playbooks_are_those_that_there_are():
    names = [name for name, _place in included("role", str)]
    names += [entry for entries, _place in included("roles", lambda given: given[0]) for entry in entries]
    tasks = included("ansible.builtin.include_role", lambda given: given["name"])
    tasks += included("ansible.builtin.import_role", lambda given: given["name"])
    for given, place in tasks:
        role = CHECKOUT / "roles" / given["name"].removeprefix(OURS)
        file = given.get("tasks_from", "main").removesuffix(".yml") + ".yml"
        assert (role / "tasks" / file).is_file(), place
    assert names, "no example applies a role"
    assert {name.removeprefix(OURS) for name in names} <= set(ROLES)
    playbooks = [given for given, _place in included("ansible.builtin.import_playbook", str)]
    playbooks += re.findall(r"ansible-playbook.*? (%s\w+)" % re.escape(OURS), "".join(line.text for line in SHELL))
    assert playbooks, "no example runs a playbook"
    assert {name.removeprefix(OURS) for name in playbooks} <= PLAYBOOKS
    links = re.findall(r"(?:hooks/\w+\.yml)", "".join(page.read_text() for page in PAGES))
    assert [link for link in links if not (CHECKOUT / "roles/fast_reboot/tasks" / link).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_a_link_leads_to_a_page_and_a_heading_that_there_are(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _hash, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, target
