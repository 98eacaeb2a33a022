# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait, in virtual time. What is asked from the control node itself is real, so it is left to test_web.py."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.awaiting import Awaiting
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.reading import read_checks
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.terms import Terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.fake_host import FakeClock, FakePending

URL = "http://localhost/health"


@dataclass
class FakeHost:
    """A host whose commands and server come up at some time after the start; None for never."""

    clock: FakeClock
    reachable: float = 0.0
    command: float | None = 0.0
    """Until then, return code 1."""
    flaps: tuple[float, ...] = ()
    """Looks, counted from 1, at which the command fails once more."""
    server: float | None = 0.0
    hangs: float = 0.0
    """Until then, a command is not answered."""
    services: str = "SystemState=running"
    failed: str = ""
    content: str = '{"status": "green"}'
    log: list = field(default_factory=list)

    def __post_init__(self):
        self.start_time = self.clock.time
        self.looks = 0

    def is_since(self, moment):
        return moment is not None and self.clock.time - self.start_time >= moment

    def start(self, command):
        self.looks += 1
        self.log.append("command")
        if not self.is_since(self.reachable):
            return FakePending(self.clock, HostUnreachable("the host is unreachable: refused"), self.clock.time + 0.1)
        if not self.is_since(self.hangs):
            return FakePending(self.clock, None, None)
        rc = 0 if self.is_since(self.command) and self.looks not in self.flaps else 1
        lines = "\r\nfleetops-health:0:said\037%d\r\n" % rc
        lines += "fleetops-system:%s\r\nfleetops-failed-units:%s\r\n" % (self.services, self.failed)
        return FakePending(self.clock, Answer(0, lines, ""), self.clock.time + 0.2)

    def request(self, arguments):
        self.log.append(arguments)
        result = {"status": 200, "content": self.content}
        if not self.is_since(self.server):
            result = {"failed": True, "status": -1, "msg": "Request failed: refused"}
        return FakePending(self.clock, result, self.clock.time + 0.5)

    def reset(self):
        self.log.append("reset")

    def end(self):
        self.log.append("end")


def wait(checks, consecutive=1, timeout=60.0, interval=0.5, before=(), **facts):
    clock, said = FakeClock(), []
    host = FakeHost(clock, **facts)
    terms = Terms(read_checks(checks), timeout, consecutive, interval, tuple(before))
    result = Awaiting(host, clock, terms, answer_timeout=30.0, say=said.append).run()
    assert host.log[-1] == "end"
    return result, host, said


COMMAND = {"command": "true", "name": "program"}
REQUEST = {"url": URL, "from": "host", "expect": "status == 'green'", "name": "server"}


def test_what_holds_at_once_is_asked_once():
    result, host, said = wait([COMMAND, {"no_new_failed_units": True}, REQUEST])
    assert (result["failed"], result["changed"], result["looks"]) == (False, False, 1)
    assert (result["msg"], result["held_out"]) == ("all checks hold", None)
    assert [check["holds"] for check in result["checks"]] == [True] * 3
    assert [check["answer"] for check in result["checks"]] == ["said", "", '{"status": "green"}']
    assert [entry if isinstance(entry, str) else "request" for entry in host.log] == ["command", "request", "end"]
    assert said == []


@pytest.mark.parametrize("moment", [0.3, 2.0, 7.77, 31.4])
def test_what_becomes_true_is_noticed_within_a_second(moment):
    result, _host, said = wait([COMMAND], command=moment)
    assert not result["failed"]
    assert moment < result["elapsed"] < moment + 1.0
    assert result["held_out"] == {"name": "program", "why": "it ended with 1, not 0", "answer": "said"}
    assert said == ["waiting for program: it ended with 1, not 0"]


def test_all_have_to_hold_in_a_row():
    result, host, _said = wait([COMMAND], consecutive=3, flaps=(3, 5))
    assert not result["failed"]
    assert host.looks == result["looks"] == 8


def test_looks_are_an_interval_apart():
    _result, host, _said = wait([COMMAND], command=None, timeout=20.0, interval=2.0)
    assert host.looks == 10


def test_at_the_end_the_first_check_that_holds_out_is_told_with_its_answer():
    result, host, _said = wait([COMMAND, REQUEST], command=None, timeout=10.0)
    assert result["failed"]
    assert result["msg"] == "not healthy within 10 s: program: it ended with 1, not 0; its last answer: said"
    assert result["elapsed"] == 10.0
    assert result["checks"][1]["why"] == "it was not asked, because others do not hold"
    assert not [entry for entry in host.log if isinstance(entry, dict)]


def test_what_holds_but_not_often_enough_is_told():
    result, _host, _said = wait([COMMAND], consecutive=4, timeout=2.0, flaps=(2,))
    assert result["msg"] == "not healthy within 2 s: all checks hold, but have not 4 times in a row"
    assert result["held_out"]["name"] == "program"


def test_an_unreachable_host_is_waited_for():
    result, host, said = wait([COMMAND, {"no_new_failed_units": True}], reachable=12.0)
    assert not result["failed"]
    assert 12.0 < result["elapsed"] < 13.0
    assert said == ["waiting for program: the host is unreachable: refused"]
    assert host.log[:2] == ["command", "reset"]


def test_a_command_that_hangs_is_given_up_and_asked_again():
    # The host has 30 s, and the check 5 s.
    result, host, _said = wait([COMMAND], hangs=20.0)
    assert not result["failed"]
    assert host.log == ["command", "end", "reset", "command", "end"]
    assert result["held_out"]["why"] == "there was no answer within 5 s"


def test_a_command_that_hangs_does_not_outlive_the_deadline():
    result, _host, _said = wait([COMMAND], hangs=1000.0, timeout=8.0)
    assert result["elapsed"] == 8.0
    assert result["msg"] == "not healthy within 8 s: program: there was no answer before the time was up"


def test_a_look_that_is_cut_short_neither_counts_nor_hides_what_was_found_before():
    checks = [COMMAND, REQUEST]
    result, host, _said = wait(checks, hangs=1000.0, timeout=8.0, consecutive=2)
    assert [check["holds"] for check in result["checks"]] == [False, False]
    # The command hangs from the second look on.
    clock, terms = FakeClock(), Terms(read_checks(checks), 8.0, 2, 0.5)
    host = FakeHost(clock)
    start = host.start
    host.start = lambda command: start(command) if not host.looks else FakePending(clock, None, None)
    result = Awaiting(host, clock, terms, answer_timeout=30.0, say=str).run()
    assert (result["failed"], result["looks"]) == (True, 2)
    assert result["msg"] == "not healthy within 8 s: all checks hold, but have not 2 times in a row"


def test_the_servers_answer_is_waited_for_too():
    result, host, _said = wait([REQUEST], server=4.0)
    assert not result["failed"]
    assert 4.0 < result["elapsed"] < 5.0
    assert result["held_out"]["why"] == "Request failed: refused"
    assert "command" not in host.log, "there is nothing to run"
    arguments = host.log[0]
    assert (arguments["url"], arguments["timeout"], arguments["follow_redirects"]) == (URL, 5, "safe")


def test_units_that_had_failed_before_are_no_news():
    result, _host, _said = wait([{"no_new_failed_units": True}], failed="old.service", before=["old.service"])
    assert not result["failed"]
    result, _host, _said = wait([{"no_new_failed_units": True}], failed="old.service", timeout=5.0)
    assert "these have failed, and had not before: old.service" in result["msg"]


def test_a_host_that_says_something_else_is_told_of(monkeypatch):
    monkeypatch.setattr(
        FakeHost, "start", lambda host, command: FakePending(host.clock, Answer(255, "", "banner"), host.clock.time + 1)
    )
    result, _host, _said = wait([COMMAND], timeout=5.0)
    assert result["held_out"]["why"] == "the host did not answer: banner"


@pytest.mark.parametrize(
    "check",
    [
        {"headers": {"Authorization": "Bearer hunter2hunter2"}},
        {"headers": {"X-Key": "hunter2hunter2"}},
        {"url": "http://me:hunter2hunter2@localhost/"},
        {"url": "http://localhost/?token=hunter2hunter2"},
        {"url_username": "me", "url_password": "hunter2hunter2"},
    ],
)
@pytest.mark.parametrize("content", ['{"a": "hunter2hunter2"}', "token=hunter2hunter2", "Bearer hunter2hunter2"])
def test_a_secret_that_comes_back_is_not_shown(check, content):
    result, host, said = wait([{**REQUEST, **check}], content=content, timeout=3.0)
    assert result["failed"]
    assert "hunter2hunter2" not in repr(result) + repr(said)
    assert "********" in result["msg"]
    assert "hunter2" in repr(host.log[0]) or "Basic" in repr(host.log[0])


def test_a_long_answer_is_cut():
    result, _host, _said = wait([REQUEST], content="x" * 3000, timeout=3.0)
    assert result["held_out"]["answer"] == "x" * 500 + "… (3000 characters)"
