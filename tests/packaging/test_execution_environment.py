# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment for AWX, as ansible-builder sees it. No image is built."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[2]


def builder(*arguments: str) -> str:
    """What ansible-builder says."""
    process = subprocess.run(
        ["ansible-builder", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def test_the_definition_is_accepted(tmp_path: Path) -> None:
    builder("create", "--file", str(CHECKOUT / "execution-environment.yml"), "--context", str(tmp_path))
    collections = yaml.safe_load((tmp_path / "_build/requirements.yml").read_text())["collections"]
    assert "fleetops.kexec" in [collection["name"] for collection in collections]
    (recipe,) = [*tmp_path.glob("Containerfile"), *tmp_path.glob("Dockerfile")]
    assert "/usr/bin/python3.12" in recipe.read_text()


def test_any_environment_with_the_collection_gets_what_it_needs(tmp_path: Path) -> None:
    """From the collection's own metadata, all of requirements.txt but for ansible-core, which is the environment's."""
    collection = tmp_path / "ansible_collections/fleetops/kexec"
    collection.parent.mkdir(parents=True)
    collection.symlink_to(CHECKOUT)
    pip, bindep = tmp_path / "pip.txt", tmp_path / "bindep.txt"
    builder("introspect", str(tmp_path), "--write-pip", str(pip), "--write-bindep", str(bindep))
    wanted = re.findall(r"^[A-Za-z][\w-]*", (CHECKOUT / "requirements.txt").read_text(), re.MULTILINE)
    found = re.findall(r"^[A-Za-z][\w-]*", pip.read_text(), re.MULTILINE)
    assert set(found) == {*wanted, "psycopg"} - {"ansible-core"}
    assert "psycopg[binary]" in pip.read_text()
    assert re.findall("^openssh-client", bindep.read_text(), re.MULTILINE)
