# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel update as it is done with a fleet: the packages, then the roll. The tests build on each other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from debs import copy, download, output
from driver import Fleet

pytestmark = pytest.mark.soak

HOST = "lab1"
KEXEC = "208"
SOURCE = "/var/local/packages"
# Ansible's module for apt installs python3-apt, where it is missing.
NEEDED_BY_ANSIBLE = ("python3-apt", "python-apt-common", "distro-info-data")


def package(folder: Path, name: str, version: str, depends: str) -> Path:
    """A package with nothing in it."""
    control = folder / "empty/DEBIAN/control"
    control.parent.mkdir(parents=True, exist_ok=True)
    control.write_text(
        "Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody <root@localhost>\nDepends: %s\n"
        "Description: stands for another version\n" % (name, version, depends)
    )
    file = folder / ("%s_%s.deb" % (name, version))
    output("dpkg-deb", "--root-owner-group", "--build", "empty", file.name, folder=folder)
    return file


@pytest.fixture(scope="module")
def update(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A host with the older kernel, and a source of packages with the newer one; returns the meta package's name."""
    older, newer = fleet.kernels(HOST)
    meta = "linux-image-" + newer.split("-", 2)[2]
    folder = tmp_path_factory.mktemp("packages")
    files = download(folder, meta, "linux-image-" + newer, *NEEDED_BY_ANSIBLE)
    index = "".join(
        "%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n"
        % (
            output("dpkg-deb", "--field", file.name, folder=folder),
            file.name,
            file.stat().st_size,
            hashlib.sha256(file.read_bytes()).hexdigest(),
        )
        for file in files
    )
    (folder / "Packages").write_text(index)
    fleet.ssh(HOST, "mkdir -p %s && rm -rf /etc/apt/sources.list*" % SOURCE)
    for file in (*files, folder / "Packages"):
        copy(fleet, HOST, file, "%s/%s" % (SOURCE, file.name.replace("%", "_")))
    fleet.ssh(HOST, "echo 'deb [trusted=yes] file:%s ./' > /etc/apt/sources.list" % SOURCE)
    copy(fleet, HOST, package(folder, meta, "0.1", "linux-image-" + older), "/root/older.deb")
    fleet.ssh(
        HOST, "DEBIAN_FRONTEND=noninteractive apt-get purge -y -q linux-image-%s && dpkg -i /root/older.deb" % newer
    )
    return meta


def test_a_package_on_hold_stays_and_nothing_is_rebooted(fleet: Fleet, update: str) -> None:
    before = fleet.boot(HOST)
    fleet.ssh(HOST, "apt-mark hold " + update)
    run = fleet.playbook("--limit", HOST, playbook="playbooks/kernel_update.yml")
    fleet.ssh(HOST, "apt-mark unhold " + update)
    assert run.rc == 0
    assert "on hold on %s, and left as they are: %s" % (HOST, update) in " ".join(run.output.split())
    assert run.outcomes() == {HOST: "current"}
    assert fleet.boot(HOST) == before


def test_a_host_whose_packages_cannot_be_updated_is_not_rebooted(fleet: Fleet, update: str) -> None:
    before = fleet.boot(HOST)
    fleet.ssh(HOST, "mv %s/Packages %s/aside" % (SOURCE, SOURCE))
    run = fleet.playbook("--limit", HOST, playbook="playbooks/kernel_update.yml", fast_reboot_force=True)
    fleet.ssh(HOST, "mv %s/aside %s/Packages" % (SOURCE, SOURCE))
    assert run.rc != 0
    assert run.outcomes() == {HOST: "refused"}
    assert "its kernel packages were not updated: " in " ".join(run.output.split())
    assert fleet.boot(HOST) == before


def test_the_new_kernel_is_installed_and_runs(fleet: Fleet, update: str) -> None:
    older = fleet.boot(HOST)["release"]
    run = fleet.playbook("--limit", HOST, playbook="playbooks/kernel_update.yml")
    assert run.rc == 0
    assert run.outcomes() == {HOST: "rebooted"}
    after = fleet.boot(HOST)
    assert after["release"] != older
    assert after["loader_type"] == KEXEC
    assert older in fleet.kernels(HOST)


def test_the_same_run_again_changes_nothing(fleet: Fleet, update: str) -> None:
    before = fleet.boot(HOST)
    run = fleet.playbook("--limit", HOST, playbook="playbooks/kernel_update.yml")
    assert run.rc == 0
    assert run.outcomes() == {HOST: "current"}
    assert [task.task for task in run.tasks if task.result.get("changed")] == []
    assert fleet.boot(HOST) == before


def test_a_given_release_runs_although_the_boot_loader_would_start_another(fleet: Fleet, update: str) -> None:
    older, newer = fleet.kernels(HOST)
    assert fleet.boot(HOST)["release"] == newer
    run = fleet.playbook("--limit", HOST, playbook="playbooks/kernel_update.yml", kernel_update_release=older)
    assert run.rc == 0
    assert run.outcomes() == {HOST: "rebooted"}
    after = fleet.boot(HOST)
    assert (after["release"], after["loader_type"]) == (older, KEXEC)
    again = fleet.playbook("--limit", HOST, playbook="playbooks/kernel_update.yml", kernel_update_release=older)
    assert (again.rc, again.outcomes()) == (0, {HOST: "current"})


def test_a_release_that_no_source_has_reboots_nothing(fleet: Fleet, update: str) -> None:
    before = fleet.boot(HOST)
    run = fleet.playbook("--limit", HOST, playbook="playbooks/kernel_update.yml", kernel_update_release="9.9.9-1-none")
    assert run.rc != 0
    assert run.outcomes() == {HOST: "refused"}
    assert "linux-image-9.9.9-1-none" in run.output
    assert fleet.boot(HOST) == before
