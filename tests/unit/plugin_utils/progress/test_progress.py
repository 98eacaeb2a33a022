# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator is told of a roll, from the results of its tasks, in virtual time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.events import (
    FAILED,
    IGNORED,
    OK,
    SKIPPED,
    UNREACHABLE,
    End,
    Events,
    Note,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.plain import plain, plain_lines
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.roll import Roll
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.step import shape, step
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.summary import log_line, summary
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.table import table
from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.view import rows
from pretended_roll import plan, reboot

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)
WAIT, RELEASE = {"state": "acquired"}, {"state": "released"}
WITH_SLOTS = [("rollout_slot", WAIT), ("kexec_load", {}), ("kexec_reboot", {}), ("kexec_commit", {})]


class Play:
    """Feeds events, and keeps what was told."""

    def __init__(self):
        self.roll, self.now = Roll(), 0.0
        self.events, self.told = Events(self.roll), []

    def of(self, tasks):
        self.events.play(shape(self.step(action, args) for action, args in tasks))

    def step(self, action, args=None):
        ours = action.startswith(("kexec_", "rollout_"))
        return step(("fleetops.kexec." if ours else "") + action, "Task " + action, args or {})

    def begin(self, host, action, args=None):
        self._tell(self.events.begins(host, self.step(action, args), self.now))

    def end(self, host, action, result=None, status=OK, args=None):
        self._tell(self.events.ends(End(host, self.step(action, args), status, result or {}), self.now))

    def task(self, host, action, result=None, status=OK, args=None, seconds=0.0):
        self.begin(host, action, args)
        self.now += seconds
        self.end(host, action, result, status, args)

    def _tell(self, notes):
        self.told += [log_line(note, NOON + timedelta(seconds=self.now)) for note in notes]

    def lines(self, width=80, height=24):
        found = rows(self.roll, self.now, NOON + timedelta(seconds=self.now), width, height)
        return ["".join(text for text, _style in row).rstrip() for row in found]


@pytest.fixture
def play():
    return Play()


@pytest.fixture
def slots(play):
    """A planned roll of four hosts with slots."""
    play.of([("kexec_info", {}), ("rollout_plan", {})])
    play.task("web1", "rollout_plan", plan(["web1", "web2", "web3", "web4"], left_out={"web5": "current"}))
    play.of(WITH_SLOTS)
    play.told.clear()
    return play


def whole_turn(play, host, outcome="rebooted", reason="", result=None, status=OK):
    play.task(host, "rollout_slot", {"admitted": True, "reason": "1 of 2 hosts"}, args=WAIT)
    play.task(host, "kexec_load", {}, seconds=1)
    play.task(host, "kexec_reboot", result or reboot(), status, seconds=20)
    play.task(host, "rollout_slot", {"outcome": outcome, "reason": reason}, args=RELEASE)


def test_a_survey_tells_only_of_what_went_wrong(play):
    play.of([("kexec_info", {})])
    play.task("web1", "kexec_info")
    play.task("web2", "kexec_info", {"msg": "no\nroute"}, UNREACHABLE)
    play.task("web3", "kexec_info", {"msg": "no root"}, IGNORED, seconds=3)
    play.begin("web4", "kexec_info")
    assert play.told == [
        "12:00:00  web2  could not be surveyed: no route",
        "12:00:03  web3  could not be surveyed: no root",
    ]
    assert summary(play.roll, 3.0, NOON) == Note("", "3 hosts surveyed in 3 s; 2 of them could not be; 1 under way")
    assert play.lines() == ["Survey  3 hosts surveyed in 3 s, 2 of them could not be, 1 under way"]


def test_the_plan_in_a_line(play):
    play.task("web1", "rollout_plan", plan(["web1", "web2"], left_out={"web3": "current", "web4": "refused"}))
    assert play.told == ["12:00:00  2 of 4 hosts to reboot, in about 2 min; left out: 1 current, 1 refused"]


def test_a_turn_with_a_slot_is_three_lines(slots):
    whole_turn(slots, "web1")
    assert slots.told == [
        "12:00:01  web1  reboots",
        "12:00:21  web1  is back after 4.4 s down, with kernel 6.1.0-56-amd64",
        "12:00:21  web1  rebooted (1 of 4)",
    ]


def test_a_reboot_that_nobody_saw_go_down(slots):
    whole_turn(slots, "web1", result=reboot(down_seconds=None))
    assert slots.told[1] == "12:00:21  web1  is back, with kernel 6.1.0-56-amd64"


def test_a_turn_without_slots_ends_with_the_acceptance(play):
    play.of([("kexec_load", {}), ("kexec_reboot", {}), ("kexec_commit", {})])
    for status in (OK, SKIPPED):
        play.task("web1", "kexec_load")
        play.task("web1", "kexec_reboot", reboot())
        assert "web1" in play.roll.in_flight
        play.task("web1", "kexec_commit", status=status)
        assert play.roll.ended.pop("web1").name == "rebooted"
    play.of([("kexec_reboot", {})])
    play.task("web2", "kexec_reboot", reboot(fell_back=True))
    assert play.roll.ended["web2"].name == "fell_back"


def test_a_lost_host_is_awaited_once_more(play):
    play.of([("kexec_load", {}), ("kexec_reboot", {}), ("kexec_commit", {})])
    play.task("web1", "kexec_reboot", reboot(lost=True, rebooted=False, msg="gone"), FAILED)
    play.task("web1", "kexec_load", args={"state": "unloaded"})
    assert play.roll.ended["web1"].name == "lost"
    play.task("web1", "kexec_reboot", reboot(), args={"resume": {}})
    play.task("web1", "kexec_commit")
    assert play.roll.outcomes() == {"rebooted": 1}
    assert play.told[1:] == [
        "12:00:00  web1  failed in Task kexec_reboot",
        "12:00:00  web1  lost: gone",
        "12:00:00  web1  is awaited once more",
        "12:00:00  web1  is back after 4.4 s down, with kernel 6.1.0-56-amd64",
        "12:00:00  web1  rebooted",
    ]


def test_a_host_that_was_unreachable_is_not_rebooted(play):
    play.of([("kexec_load", {}), ("kexec_reboot", {}), ("kexec_commit", {})])
    play.task("web1", "kexec_load", {"msg": "no route"}, UNREACHABLE)
    play.task("web1", "kexec_reboot", {"msg": "no token"}, UNREACHABLE)
    assert play.roll.outcomes() == {"unreachable": 1}
    assert not play.roll.in_flight
    assert "reboots" not in "".join(play.told)


def test_a_failure_with_a_slot_ends_with_its_release(slots):
    gone = reboot(lost=True, rebooted=False, msg="gone", down_seconds=None)
    whole_turn(slots, "web1", "lost", "gone", gone, FAILED)
    assert slots.told[1:] == ["12:00:21  web1  failed in Task kexec_reboot", "12:00:21  web1  lost (1 of 4): gone"]


def test_hosts_that_are_deferred_alike_are_told_of_once(slots):
    for host in ("web2", "web3", "web4"):
        slots.begin(host, "rollout_slot", WAIT)
    for host in ("web2", "web3", "web4"):
        stopped = {"admitted": False, "answer": "stopped", "reason": "stopped: 1 failure"}
        slots.end(host, "rollout_slot", stopped, args=WAIT)
    assert slots.told == ["12:00:00  web2  deferred (1 of 4): stopped: 1 failure"]
    assert slots.roll.outcomes() == {"deferred": 3}
    assert not slots.roll.waiting


def test_a_slot_that_could_not_be_had_is_a_failure(slots):
    slots.task("web1", "rollout_slot", {"msg": "the store is gone"}, IGNORED, args=WAIT)
    assert slots.told == ["12:00:00  web1  failed (1 of 4): the store is gone"]


def test_the_live_view(slots):
    whole_turn(slots, "web1")
    slots.task("web2", "rollout_slot", {"admitted": True, "reason": "1 of 1 host"}, args=WAIT)
    slots.begin("web3", "rollout_slot", WAIT)
    slots.begin("web2", "kexec_reboot")
    slots.now += 12
    assert slots.lines() == [
        "━━━━━───────────────  1 of 4 hosts done, 33 s, about 51 s left, until 12:01",
        "1 rebooted; left out: 1 current",
        "1 host waits for a slot: 1 of 1 host; 1 more to come",
        "  web2  rebooting           12 s of about 60 s",
        "  web1  rebooted            4.4 s down",
    ]
    text = "1 of 4 hosts done; 1 rebooted; in flight: web2 rebooting 12 s; 1 host waits for a slot; about 51 s left, "
    assert summary(slots.roll, slots.now, NOON) == Note("", text + "until 12:00")


def test_other_tasks_are_phases_by_their_name(slots):
    slots.task("web1", "rollout_slot", {"admitted": True}, args=WAIT)
    slots.begin("web1", "uri")
    assert slots.roll.in_flight["web1"].phase == "Task uri"
    slots.begin("web2", "uri")
    assert "web2" not in slots.roll.in_flight


@pytest.mark.parametrize("height", range(14))
@pytest.mark.parametrize("width", [1, 20, 80, 300])
def test_no_view_is_larger_than_the_terminal(play, width, height):
    from rich.cells import cell_len

    hosts = ["世界" * 150 + "%d" % number for number in range(1000)]
    play.task("web1", "rollout_plan", plan(hosts))
    play.of(WITH_SLOTS)
    for host in hosts[:9]:
        whole_turn(play, host, "failed", "x" * 300)
    for host in hosts[9:500]:
        play.task(host, "rollout_slot", {"admitted": True}, args=WAIT)
    lines = play.lines(width, height)
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    if height == 13:
        assert any("in flight"[: max(0, width - 16)] in line for line in lines)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web1", "web1"),
        ("höst世界 [bold]x[/]", "höst世界 [bold]x[/]"),
        ("a\x1b[31mb\x9b1mc", "a\\x1b[31mb\\x9b1mc"),
        ("a\r\n\tb", "a\\r b"),
        ("a\u202eb\u2028c", "a\\u202eb c"),
    ],
)
def test_what_would_steer_a_terminal_is_written_out(text, shown):
    assert plain(text) == shown
    assert log_line(Note(text, text), NOON) == "12:00:00  %s  %s" % (shown, shown)


def test_lines_stay_lines():
    assert plain_lines("a\n\tb\x1b[0m") == "a\n\tb\\x1b[0m"


def test_very_long_names_are_cut_and_messages_are_not():
    line = log_line(Note("n" * 300, "m" * 300), NOON)
    assert line == "12:00:00  %s…  %s" % ("n" * 59, "m" * 300)


def test_the_table_of_a_roll_that_was_cut_off(slots):
    whole_turn(slots, "web1")
    whole_turn(slots, "web2", "failed", "a \x1b reason", {"msg": "a reason"}, FAILED)
    slots.task("web3", "rollout_slot", {"admitted": True}, args=WAIT)
    lines = table(slots.roll, slots.now + 5, 100).splitlines()
    assert [line.split(maxsplit=1) for line in lines[2:5]] == [
        ["web3", "in flight: beginning for 5 s"],
        ["web2", "failed: a \\x1b reason"],
        ["web1", lines[4].split(maxsplit=1)[1]],
    ]
    assert lines[5:] == ["2 of 4 hosts done; 1 rebooted, 1 failed; 1 have not had their turn"]


def test_a_table_has_no_more_rows_than_somebody_reads(play):
    play.of([("kexec_reboot", {})])
    for number in range(1000):
        play.task("web%d" % number, "kexec_reboot", reboot())
    assert len(table(play.roll, 0.0, 100).splitlines()) == 2 + 50 + 2


def test_no_turns_no_table(play):
    assert table(play.roll, 0.0, 100) == ""


@pytest.mark.parametrize(
    ("tasks", "ours", "turns"),
    [
        ([("debug", {})], False, False),
        ([("debug", {}), ("kexec_info", {})], True, False),
        ([("include_role", {"name": "fleetops.kexec.fast_reboot"})], True, True),
        ([("include_role", {"name": "fleetops.kexec.fast_reboot", "tasks_from": "survey"})], False, False),
        ([("include_role", {"name": "nginx"})], False, False),
        ([("kexec_reboot", {})], True, True),
    ],
)
def test_a_play_is_known_by_its_actions(play, tasks, ours, turns):
    found = shape(play.step(action, args) for action, args in tasks)
    assert (found.is_ours, found.has_turns) == (ours, turns)
