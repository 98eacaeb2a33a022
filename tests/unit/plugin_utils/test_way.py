# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import os
import pty
import subprocess

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._way import (
    ASK_CONTAINER,
    ASK_INHIBITORS,
    Inhibitor,
    announcement,
    command_for,
    is_root,
    marked_container,
    only_in_boot,
    own_command,
    parse_inhibitors,
    unattended,
    with_search_paths,
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


@pytest.fixture
def programs(tmp_path):
    """Makes programs; the folder that they are in is returned with the first."""

    def make(name, script, folder="bin"):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / name).write_text("#!/bin/sh\n" + script)
        (place / name).chmod(0o755)
        return str(place)

    return make


def shell(command, **options):
    return subprocess.run(
        ["/bin/sh", "-c", command], check=False, capture_output=True, text=True, timeout=20, **options
    )


# As molly-guard's run.d/30-query-hostname does: it asks only where somebody could answer.
GUARD = 'test -t 0 || { echo "rebooted $*"; exit 0; }; read -r name; echo "not rebooted"; exit 1\n'


def test_nobody_is_asked_for_the_hosts_name(programs):
    """Become gives the command a terminal, on which molly-guard would wait for ever."""
    folder = programs("reboot", GUARD)
    ours, theirs = pty.openpty()
    try:
        said = shell(unattended(with_search_paths([folder], "reboot -x")), stdin=theirs)
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(["sh", "-c", folder + "/reboot"], check=False, stdin=theirs, timeout=0.5)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (said.returncode, said.stdout) == (0, "rebooted -x\n")


@pytest.mark.parametrize("command", ["exit 7", "sh -c 'exit 7'", "exit 7 # or not"])
def test_an_unattended_command_tells_how_it_ended(command):
    assert shell(unattended(command)).returncode == 7


def test_a_program_is_looked_for_in_the_given_folders_first(programs):
    first, second = programs("reboot", "echo first", "a b"), programs("reboot", "echo second", "c")
    assert shell(with_search_paths([first, second], "reboot")).stdout == "first\n"
    assert shell(with_search_paths(["/nowhere"], "echo here")).stdout == "here\n"


def test_a_command_of_the_users_is_looked_for_in_the_given_folders_only(programs):
    folder = programs("restart", 'echo "$0" "$@"', "a b")
    said = shell(own_command("restart --now 'x y'; echo then", ["/nowhere", folder]))
    assert said.stdout == "%s/restart --now x y\nthen\n" % folder
    absent = shell(own_command("ls -l", ["/nowhere", "/no where"]))
    assert (absent.returncode, absent.stderr) == (127, "there is no program ls in /nowhere, /no where\n")


def test_a_command_with_its_path_is_run_as_it_is():
    assert own_command("/sbin/reboot -f", ["/nowhere"]) == "/sbin/reboot -f"


@pytest.mark.parametrize(
    "text",
    ["Reboot in 5 minutes", 'it\'s "now"', "$(touch x) `id` ; exit 1 | true", "two\nlines", "-n %s %d \\t", "äöü"],
)
def test_a_message_arrives_as_it_is(programs, tmp_path, text):
    folder = programs("wall", 'cat >"$SHOWN"\n')
    environment = {"PATH": "%s:%s" % (folder, os.environ["PATH"]), "SHOWN": str(tmp_path / "shown")}
    said = shell(announcement(text) + "echo rebooting", env=environment)
    assert (tmp_path / "shown").read_text() == text + "\n"
    assert (said.returncode, said.stdout, said.stderr) == (0, "rebooting\n", "")


def test_without_a_message_nobody_is_told():
    assert announcement("") == ""


def test_a_host_without_wall_reboots_all_the_same(tmp_path):
    said = shell(announcement("hello") + "echo rebooting", env={"PATH": str(tmp_path)})
    assert (said.stdout, said.stderr) == ("rebooting\n", "")


@pytest.mark.parametrize(("init", "method"), list(itertools.product(INITS, BY_COMMAND)))
def test_the_whole_command_is_one_that_a_shell_understands(init, method):
    command = announcement("it's") + command_for(init, method, ignore_inhibitors=False)
    whole = unattended(only_in_boot("id", with_search_paths(["/a b"], command)))
    assert subprocess.run(["sh", "-n", "-c", whole], check=False).returncode == 0


@pytest.mark.parametrize(
    ("output", "container"),
    [
        ("fleetops-container:docker\r\n", "docker"),
        ("Welcome\nfleetops-container:lxc\nmore", "lxc"),
        ("fleetops-container:\r\n", None),
        ("fleetops-container:\n", None),
        ("", None),
    ],
)
def test_a_container_is_told_by_its_mark(output, container):
    assert marked_container(output) == container


def test_the_question_for_a_container_is_answered_in_one_line():
    said = shell(ASK_CONTAINER)
    assert (said.returncode, said.stderr, said.stdout.count("\n")) == (0, "", 1)
    assert said.stdout.startswith("fleetops-container:")
