# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that the host's boot loader does not know, brought from the controller. The tests build on each other."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from driver import Fleet

pytestmark = pytest.mark.soak

HOST = "lab1"
KEXEC = "208"
DIRECTORY = "/var/lib/fleetops-kexec/pushed"


@pytest.fixture(scope="module")
def files(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The kernel and the initrd that run on the host, here."""
    folder = tmp_path_factory.mktemp("kernels")
    for name in ("vmlinuz", "initrd.img"):
        with (folder / name).open("wb") as stream:
            command = fleet.machine(HOST).ssh_command("cat /boot/%s-$(uname -r)" % name)
            subprocess.run(command, stdout=stream, stdin=subprocess.DEVNULL, check=True)
    return [folder / "vmlinuz", folder / "initrd.img"]


def test_what_does_not_fit_is_refused_before_anything_is_sent(fleet: Fleet, files: list[Path]) -> None:
    kernel, initrd = map(str, files)
    fleet.ssh(HOST, "mkdir /mnt/small && mount -t tmpfs -o size=20m none /mnt/small")
    result = fleet.module(HOST, "kexec_push", kernel=kernel, initrd=[initrd], directory="/mnt/small/pushed")
    fleet.ssh(HOST, "ls -A /mnt/small | wc -l | grep -x 0 && umount /mnt/small && rmdir /mnt/small")
    assert result["failed"] is True
    assert "/mnt/small/pushed on the host has 20 MiB free, and pushing 2 files needs" in result["msg"]


def test_a_check_run_says_what_would_be_pushed(fleet: Fleet, files: list[Path]) -> None:
    run = fleet.playbook(
        *("--check", "--limit", HOST),
        playbook="playbooks/fast_reboot_push.yml",
        fast_reboot_push_kernel=str(files[0]),
        fast_reboot_force=True,
    )
    (pushed,) = run.of("kexec_push")
    assert pushed.result["changed"] is True
    assert run.outcomes() == {HOST: "refused"}
    assert "%s does not exist on the host" % pushed.result["kernel"] in " ".join(run.output.split())
    assert fleet.ssh(HOST, "ls /var/lib/fleetops-kexec 2>/dev/null || true") == ""


def test_a_pushed_kernel_is_rolled_out_by_kexec(fleet: Fleet, files: list[Path]) -> None:
    before = fleet.boot(HOST)
    fleet.ssh(HOST, "mkdir -p %s && echo old >%s/%s.kernel" % (DIRECTORY, DIRECTORY, "0" * 64))
    run = fleet.playbook(
        *("--limit", HOST),
        playbook="playbooks/fast_reboot_push.yml",
        fast_reboot_push_kernel=str(files[0]),
        fast_reboot_push_initrd=[str(files[1])],
        fast_reboot_force=True,
    )
    assert run.rc == 0
    assert run.outcomes() == {HOST: "rebooted"}
    (staged,) = run.of("kexec_load")
    paths = [
        "%s/%s.%s" % (DIRECTORY, hashlib.sha256(file.read_bytes()).hexdigest(), kind)
        for file, kind in zip(files, ("kernel", "initrd"), strict=True)
    ]
    assert [staged.result["staged"]["kernel"], *staged.result["staged"]["initrds"]] == paths
    after = fleet.boot(HOST)
    assert (after["release"], after["loader_type"]) == (before["release"], KEXEC)
    assert sorted(fleet.ssh(HOST, "ls " + DIRECTORY).split("\n")) == sorted(Path(path).name for path in paths)


def test_what_is_there_is_not_pushed_again_unless_it_is_damaged(fleet: Fleet, files: list[Path]) -> None:
    arguments = {"kernel": str(files[0]), "initrd": [str(files[1])]}
    again = fleet.module(HOST, "kexec_push", **arguments)
    assert again["changed"] is False
    fleet.ssh(HOST, "truncate -s 1000 " + again["kernel"])
    assert fleet.module(HOST, "kexec_push", **arguments)["changed"] is True
    fleet.ssh(HOST, "echo '%s %s' | sha256sum -c" % (Path(again["kernel"]).stem + " ", again["kernel"]))
    fleet.ssh(HOST, "rm -r /var/lib/fleetops-kexec")


def test_a_roll_for_which_nothing_was_pushed_says_so(fleet: Fleet, files: list[Path]) -> None:
    run = fleet.playbook("--limit", HOST, fast_reboot_push_kernel=str(files[0]))
    assert run.rc != 0
    assert run.outcomes() == {HOST: "failed"}
    assert "nothing was pushed: run the playbook fast_reboot_push" in " ".join(run.output.split())
