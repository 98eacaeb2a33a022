# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way a reboot takes, as a table."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import Boot, Staged
from ansible_collections.fleetops.kexec.plugins.plugin_utils._examine import (
    EXAMINATION,
    Examined,
    choose,
    read_examination,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import RebootFailed
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request
from ansible_collections.fleetops.kexec.plugins.plugin_utils._way import Inhibitor

DPKG = (Inhibitor("dpkg", "at work"),)


def host(loaded=True, staged=True, container=None, is_root=True, inhibitors=(), init="systemd"):
    record = Staged("T", "6.1.0-56", None) if staged else None
    boot = Boot("id", "6.1.0-55", None, None, None, loaded, False, record, init, None)
    return Examined(boot, None, container, is_root, inhibitors)


@pytest.mark.parametrize(
    ("request_", "host_", "way"),
    [
        (Request(), host(), "kexec"),
        (Request(), host(loaded=False, staged=False), "firmware"),
        (Request(), host(staged=False), "firmware"),
        (Request(token="U"), host(), "firmware"),
        (Request(token="T"), host(), "kexec"),
        (Request(method="kexec"), host(), "kexec"),
        (Request(method="kexec_now"), host(init="runit", inhibitors=DPKG), "kexec_now"),
        (Request(method="firmware"), host(), "firmware"),
        (Request(method="kexec", ignore_inhibitors=True), host(inhibitors=DPKG), "kexec"),
        (Request(reboot_command="x"), host(is_root=False, init="runit"), "command"),
        (Request(reboot_command="x"), host(staged=False), "command"),
        # What may not be done at all.
        (Request(), host(container="docker"), "this is a container (docker)"),
        (Request(reboot_command="x"), host(container="lxc"), "this is a container (lxc)"),
        (Request(own_boot_id="id"), host(), "this is the control node, or shares its kernel"),
        (Request(own_boot_id="another"), host(), "kexec"),
        (Request(own_boot_id="id", reboot_command="x"), host(container="docker"), "this is the control node"),
        (Request(), host(is_root=False), "needs root"),
        (Request(), host(init="runit"), "the init system 'runit' is not known"),
        (Request(), host(inhibitors=DPKG), "a shutdown is inhibited by dpkg (at work)"),
        (Request(reboot_command="x"), host(inhibitors=DPKG), "a shutdown is inhibited by dpkg (at work)"),
        (Request(method="kexec"), host(loaded=False), "no image is staged"),
        (Request(fallback="fail"), host(staged=False), "no record of it"),
        (Request(method="kexec_now", token="U"), host(), "another image than the one"),
    ],
)
def test_the_way(request_, host_, way):
    try:
        found = choose(request_, host_, check_mode=False).asked
    except RebootFailed as error:
        found = str(error)
    assert way in found


def test_in_check_mode_nothing_needs_to_be_staged():
    assert choose(Request(method="kexec"), host(loaded=False, staged=False), check_mode=True).asked == "kexec"


def test_a_real_machine_answers_the_whole_question():
    asked = subprocess.run(["sh", "-c", EXAMINATION], check=False, capture_output=True, text=True)
    examined = read_examination(Answer(asked.returncode, asked.stdout, asked.stderr))
    with open("/proc/sys/kernel/version") as version:
        assert examined.boot.build == version.read().strip()
    assert "fleetops-container:" in asked.stdout


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(1, "", "sudo: a password is required"), "(sudo: a password is required)"),
        (Answer(1, "nope", ""), "(nope)"),
        (Answer(0, "", ""), "(it said nothing)"),
    ],
)
def test_what_is_no_answer_is_told(answer, why):
    with pytest.raises(RebootFailed) as raised:
        read_examination(answer)
    assert why in str(raised.value)
