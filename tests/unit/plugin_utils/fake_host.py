# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host and a clock in virtual time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import QUESTION
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostError, HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host_key import HostKey
from ansible_collections.fleetops.kexec.plugins.plugin_utils._reboot import Reboot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request

OLD_ID, NEW_ID = "0cdfa0ad-9b1d-4a5d-9e0d-3c1cd2b2f0b5", "11111111-9b1d-4a5d-9e0d-3c1cd2b2f0b5"
OLD, NEW = "6.1.0-55", "6.1.0-56"
STARTED = datetime(2026, 11, 8, 2, 0, tzinfo=timezone.utc)
BLOCKED = 'a(ssssuu) 1 "shutdown" "dpkg" "packages are being installed" "block" 0 99'
OLD_BUILD, NEW_BUILD = "#1 SMP Debian 6.1.1", "#1 SMP Debian 6.1.2"
# What differs where the host has come back through its firmware.
BY_FIRMWARE = {"token": None, "loader_type": "114"}
KEY, OTHER_KEY = HostKey("ssh-ed25519", "SHA256:ours"), HostKey("ssh-ed25519", "SHA256:dropbear")


class FakeClock:
    def __init__(self):
        self.time = 1000.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        assert seconds > 0
        self.time += seconds


class FakePending:
    """A command that answers at a certain time; never where that is None."""

    def __init__(self, clock, answer, at):
        self.clock, self.answer, self.at = clock, answer, at

    def wait(self, seconds):
        if self.at is None or self.at > self.clock.time + max(seconds, 0):
            self.clock.time += max(seconds, 0)
            return None
        self.clock.time = max(self.clock.time, self.at)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class FakeHost:
    """What happens to a host, in seconds since the reboot was fired."""

    clock: FakeClock
    down: float | None = 3.0
    answering: float | None = 20.0
    ready: float = 20.0
    token: str | None = "T"
    release: str = NEW
    build: str = NEW_BUILD
    loader_type: str = "208"
    staged: bool = True
    loaded: bool = True
    init: str = "systemd"
    container: str | None = None
    inhibitors: str | None = None
    uid: str = "0"
    crash_loaded: bool = False
    crash_again: float | None = None
    fire: Answer | Exception | list[Answer] = field(default_factory=lambda: Answer(0, "", ""))
    fire_takes: float | None = 0.1
    question_takes: float | None = 0.3
    unreachable: bool = False
    unload: HostError | None = None
    answers_during_shutdown: tuple[float, float] | None = None
    stranger: tuple[float, float] | None = None
    """Another SSH server answers in this time."""
    banner_takes: float = 0.05
    """Seconds from the first look until its SSH server shows its banner."""
    refuses: bool = True
    """While it is down; otherwise it says nothing, as a dead host."""
    key_before: HostKey | Exception | None = KEY
    key_after: HostKey | Exception | None = KEY
    """None where the address is not asked itself."""
    key_takes: float | None = 0.2
    failed_before: str = ""
    failed_after: str = ""
    settled: float | None = None
    """When the boot has come to its end; None where there is no systemd that tells."""
    commands: dict[str, list[Answer]] = field(default_factory=dict)
    """What the user's own commands answer, one after the other; the last one again and again."""
    command_takes: float | None = 0.2

    def __post_init__(self):
        self.fired: float | None = None
        self.log: list[str] = []
        self.keys_read: list[float] = []
        self.ended = 0
        self.asked: float | None = None

    def elapsed(self):
        return float("-inf") if self.fired is None else self.clock.time - self.fired

    def is_strange(self, elapsed):
        return self.stranger is not None and self.stranger[0] <= elapsed < self.stranger[1]

    def is_up(self, elapsed):
        early = self.answers_during_shutdown
        if (early is not None and early[0] <= elapsed < early[1]) or self.is_strange(elapsed):
            return True
        if self.down is None or elapsed < self.down:
            return True
        return self.answering is not None and elapsed >= self.answering

    def is_new(self, elapsed):
        return self.down is not None and self.answering is not None and elapsed >= self.answering

    def start(self, command):
        if command in self.commands:
            return self.own(command)
        if "wall" in command and "boot_id" not in command:
            self.log.append("announce")
            return FakePending(self.clock, Answer(0, "", ""), self.clock.time + 0.1)
        if not command.startswith(QUESTION):
            return self.reboot(command)
        elapsed = self.elapsed()
        if self.unreachable or not self.is_up(elapsed) or self.is_strange(elapsed):
            return FakePending(self.clock, HostUnreachable("connection refused"), self.clock.time + 0.1)
        if self.question_takes is None:
            return FakePending(self.clock, None, None)
        at = self.clock.time + self.question_takes
        if self.is_new(elapsed) and elapsed < self.ready:
            return FakePending(self.clock, Answer(1, "", "System is booting up."), at)
        return FakePending(self.clock, Answer(0, self.describe(self.is_new(elapsed)), ""), at)

    def reboot(self, command):
        words = command.replace("\n) </dev/null", "").split()
        self.log.append("fire " + words[-1])
        self.log.append(command)
        self.fired = self.clock.time
        fire = self.fire.pop(0) if isinstance(self.fire, list) else self.fire
        return FakePending(self.clock, fire, None if self.fire_takes is None else self.clock.time + self.fire_takes)

    def own(self, command):
        self.log.append(command)
        answers = self.commands[command]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return FakePending(self.clock, answer, None if self.command_takes is None else self.clock.time + 0.2)

    def describe(self, new):
        record = {"boot_id": OLD_ID, "token": "T", "release": NEW, "build": None}
        token = " fleetops.boot=" + self.token if new and self.token else ""
        values = {
            "/proc/sys/kernel/random/boot_id": NEW_ID if new else OLD_ID,
            "/proc/sys/kernel/osrelease": self.release if new else OLD,
            "/proc/sys/kernel/version": self.build if new else OLD_BUILD,
            "/proc/cmdline": "ro" + token,
            "/proc/sys/kernel/bootloader_type": self.loader_type if new else "114",
            "/sys/kernel/kexec_loaded": "1" if self.loaded and not new else "0",
            "/sys/kernel/kexec_crash_loaded": "1" if self.has_crash_kernel(new) else "0",
            "/proc/1/comm": self.init,
        }
        if self.staged and not new:
            values["/run/fleetops-kexec/staged.json"] = json.dumps(record)
        values["fleetops-uid"] = self.uid
        if self.inhibitors:
            values["fleetops-inhibitors"] = self.inhibitors
        if self.container:
            values["/run/systemd/container"] = self.container
        if self.settled is not None:
            booting = new and self.elapsed() < self.settled
            values["fleetops-system"] = "SystemState=" + ("starting" if booting else "running")
            values["fleetops-failed-units"] = self.failed_after if new else self.failed_before
        # Over ssh's terminal, lines end so.
        return "".join("%s:%s\r\n" % item for item in values.items())

    def has_crash_kernel(self, new):
        if not new:
            return self.crash_loaded
        return self.crash_again is not None and self.elapsed() >= self.crash_again

    def jump(self):
        return self.reboot("jump now")

    def prepare_watch(self, interval, is_known=False, beside=None, most=0.0):
        self.log.append("prepare, known" if is_known else "prepare")

    def read_key(self, kind):
        self.keys_read.append(self.elapsed())
        key = self.key_before if self.fired is None else self.key_after
        if key is None:
            return None
        if self.is_strange(self.elapsed()):
            key = OTHER_KEY
        return FakePending(self.clock, key, None if self.key_takes is None else self.clock.time + self.key_takes)

    def end(self):
        self.ended += 1

    def answers(self, seconds):
        if self.is_up(self.elapsed()):
            # A question stays open from one look to the next.
            self.asked = self.clock.time if self.asked is None else self.asked
            wait = max(self.asked + self.banner_takes - self.clock.time, 0.0)
            self.clock.time += min(wait, seconds)
            if wait > seconds:
                return None
            self.asked = None
            return True
        self.asked = None
        nearest = [moment for moment in (self.answering,) if moment is not None]
        if nearest and self.fired is not None and 0 < self.fired + nearest[0] - self.clock.time <= seconds:
            self.clock.time = self.fired + nearest[0]
            return True
        self.clock.time += min(seconds, 0.5)
        return False if self.refuses else None

    def glance(self):
        return self.is_up(self.elapsed())

    def reset(self):
        self.log.append("reset")

    def unload_image(self, seconds):
        assert seconds > 0
        self.log.append("unload")
        if self.unload is not None:
            raise self.unload
        self.loaded = False


def reboot(check_mode=False, method="kexec", timeout=120.0, wanted_token=None, **facts):
    """Reboot a host of these facts by a request of these options."""
    options = {name: facts.pop(name) for name in Request.__dataclass_fields__ if name in facts and name != "token"}
    clock = FakeClock()
    host = FakeHost(clock, **facts)
    request = Request(method=method, timeout=timeout, token=wanted_token, **options)
    outcome = Reboot(host, clock, request, say=lambda line: None).run(check_mode)
    assert host.ended == 1
    return outcome, host
