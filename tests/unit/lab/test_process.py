# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import subprocess
import sys

import pytest
from vmlab import process

MARK = "0c5bd0c7-5c1e-4a1b-8f0c-2a3f8f0f6f00"


@pytest.mark.parametrize(
    ("arguments", "ours"),
    [
        (f"qemu\0-uuid\0{MARK}\0-M\0q35\0".encode(), True),
        (b"qemu\0-uuid\0another\0", False),
        # mentions the machine, and is not it
        (f"grep\0uuid={MARK}\0".encode(), False),
        (f"vi\0/lab/{MARK}.log\0".encode(), False),
        # a process that has ended has no arguments
        (b"", False),
    ],
)
def test_a_process_is_ours_by_an_argument_that_nobody_else_has(arguments, ours):
    assert process.carries(arguments, MARK) is ours


@pytest.fixture
def sleeper(tmp_path):
    """A process of ours, and the file that names it."""
    program = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, MARK], stdout=subprocess.PIPE) as child:
        child.stdout.readline()  # its arguments are not there before it runs
        (tmp_path / "pid").write_text(f"{child.pid}\n")
        yield child, tmp_path / "pid"
        child.kill()


def test_a_process_that_carries_the_mark_is_found_and_ended(sleeper):
    child, pid_file = sleeper
    assert process.find(pid_file, MARK) == child.pid
    process.end(pid_file, MARK, seconds=0.1)
    assert child.wait(5) < 0
    assert process.find(pid_file, MARK) is None


def test_a_process_that_got_the_same_id_is_left_alone(sleeper):
    child, pid_file = sleeper
    process.end(pid_file, "another-machine", seconds=0.1)
    assert child.poll() is None


@pytest.mark.parametrize("text", ["", "none", "4999999"])
def test_a_file_that_names_no_process_finds_none(tmp_path, text):
    (tmp_path / "pid").write_text(text)
    assert process.find(tmp_path / "pid", MARK) is None
    assert process.find(tmp_path / "missing", MARK) is None


def test_this_process_does_not_carry_a_machines_mark(tmp_path):
    (tmp_path / "pid").write_text(str(os.getpid()))
    assert process.find(tmp_path / "pid", MARK) is None
