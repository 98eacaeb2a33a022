# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reboot by a user who is not root, behind Debian's molly-guard, and through a jump host.

The rights are those that docs/security.md proposes, so its lines are tested too.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from debs import download, install
from driver import Fleet

pytestmark = pytest.mark.soak

HOST, JUMP = "lab1", "lab2"
FIRMWARE, KEXEC = "114", "208"
# Where QEMU's user network has the computer that the machines run on, with the ports that lead to them.
OUTSIDE = "10.0.2.2"

PREPARE = """
set -e
mkdir -p /run/sshd
useradd --create-home --shell /bin/bash fleet
install -d -m 700 -o fleet -g fleet /home/fleet/.ssh
install -m 600 -o fleet -g fleet /root/.ssh/authorized_keys /home/fleet/.ssh/authorized_keys
cat >/etc/sudoers.d/fleet <<'END'
%sEND
visudo --check --file=/etc/sudoers.d/fleet
"""
RESTORE = "rm -f /etc/sudoers.d/fleet; dpkg --purge molly-guard sudo; userdel --remove fleet 2>&1"

CONFIGURATION = """
Host inner
    HostName %(outside)s
    HostKeyAlias [127.0.0.1]:%(inner)d
    ProxyJump jump
Host jump
    HostName 127.0.0.1
    Port %(jump)d
    User root
Host *
    IdentityFile "%(key)s"
    IdentitiesOnly yes
    StrictHostKeyChecking yes
    UserKnownHostsFile "%(known)s"
"""


def proposed_sudoers() -> str:
    text = (Path(__file__).parents[2] / "docs/security.md").read_text()
    found = re.search(r"in `/etc/sudoers.d/fleet`:\n\n```\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture(scope="module")
def guarded(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The host with a user who may become root, and with molly-guard."""
    files = download(tmp_path_factory.mktemp("packages"), "sudo", "molly-guard")
    install(fleet, HOST, files)
    fleet.ssh(HOST, PREPARE % proposed_sudoers())
    yield fleet
    fleet.ssh(HOST, RESTORE)


def as_user(fleet: Fleet, *tasks: dict[str, Any], become: bool = True) -> list[dict[str, Any]]:
    """What the reboots of the user came to."""
    return fleet.modules(HOST, "kexec_reboot", list(tasks), ansible_user="fleet", ansible_become=become)


def test_molly_guard_asks_somebody_at_a_terminal(guarded: Fleet) -> None:
    """Otherwise the tests below would prove nothing."""
    before = guarded.boot(HOST)
    program, *words = guarded.machine(HOST).ssh_command("reboot")
    asked = subprocess.run(
        [program, "-tt", *words], check=False, input="other\n", capture_output=True, text=True, timeout=120
    )
    assert "type in hostname of the machine to reboot" in asked.stdout
    assert asked.returncode != 0
    assert guarded.boot(HOST) == before


def test_a_user_who_may_not_is_told(guarded: Fleet) -> None:
    before = guarded.boot(HOST)
    (result,) = as_user(guarded, {}, become=False)
    assert (result["failed"], result["phase"]) == (True, "check")
    assert "rebooting needs root on the host; use become: true" in result["msg"]
    guarded.ssh(HOST, "mv /etc/sudoers.d/fleet /root/fleet")
    (result,) = as_user(guarded, {})
    guarded.ssh(HOST, "mv /root/fleet /etc/sudoers.d/fleet")
    print(result)
    assert result["failed"] is True
    assert "password" in result["msg"]
    assert guarded.boot(HOST) == before


def test_a_check_of_molly_guard_refuses_a_command_of_the_users(guarded: Fleet) -> None:
    before = guarded.boot(HOST)
    check = "/etc/molly-guard/run.d/50-backup"
    guarded.ssh(HOST, "printf '#!/bin/sh\\necho a backup runs\\nexit 1\\n' >%s && chmod +x %s" % (check, check))
    (result,) = as_user(guarded, {"reboot_command": "reboot"})
    guarded.ssh(HOST, "rm " + check)
    assert (result["failed"], result["rebooted"], result["phase"]) == (True, False, "request")
    assert "the host refused to reboot (return code 1): " in result["msg"]
    assert "a backup runs" in result["msg"]
    assert guarded.boot(HOST) == before


def test_a_user_reboots_by_a_command_that_molly_guard_stands_in_front_of(guarded: Fleet) -> None:
    (result,) = as_user(guarded, {"reboot_command": "reboot"})
    assert (result["failed"], result["rebooted"], result["method"]) == (False, True, "firmware"), result["msg"]


def test_a_user_reboots_by_kexec(guarded: Fleet) -> None:
    (staged,) = guarded.modules(HOST, "kexec_load", [{}], ansible_user="fleet", ansible_become=True)
    assert staged["failed"] is False
    (result,) = as_user(guarded, {"method": "kexec"})
    assert (result["failed"], result["method"]) == (False, "kexec"), result
    assert guarded.boot(HOST)["loader_type"] == KEXEC
    guarded.module(HOST, "kexec_commit")


def test_a_reboot_through_a_jump_host(fleet: Fleet, tmp_path: Path) -> None:
    values = {"outside": OUTSIDE, "inner": fleet.machine(HOST).port, "jump": fleet.machine(JUMP).port}
    access = fleet.machine(HOST).access
    configuration = tmp_path / "ssh_config"
    configuration.write_text(CONFIGURATION % {**values, "key": access.key, "known": access.known_hosts})
    way = {"ansible_host": "inner", "ansible_ssh_common_args": "-F %s" % configuration}
    (staged,) = fleet.modules(HOST, "kexec_load", [{}], **way)
    assert staged["failed"] is False, staged
    (result,) = fleet.modules(HOST, "kexec_reboot", [{"method": "kexec"}], **way)
    assert (result["failed"], result["method"]) == (False, "kexec"), result
    # Nobody has asked the address itself.
    assert result["host_key"]["before"] is None
    assert None not in result["timeline"].values()
    fleet.module(HOST, "kexec_commit")
