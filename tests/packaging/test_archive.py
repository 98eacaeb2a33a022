# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive that Galaxy would get: what is in it, and that it works where nothing else of the checkout is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
PLAYBOOKS = sorted({"fast_reboot", *(path.stem for path in CHECKOUT.glob("playbooks/*.yml"))})

# Exactly these, and nothing that a tool left lying about, belong beside the collection's own folders.
TOP_LEVEL_FILES = {
    "CHANGELOG.md",
    "COPYING",
    "FILES.json",
    "MANIFEST.json",
    "README.md",
    "bindep.txt",
    "execution-environment.yml",
    "requirements-execution-environment.txt",
    "requirements.txt",
}
FOLDERS = {"changelogs", "docs", "meta", "playbooks", "plugins", "roles", "tests"}


def galaxy(*arguments: str, home: Path) -> str:
    """Run ansible-galaxy with settings and caches of its own; the index it would ask does not exist."""
    environment = {**os.environ, "HOME": str(home), "ANSIBLE_GALAXY_SERVER": "http://localhost:9/"}
    return run("ansible-galaxy", "collection", *arguments, environment=environment)


def run(*command: str, environment: dict[str, str], folder: Path = CHECKOUT) -> str:
    """Run a command and return what it printed; on failure the test fails with that."""
    process = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        pytest.fail(f"{' '.join(command)} returned {process.returncode}:\n{process.stdout}")
    return process.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home without any settings."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """The archive as ansible-galaxy builds it from this checkout."""
    folder = tmp_path_factory.mktemp("archive")
    galaxy("build", "--output-path", str(folder), str(CHECKOUT), home=home)
    (archive,) = folder.glob("fleetops-kexec-*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def names(archive: Path) -> set[str]:
    """The paths of the archive's files, without folders."""
    with tarfile.open(archive) as tar:
        return {member.name for member in tar.getmembers() if not member.isdir()}


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """A collections path with nothing but the archive installed."""
    path = tmp_path_factory.mktemp("collections")
    galaxy("install", "--offline", "--collections-path", str(path), str(archive), home=home)
    return path


def committed(*folders: str) -> set[str]:
    """What of these folders is in the repository, or would be: a file that git ignores is no source."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = set(listing.stdout.split("\0")) - {""}
    return {path for path in paths if (CHECKOUT / path).is_file()}


def test_it_holds_all_that_ansible_loads(names: set[str]) -> None:
    source = committed("plugins", "roles", "playbooks", "meta", "docs")
    assert source, "git knows no file here: is this a checkout?"
    assert source - names == set()


def test_it_holds_nothing_but_the_collection(names: set[str]) -> None:
    files = {name for name in names if "/" not in name}
    folders = {name.partition("/")[0] for name in names if "/" in name}
    assert files - TOP_LEVEL_FILES == set()
    assert folders - FOLDERS == set()


def test_of_the_tests_it_holds_what_checks_the_collection_as_shipped(names: set[str]) -> None:
    assert {name for name in names if re.match(r"tests/(?!config\.yml$|sanity/)", name)} == set()


def test_it_has_no_links(archive: Path) -> None:
    """The checkout's own link below playbooks/ leads back to the checkout."""
    with tarfile.open(archive) as tar:
        assert [member.name for member in tar.getmembers() if member.issym() or member.islnk()] == []


def test_its_version_has_a_changelog_entry() -> None:
    version = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["version"]
    releases = yaml.safe_load((CHECKOUT / "changelogs/changelog.yaml").read_text())["releases"]
    assert version in releases


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_an_installed_playbook_is_found_by_its_name(playbook: str, installed: Path, home: Path, tmp_path: Path) -> None:
    """From an empty folder, so that nothing of the checkout can help."""
    environment = {**os.environ, "HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": str(installed)}
    command = ["ansible-playbook", "--syntax-check", "--inventory", "host,", f"fleetops.kexec.{playbook}"]
    said = run(*command, environment=environment, folder=tmp_path)
    assert f"ansible_collections/fleetops/kexec/playbooks/{playbook}.yml" in said


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_of_the_checkout_finds_the_collection_beside_it(playbook: str, home: Path, tmp_path: Path) -> None:
    """By the link below playbooks/, with nothing set up or installed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    command = [
        "ansible-playbook",
        "--syntax-check",
        "--inventory",
        "host,",
        str(CHECKOUT / f"playbooks/{playbook}.yml"),
    ]
    run(*command, environment={**environment, "HOME": str(home)}, folder=tmp_path)


def test_installed_plugins_document_themselves(installed: Path, home: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": str(installed)}
    modules = {f"fleetops.kexec.{path.stem}" for path in CHECKOUT.glob("plugins/modules/[a-z]*.py")}
    listing = run("ansible-doc", "--list", "fleetops.kexec", environment=environment, folder=tmp_path)
    assert modules - {line.split()[0] for line in listing.splitlines() if line} == set()
    for module in modules:
        run("ansible-doc", module, environment=environment, folder=tmp_path)


def test_its_documentation_is_sound(installed: Path, home: Path, tmp_path: Path) -> None:
    """As antsibull-docs would render it: every reference in it leads somewhere."""
    said = run(
        "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--disallow-unknown-collection-refs",
        str(installed / "ansible_collections/fleetops/kexec"),
        environment={**os.environ, "HOME": str(home)},
        folder=tmp_path,
    )
    assert said == ""


def test_galaxy_takes_it_without_a_warning(archive: Path, home: Path, tmp_path: Path) -> None:
    """What ansible-test and ansible-lint say has its own steps."""
    settings = tmp_path / "settings"
    settings.write_text("[galaxy-importer]\nRUN_ANSIBLE_TEST = False\nRUN_ANSIBLE_LINT = False\n")
    environment = {**os.environ, "HOME": str(home), "GALAXY_IMPORTER_CONFIG": str(settings)}
    said = run(
        sys.executable, "-m", "galaxy_importer.main", str(archive), environment=environment, folder=archive.parent
    )
    assert "Importer processing completed successfully" in said
    assert re.findall("^(?:ERROR|WARNING).*", said, re.MULTILINE) == []
