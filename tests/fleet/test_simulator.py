# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a simulated host, for those who talk to it, what a host is?"""

from __future__ import annotations

import socket
import subprocess
import time

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import QUESTION
from ansible_run import CHECKOUT
from simfleet import NEWER, OLDER, Behaviour, SimulatedFleet, SimulatorError
from simfleet.fixture import Simulated
from simfleet.quick import BOOT_ID_QUESTION
from simfleet.spec import Look

pytestmark = pytest.mark.fleet


def ssh_command(fleet: SimulatedFleet, command: str, *options: str, host: str = "127.77.0.1") -> list[str]:
    """What runs a command on a host."""
    to = ["-p", str(fleet.port), "-i", str(fleet.inventory.parent / "id"), *options, "root@" + host]
    return ["ssh", *fleet.ssh_options(), *to, command]


def ssh(fleet: SimulatedFleet, command: str, *options: str, host: str = "127.77.0.1") -> tuple[int, bytes]:
    """The exit code and the output of a command, as ssh gives them."""
    done = subprocess.run(
        ssh_command(fleet, command, *options, host=host), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode, done.stdout


def test_what_is_answered_without_a_process_is_what_the_process_would_answer(simulated: Simulated) -> None:
    fleet = simulated(1)
    questions = ["/bin/sh -c '%s'" % text.replace("'", "'\"'\"'") for text in (QUESTION, BOOT_ID_QUESTION)]
    (fleet.root("sim001") / "run/fleetops-kexec").mkdir()
    record = fleet.root("sim001") / "run/fleetops-kexec/staged.json"
    # A record of several lines, with and without a line's end at its own end; then none.
    for content in ('{\n "token": "x"\n}\n', "{}", None):
        if content is None:
            record.unlink()
        else:
            record.write_text(content)
        for options in ([], ["-tt"]):
            quick = [ssh(fleet, question, *options) for question in questions]
            fleet.answer_by_processes(always=True)
            assert [ssh(fleet, question, *options) for question in questions] == quick
            fleet.answer_by_processes(always=False)
            assert quick[1][1].strip().decode() == fleet.history("sim001", "up")[0].detail


def test_each_host_has_its_own_files_and_this_machine_is_out_of_its_reach(simulated: Simulated) -> None:
    fleet = simulated(2)
    assert ssh(fleet, "uname -r; cat /etc/hostname") == (0, b"%s\nsim001\n" % OLDER.encode())
    assert ssh(fleet, "cat /etc/hostname", host="127.77.0.2") == (0, b"sim002\n")
    assert ssh(fleet, "echo x >/root/mine && exit 7") == (7, b"")
    assert (fleet.root("sim001") / "root/mine").exists()
    assert not (fleet.root("sim002") / "root/mine").exists()
    assert ssh(fleet, "ls -d %s %s /sys/firmware 2>/dev/null" % (CHECKOUT, fleet.inventory)) == (2, b"")
    # reboot(2) of this machine, without the stand-in: not permitted.
    real = "import ctypes; c = ctypes.CDLL(None, use_errno=True); print(c.reboot(0x89ABCDEF), ctypes.get_errno())"
    assert ssh(fleet, "python3 -S -c '%s'" % real) == (0, b"-1 1\n")


@pytest.mark.parametrize(
    "environment",
    [
        {"ANSIBLE_SSH_TRANSFER_METHOD": "sftp"},
        {"ANSIBLE_SSH_TRANSFER_METHOD": "scp"},
        {"ANSIBLE_SSH_TRANSFER_METHOD": "piped"},
        {"ANSIBLE_PIPELINING": "1"},
    ],
)
def test_modules_get_there_however_ansible_sends_them(simulated: Simulated, environment: dict[str, str]) -> None:
    fleet = simulated(1)
    run = fleet.module("fleetops.kexec.kexec_info", environment=environment)
    kexec = run.tasks[0].result["kexec"]
    assert (kexec["running"]["release"], kexec["target"]["release"], kexec["blockers"]) == (OLDER, NEWER, [])


def test_its_failed_units_are_told_by_systemctl(simulated: Simulated) -> None:
    fleet = simulated(1)
    question = "systemctl is-system-running; systemctl show --property=NFailedUnits; systemctl list-units --failed"
    assert ssh(fleet, question) == (0, b"running\nNFailedUnits=0\n")
    fleet.behave("sim001", failed_units=["a.service"])
    assert ssh(fleet, question) == (0, b"degraded\nNFailedUnits=1\na.service loaded failed failed\n")


def test_the_peer_reboots_it_too(simulated: Simulated) -> None:
    fleet = simulated(1)
    run = fleet.module("ansible.builtin.reboot")
    assert run.tasks[0].result["rebooted"] is True
    assert [event.what for event in fleet.history("sim001") if event.what != "login"] == ["up", "asked", "down", "up"]
    assert fleet.read("sim001", "/proc/sys/kernel/osrelease") == NEWER


def knock(fleet: SimulatedFleet) -> str:
    """What a TCP client sees of the first host within a moment."""
    with socket.socket() as client:
        client.settimeout(0.5)
        try:
            client.connect(("127.77.0.1", fleet.port))
        except OSError as error:
            return type(error).__name__
        try:
            return client.recv(4).decode()
        except TimeoutError:
            return "silence"


LOOKS: list[tuple[Look, str]] = [
    ("refuses", "ConnectionRefusedError"),
    ("silent", "TimeoutError"),
    ("accepts", "silence"),
]


@pytest.mark.parametrize(("look", "seen"), LOOKS)
def test_a_host_that_is_down_looks_as_it_should(simulated: Simulated, look: Look, seen: str) -> None:
    fleet = simulated(1, {"sim001": Behaviour(down_looks=look, reboot_seconds=3.0)})
    assert knock(fleet) == "SSH-"
    client = subprocess.Popen(ssh_command(fleet, "systemctl reboot; sleep 60"), stdin=subprocess.DEVNULL)
    fleet.wait_for("sim001", "down")
    assert knock(fleet) == seen
    # Where packets vanish, the client cannot know that its connection is dead.
    if look == "silent":
        with pytest.raises(subprocess.TimeoutExpired):
            client.wait(1)
    else:
        assert client.wait(5) == 255
    fleet.wait_for("sim001", "up", 2)
    assert knock(fleet) == "SSH-"
    client.kill()
    client.wait()


def test_a_host_that_goes_down_takes_its_processes_with_it(simulated: Simulated) -> None:
    fleet = simulated(1, {"sim001": Behaviour(dies_at="fatal")})
    marker = fleet.root("sim001") / "root/marker"
    client = subprocess.Popen(ssh_command(fleet, "while sleep 0.1; do touch /root/marker; done"))
    while not marker.exists():
        time.sleep(0.05)
    assert ssh(fleet, "true fatal")[0] == 255
    assert client.wait(5) == 255
    marker.unlink()
    time.sleep(0.5)
    assert not marker.exists()


def test_the_same_seed_makes_the_same_reboots(simulated: Simulated) -> None:
    ids = []
    for seed in (7, 7, 8):
        fleet = simulated(2, seed=seed, median_seconds=0.1)
        assert ssh(fleet, "systemctl reboot")[0] in (0, 255)
        fleet.wait_for("sim001", "up", 2)
        ids.append([event.detail for event in fleet.history(what="up")])
        fleet.close()
    assert ids[0] == ids[1] != ids[2]
    assert len(set(ids[0])) == 3


def test_what_a_host_cannot_do_is_said(simulated: Simulated) -> None:
    fleet = simulated(1)
    with pytest.raises(SimulatorError, match="comes_bakc"):
        fleet.behave("sim001", comes_bakc="never")
    with pytest.raises(SimulatorError, match="sim9"):
        fleet.behave("sim9")
