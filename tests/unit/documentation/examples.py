# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation, and the argument specs that they have to keep to."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import NamedTuple

import yaml

CHECKOUT = Path(__file__).parents[3]
PAGES = [CHECKOUT / "README.md", *sorted(CHECKOUT.glob("docs/*.md")), *sorted(CHECKOUT.glob("roles/*/README.md"))]
MODULES = sorted(path.stem for path in CHECKOUT.glob("plugins/modules/[a-z]*.py"))
OURS = "fleetops.kexec."
TEMPLATE = re.compile(r"{{.*?}}|{%.*?%}", re.DOTALL)
PLAUSIBLE = {"int": 1, "float": 1.0, "bool": True, "list": [], "dict": {}}


class Example(NamedTuple):
    """A piece of YAML, and where it stands."""

    place: str
    text: str


class Use(NamedTuple):
    """A name that an example uses, and what it gives to it."""

    name: str
    value: object


def code_blocks(page, language):
    """The code blocks of a page in that language, those within a list too."""
    text = page.read_text()
    for block in re.finditer(r"^( *)```%s\n(.*?)^ *```$" % language, text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, block.start()) + 1
        yield Example("%s:%d" % (page.relative_to(CHECKOUT), line), re.sub("(?m)^" + block[1], "", block[2]))


def plugin(kind, name):
    return importlib.import_module("ansible_collections.fleetops.kexec.plugins.%s.%s" % (kind, name))


def documented(module):
    return yaml.safe_load(plugin("modules", module).DOCUMENTATION)["options"]


# Other actions hand their arguments on to the module, which judges them.
JUDGED_BY_ACTIONS = [
    path.stem
    for path in sorted(CHECKOUT.glob("plugins/action/[a-z]*.py"))
    if hasattr(plugin("action", path.stem), "ARGUMENT_SPEC")
]

EXAMPLES = [
    *(Example("module " + name, plugin("modules", name).EXAMPLES) for name in MODULES),
    *(example for page in PAGES for example in code_blocks(page, "yaml")),
]


class Taken(Exception):
    """What a module gives to AnsibleModule."""


def argument_spec(module, monkeypatch):
    """All that the module or its action plugin says of its arguments, as ArgumentSpecValidator takes it."""
    if module in JUDGED_BY_ACTIONS:
        return {"argument_spec": plugin("action", module).ARGUMENT_SPEC}
    code = plugin("modules", module)

    def take(**arguments):
        raise Taken(arguments)

    monkeypatch.setattr(code, "AnsibleModule", take)
    try:
        code.main()
    except Taken as taken:
        (arguments,) = taken.args
    return {name: value for name, value in arguments.items() if name != "supports_check_mode"}


def filled_in(value, option):
    """The value as it may be when its templates have been filled in: of the option's type, one of its choices."""
    if isinstance(value, list):
        return [filled_in(item, {"type": option.get("elements")}) for item in value]
    if isinstance(value, dict):
        return {key: filled_in(item, {}) for key, item in value.items()}
    if isinstance(value, str) and TEMPLATE.search(value):
        if option.get("choices"):
            return option["choices"][0]
        return PLAUSIBLE.get(option.get("type"), TEMPLATE.sub("x", value))
    return value


def mappings(node):
    """Every mapping of a YAML document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from mappings(child)


def uses(examples, pattern):
    """What the examples give to the names that match: tasks to modules, values to variables."""
    return {
        "%s %s" % (example.place, name): Use(name, value)
        for example in examples
        for mapping in mappings(yaml.safe_load(example.text))
        for name, value in mapping.items()
        if re.fullmatch(pattern, str(name))
    }
