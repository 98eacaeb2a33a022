# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about errors quotes what the program says, and not what it said once."""

from __future__ import annotations

import ast
import re

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers import blocker

from .examples import CHECKOUT

PAGE = (CHECKOUT / "docs/troubleshooting.md").read_text()
QUOTED = [
    *re.findall(r"^- `(.+)`$", PAGE, re.MULTILINE),
    # The tables of what follows another message.
    *(text for text in re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE) if " " in text),
]

# %s, %.1f, %-20s, %(name)s; of "%%" the program makes "%".
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-+ 0#]*[\d.]*[srdgf]")


def texts():
    """All texts of the plugins, as the program puts them together, and all of roles and playbooks."""
    for path in sorted(CHECKOUT.glob("plugins/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield PLACEHOLDER.sub("…", node.value).replace("%%", "%")
    for path in [*CHECKOUT.glob("playbooks/*.yml"), *CHECKOUT.glob("roles/*/tasks/**/*.yml")]:
        yield re.sub(r"\s+", " ", re.sub(r"{{.*?}}", "…", path.read_text(), flags=re.DOTALL))
        yield re.sub(r"\s+", " ", path.read_text())


SAID = list(texts())


@pytest.mark.parametrize("quoted", QUOTED)
def test_a_quoted_error_is_one_that_the_program_makes(quoted):
    assert [text for text in SAID if quoted in text]


def test_no_error_is_explained_twice():
    assert [quoted for quoted in QUOTED if QUOTED.count(quoted) > 1] == []


@pytest.mark.parametrize("identifier", [*blocker.INSURMOUNTABLE, *blocker.SURMOUNTABLE])
def test_every_kind_of_blocker_is_there_and_whether_it_can_be_ignored(identifier):
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `") and "`%s`" % identifier in line]
    can_be = "yes" if identifier in blocker.SURMOUNTABLE else "no"
    assert row.endswith("| %s |" % can_be)
