# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that hang, and what is left of them."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import Call, HostError, HostUnreachable


def living(process):
    """Whether that process still runs; a zombie does not."""
    try:
        return Path("/proc/%d/stat" % process).read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_answer_is_waited_for():
    call = Call(lambda: time.sleep(0.2) or "answer")
    assert call.wait(0.0) is None
    assert call.wait(5.0) == "answer"


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (AnsibleConnectionFailure("no route"), HostUnreachable, "the host is unreachable: no route"),
        (HostUnreachable("gone"), HostUnreachable, "gone"),
        (HostError("no"), HostError, "no"),
        (EOFError("channel"), HostUnreachable, "the connection failed: EOFError: channel"),
    ],
)
def test_what_a_connection_raises_is_told(error, kind, sentence):
    def fail():
        raise error

    with pytest.raises(kind, match=sentence):
        Call(fail).wait(5.0)


@pytest.mark.parametrize("script", ["exec sleep 300", "trap '' TERM; while :; do sleep 1; done"], ids=["", "stubborn"])
def test_the_processes_of_a_call_end_with_it(script):
    processes = []

    def run():
        with subprocess.Popen(["sh", "-c", script]) as process:
            processes.append(process.pid)
            return process.wait()

    other = subprocess.Popen(["sleep", "300"])
    call = Call(run)
    wait_for(lambda: processes)
    call.end()
    assert not call.is_alive()
    assert not living(processes[0])
    assert living(other.pid), "a process of another thread is none of ours"
    other.terminate()
    other.wait(10)


def test_a_call_without_a_process_is_interrupted():
    told = threading.Event()
    call = Call(lambda: told.wait(300), interrupt=told.set)
    call.end()
    assert not call.is_alive()


def test_the_end_of_a_call_that_has_ended_is_nothing():
    call = Call(lambda: 1, interrupt=lambda: pytest.fail("it has ended"))
    call.wait(5.0)
    call.end()
