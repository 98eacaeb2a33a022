# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import subprocess

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._way import (
    ASK_INHIBITORS,
    Inhibitor,
    command_for,
    is_root,
    parse_inhibitors,
)

INITS = ("systemd", "sysvinit", "openrc")
BY_COMMAND = ("kexec", "firmware")
BUSCTL = (
    'fleetops-inhibitors:a(ssssuu) 3 "sleep" "NetworkManager" "needs to turn off networks" "delay" 0 716 '
    '"shutdown:sleep" "dpkg \\"x\\"" "A package is being installed" "block" 0 4711 '
    '"shutdown" "Unattended Upgrades Shutdown" "Stop ongoing upgrades" "delay" 0 801 \n'
)


@pytest.mark.parametrize(("init", "method"), list(itertools.product(INITS, BY_COMMAND)))
def test_every_command_is_one_that_a_shell_understands(init, method):
    command = command_for(init, method, ignore_inhibitors=False)
    assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


@pytest.mark.parametrize(("init", "method"), list(itertools.product(INITS, BY_COMMAND)))
def test_every_command_looks_first_whether_an_image_is_loaded(init, method):
    command = command_for(init, method, ignore_inhibitors=False)
    assert command.startswith('if [ "$(cat /sys/kernel/kexec_loaded')


@pytest.mark.parametrize(
    ("output", "root"),
    [
        ("fleetops-uid:0\n", True),
        ("Welcome\r\nfleetops-uid:0\r\nmore\r\n", True),
        ("fleetops-uid:01\n", False),
        ("", False),
    ],
)
def test_root_is_told_by_the_user_id(output, root):
    assert is_root(output) is root


def test_an_unknown_init_system_has_no_command():
    assert command_for("runit", "kexec", ignore_inhibitors=False) is None


def test_where_every_reboot_is_a_kexec_one_through_the_firmware_is_asked_for():
    assert "touch /run/fleetops-kexec/cold" in command_for("systemd", "firmware", ignore_inhibitors=False)
    assert "cold" not in command_for("systemd", "kexec", ignore_inhibitors=False)


@pytest.mark.parametrize("method", BY_COMMAND)
def test_inhibitors_are_overridden_only_when_told(method):
    assert "systemctl -i " not in command_for("systemd", method, ignore_inhibitors=False)
    assert "systemctl -i " in command_for("systemd", method, ignore_inhibitors=True)


def test_a_terminals_line_ends_do_not_matter():
    assert parse_inhibitors(BUSCTL.replace("\n", "\r\n")) == parse_inhibitors(BUSCTL)


def test_only_those_that_block_a_shutdown_are_inhibitors():
    assert parse_inhibitors("Welcome\n" + BUSCTL) == [Inhibitor('dpkg "x"', "A package is being installed")]


@pytest.mark.parametrize(
    "output", ["", "fleetops-inhibitors:\n", "fleetops-inhibitors:a(ssssuu) 0 \n", "busctl: not found"]
)
def test_without_logind_nobody_inhibits(output):
    assert parse_inhibitors(output) == []


def test_the_question_works_on_a_machine_without_logind():
    asked = subprocess.run(
        ["sh", "-c", "PATH=/nowhere:$PATH; busctl() { return 127; }; " + ASK_INHIBITORS],
        check=False,
        capture_output=True,
        text=True,
    )
    assert asked.stdout == "fleetops-inhibitors:\n"
