# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import (
    CommandCheck,
    FailedUnitsCheck,
    PortCheck,
    Ran,
    UnitCheck,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.question import parse_answers, question
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import Services, parse_services

SYSTEMCTL = """#!/bin/sh
case "$*" in
*SystemState*) echo NFailedUnits=1; echo SystemState=degraded ;;
*list-units*) echo 'apt.service loaded failed failed x' ;;
'show --property=LoadState --property=ActiveState --property=SubState --property=Result -- nginx')
    printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\nResult=success\\n' ;;
*) echo "what is $*?" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def run(tmp_path):
    """What a host prints that has this systemctl, and this Python."""
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "systemctl").chmod(0o755)
    (tmp_path / "python3").symlink_to(sys.executable)

    def run_with(*checks, most=60.0, shell="sh"):
        path = "%s:%s" % (tmp_path, os.environ["PATH"])
        command = question(dict(enumerate(checks)), most)
        ended = subprocess.run([shell, "-c", command], capture_output=True, check=False, env={"PATH": path}, timeout=60)
        # As over ssh's terminal.
        return ended.stdout.decode(errors="replace").replace("\n", "\r\n")

    return run_with


def command(*argv, timeout=60.0):
    return CommandCheck("c", timeout, argv)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_programs_are_run_as_they_are_given(run, shell):
    said = parse_answers(
        run(
            command("true"),
            command("sh", "-c", "echo one; echo two >&2; exit 3"),
            command("printf", "%s", 'it\'s $(id) \\ "q"'),
            command("no-such-program"),
            command("cat"),
            shell=shell,
        )
    )
    assert said[0] == Ran(0, "")
    assert said[1] == Ran(3, "one\ntwo")
    assert said[2] == Ran(0, 'it\'s $(id) \\ "q"')
    assert said[3].rc == 127
    assert "no-such-program" in said[3].output
    assert said[4] == Ran(0, ""), "nobody types for it"


def test_no_output_can_pass_for_another_answer(run):
    forged = "\\nfleetops-health:1:\\0370\\nfleetops-failed-units:\\r\\n"
    output = run(command("printf", forged), command("false"), FailedUnitsCheck("f", 5.0))
    assert parse_answers(output)[1] == Ran(1, "")
    assert parse_services(output) == Services(("apt.service",), True)


def test_much_output_is_cut_and_does_not_end_the_program(run):
    ran = parse_answers(run(command("sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; exit 4")))[0]
    assert (ran.rc, ran.output) == (4, "x" * 2000)


def test_bytes_that_are_no_text_do_no_harm(run):
    assert parse_answers(run(command("printf", "a\\000b\\377c")))[0] == Ran(0, "a\nb\ufffdc")


def test_a_program_that_hangs_is_ended(run):
    said = parse_answers(run(command("sleep", "50", timeout=50.0), command("true"), most=0.3))
    assert said == {0: Ran(124, ""), 1: Ran(0, "")}


def test_systemd_is_asked_for_units(run):
    output = run(UnitCheck("u", 5.0, "nginx"), FailedUnitsCheck("f", 5.0))
    assert parse_answers(output) == {
        0: Ran(0, "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success")
    }
    assert parse_services(output) == Services(("apt.service",), True)


def test_ports_are_asked_from_the_host(run):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        open_port = PortCheck("p", 50.0, port, from_host=True, host="127.0.0.1")
        assert parse_answers(run(open_port)) == {0: Ran(0, "")}
    assert parse_answers(run(open_port)) == {0: Ran(1, "[Errno 111] Connection refused")}


def test_a_host_that_says_something_else_has_not_answered():
    assert parse_answers("Welcome\r\nfleetops-health:x:\0370\r\nfleetops-health:0:cut short") == {}
