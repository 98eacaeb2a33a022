# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restart that stops no service: what was written and synced is there afterwards, and the file system is clean."""

from __future__ import annotations

import subprocess

import pytest
from driver import Fleet

pytestmark = pytest.mark.lab

HOST = "lab2"

# Says a number as soon as the file of that name is on the disk, and goes on until the machine is gone.
WRITER = """
import itertools, os
os.makedirs("/srv/kexec_now", exist_ok=True)
folder = os.open("/srv/kexec_now", os.O_RDONLY)
for number in itertools.count():
    with open("/srv/kexec_now/%d" % number, "w") as stream:
        stream.write("%d\\n" % number * 100)
        stream.flush()
        os.fsync(stream.fileno())
    os.fsync(folder)
    print(number, flush=True)
"""


def test_what_was_synced_before_the_jump_is_there_after_it(fleet: Fleet) -> None:
    staged = fleet.module(HOST, "kexec_load", entry="running")
    assert staged["failed"] is False
    command = fleet.machine(HOST).ssh_command("exec python3 -c '%s'" % WRITER)
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        result = fleet.module(HOST, "kexec_reboot", method="kexec_now")
        writer.terminate()
        said, _nothing = writer.communicate(timeout=30)
    assert result["failed"] is False
    assert (result["rebooted"], result["method"]) == (True, "kexec_now")
    assert fleet.boot(HOST)["boot_id"] == result["boot_id"]["after"]

    synced = [int(line) for line in said.split()]
    assert len(synced) > 10
    found = fleet.ssh(HOST, "cd /srv/kexec_now && head -q -n 1 $(seq 0 %d)" % synced[-1])
    assert [int(line) for line in found.split()] == synced
    assert fleet.ssh(HOST, "dmesg | grep -ciE 'ext4-fs.*(recovery|orphan|error)' || true") == "0"
