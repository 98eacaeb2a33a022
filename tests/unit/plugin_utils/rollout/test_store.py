# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
from pathlib import Path

import postgresql
import pytest
import sqlalchemy as sa
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import (
    Database,
    StoreError,
    default_store,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import Holder, holder_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.opening import Entry, look, open_rollout
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import OUTCOMES
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import Terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import Admit, Stop, Wait
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import policy_as_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import ABSENT, IDLE, PENDING, Candidate
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Ended, Store

ME = Holder("ctl1", 100, "1", "")
OTHER = Holder("ctl2", 200, "2", "")
GONE = holder_of(2**22 + 1)  # more than the kernel gives


def entries(standing=PENDING, names=("a", "b", "c"), outcome=None, domain="r1", host_class="x"):
    return [
        Entry(Candidate(name, domain, host_class), standing, outcome, "", "boot1", "6.1.0-55", "#1") for name in names
    ]


def opened(store, rollout="roll", hosts=None, launch=None, **policy):
    look(store, rollout, ["a"])
    text = policy_as_text({"canaries_per_class": 0, **policy})
    open_rollout(store, rollout, text, hosts or entries(), launch=launch)
    return store


def ask(store, host, holder=ME, rollout="roll"):
    return store.acquire(rollout, host, holder).answer


def test_a_slot_is_taken_waited_for_and_released(any_store):
    opened(any_store, max_unavailable=1)
    assert isinstance(ask(any_store, "a"), Admit)
    assert ask(any_store, "b").reason == "waiting: 1 of 1 host is down"
    assert any_store.release("roll", "a", ME, "rebooted")
    assert isinstance(ask(any_store, "b"), Admit)
    assert ask(any_store, "a") == Ended("rebooted", "")


def test_a_slot_is_reentrant_for_its_host_and_its_holder(any_store):
    opened(any_store, max_unavailable=2)
    assert isinstance(ask(any_store, "a"), Admit)
    assert ask(any_store, "a").reason == "its slot is taken up again"
    waiting = ask(any_store, "a", OTHER)
    assert "in the hands of ansible-playbook (process 100 on ctl1) in rollout roll since " in waiting.reason
    assert waiting.until is not None


def test_a_slot_whose_holder_is_known_to_be_gone_is_taken_up(any_store):
    opened(any_store)
    assert isinstance(ask(any_store, "a", GONE), Admit)
    assert ask(any_store, "a", ME).reason == "its slot is taken up again"
    with pytest.raises(StoreError, match=r"was taken up by ansible-playbook \(process 100 on ctl1\)"):
        any_store.release("roll", "a", GONE, "rebooted")


def test_a_slot_does_not_expire_but_counts_as_lost_and_can_be_taken_up(store, calendar):
    opened(store, max_unavailable=2, max_failures=1, deadline_seconds=100)
    ask(store, "a")
    calendar.turn(100)
    assert isinstance(ask(store, "b"), Admit), "one failure is allowed, and one more may be down"
    assert ask(store, "c").reason == "waiting: 2 of 2 hosts are down"
    calendar.turn(100)
    assert ask(store, "c").reason == "stopped: 2 failures, 1 allowed"
    assert ask(store, "a", OTHER).reason == "its slot is taken up again"
    assert store.release("roll", "a", OTHER, "rebooted")
    assert ask(store, "c").reason == "stopped: 2 failures, 1 allowed", "a stop stays, whatever comes back"


def test_a_stop_ends_when_somebody_starts_the_playbook_again(any_store):
    opened(any_store, max_unavailable=2)
    ask(any_store, "a")
    any_store.release("roll", "a", ME, "failed", "it broke")
    assert ask(any_store, "b").reason == "stopped: 1 failure, 0 allowed"
    assert ask(any_store, "a") == Ended("failed", "it broke")
    opened(any_store, max_unavailable=2)
    assert isinstance(ask(any_store, "a"), Admit)


def rolled_in_slices(store, launch, **policy):
    """Two slices of one launch are opened, and all that the first one has to do is done."""
    opened(store, launch=launch, hosts=entries(names=["a", "b"]), max_unavailable=4, **policy)
    opened(store, launch=launch, hosts=entries(names=["c", "d"]), max_unavailable=4, **policy)
    for host in "ab":
        ask(store, host)
        store.release("roll", host, ME, "rebooted")


FIRST = [{"canaries_per_class": 1}, {"stages": "1"}]


@pytest.mark.parametrize("limit", FIRST)
def test_what_one_slice_has_proven_the_others_need_not(any_store, limit):
    rolled_in_slices(any_store, "wf1", **limit)
    assert [type(ask(any_store, host)) for host in "cd"] == [Admit, Admit]


@pytest.mark.parametrize("limit", FIRST)
def test_what_was_proven_in_an_earlier_launch_is_proven_again(any_store, limit):
    rolled_in_slices(any_store, "wf1", **limit)
    opened(any_store, launch="wf2", hosts=entries(names=["c", "d"]), max_unavailable=4, **limit)
    assert [type(ask(any_store, host)) for host in "cd"] == [Admit, Wait]


@pytest.mark.parametrize("limit", FIRST)
def test_but_not_where_the_survey_of_this_launch_has_found_it_so(any_store, limit):
    rolled_in_slices(any_store, "wf1", **limit)
    opened(any_store, launch="wf2", hosts=entries(IDLE, ["a", "b"], "current"), max_unavailable=4, **limit)
    opened(any_store, launch="wf2", hosts=entries(names=["c", "d"]), max_unavailable=4, **limit)
    assert [type(ask(any_store, host)) for host in "cd"] == [Admit, Admit]
    assert ask(any_store, "a") == Ended("rebooted", "")


@pytest.mark.parametrize("limit", FIRST)
def test_a_slice_that_is_started_again_by_itself_begins_no_launch(any_store, limit):
    rolled_in_slices(any_store, "wf1", **limit)
    opened(any_store, hosts=entries(names=["c", "d"]), max_unavailable=4, **limit)
    opened(any_store, launch="wf1", hosts=entries(names=["c", "d"]), max_unavailable=4, **limit)
    assert [type(ask(any_store, host)) for host in "cd"] == [Admit, Admit]


def test_a_percentage_is_of_the_hosts_of_all_slices_that_have_begun(any_store):
    opened(any_store, launch="wf1", hosts=entries(names="abcd"), max_unavailable="25%")
    assert [type(ask(any_store, host)) for host in "ab"] == [Admit, Wait]
    opened(any_store, launch="wf1", hosts=entries(names="efgh"), max_unavailable="25%")
    assert [type(ask(any_store, host)) for host in "bef"] == [Admit, Wait, Wait]


def test_an_operators_stop_stays_until_it_is_taken_back(any_store):
    opened(any_store)
    any_store.stop("roll", "the database is being moved")
    opened(any_store)
    assert look(any_store, "roll", []).stopped == "stopped: the database is being moved"
    answer = ask(any_store, "a")
    assert isinstance(answer, Stop)
    assert answer.reason == "stopped: the database is being moved"
    any_store.resume("roll")
    assert isinstance(ask(any_store, "a"), Admit)


def test_a_hold_lets_hosts_wait_until_it_ends(any_store):
    opened(any_store)
    any_store.hold("roll", "lunch")
    assert ask(any_store, "a") == Wait("waiting: the roll is held: lunch")
    any_store.resume("roll")
    assert isinstance(ask(any_store, "a"), Admit)


def test_failures_that_were_seen_still_count_as_down(any_store):
    opened(any_store, max_unavailable=2)
    ask(any_store, "a")
    any_store.release("roll", "a", ME, "lost")
    assert isinstance(ask(any_store, "b"), Stop)
    any_store.resume("roll")
    assert isinstance(ask(any_store, "b"), Admit)
    assert ask(any_store, "c").reason == "waiting: 2 of 2 hosts are down"


def with_canary(name):
    return [entry._replace(is_canary=entry.candidate.name == name) for entry in entries()]


def test_the_planned_canary_goes_first_whoever_asks_first(any_store):
    opened(any_store, hosts=with_canary("b"), canaries_per_class=1, max_unavailable=3)
    assert ask(any_store, "a").reason == "waiting: b goes first of class x, as planned"
    assert isinstance(ask(any_store, "b"), Admit)
    assert ask(any_store, "a").reason == "waiting: 0 of 1 canaries of class x proven"
    any_store.release("roll", "b", ME, "rebooted")
    assert isinstance(ask(any_store, "a"), Admit)


def test_another_host_takes_the_place_of_a_canary_that_failed(any_store):
    opened(any_store, hosts=with_canary("b"), canaries_per_class=1, max_unavailable=3, max_failures=1)
    ask(any_store, "b")
    any_store.release("roll", "b", ME, "failed")
    assert isinstance(ask(any_store, "a"), Admit)


def test_another_host_takes_the_place_of_a_canary_that_never_asks(store, calendar):
    opened(store, hosts=with_canary("b"), canaries_per_class=1)
    assert isinstance(ask(store, "a"), Wait)
    calendar.turn(119)
    assert isinstance(ask(store, "a"), Wait)
    calendar.turn(1)
    assert isinstance(ask(store, "a"), Admit)


def test_a_run_knows_which_classes_are_proven(any_store):
    opened(any_store, hosts=with_canary("b"), canaries_per_class=1)
    ask(any_store, "b")
    any_store.release("roll", "b", ME, "rebooted")
    assert look(any_store, "roll", ["a", "b"]).added_to(Terms()).succeeded == {"b": "x"}
    assert look(any_store, "roll", ["a"]).succeeded == {}


IN_RACKS = {"canaries_per_class": 1, "failure_domain": "rack", "max_unavailable_per_domain": 1, "max_unavailable": 3}


def in_rack(name, domain, host_class="x", is_canary=False):
    return entries(names=(name,), domain=domain, host_class=host_class)[0]._replace(is_canary=is_canary)


def test_a_canary_that_waits_itself_is_waited_for(store, calendar):
    opened(store, hosts=[in_rack("a", "r2"), in_rack("b", "r1", is_canary=True), in_rack("c", "r1", "y")], **IN_RACKS)
    assert isinstance(ask(store, "c"), Admit)
    for _minute in range(10):
        assert ask(store, "b").reason == "waiting: 1 of 1 host of rack r1 are down"
        assert ask(store, "a").reason == "waiting: b goes first of class x, as planned"
        calendar.turn(60)
    store.release("roll", "c", ME, "rebooted")
    assert isinstance(ask(store, "b"), Admit)


def test_a_canary_whose_turn_does_not_come_is_not_waited_for(any_store):
    out = entries(ABSENT, names=("c",), outcome="unreachable")
    opened(any_store, hosts=[in_rack("a", "r2"), in_rack("b", "r1", is_canary=True), *out], **IN_RACKS)
    asked = any_store.acquire("roll", "a", ME)
    assert asked.answer.for_canary
    assert isinstance(ask(any_store, "b"), Stop)
    assert any_store.revision("roll") != asked.revision, "who waits looks again"
    assert isinstance(ask(any_store, "a"), Admit)


def test_the_canary_is_the_one_of_the_last_plan(any_store):
    for canary in ("b", "c"):
        opened(any_store, hosts=with_canary(canary), canaries_per_class=1)
    assert ask(any_store, "b").reason == "waiting: c goes first of class x, as planned"


@pytest.mark.parametrize("outcome", sorted({*OUTCOMES} - {"deferred"}))
def test_releasing_twice_is_releasing_once(store, outcome):
    opened(store)
    ask(store, "a")
    assert store.release("roll", "a", ME, outcome)
    assert not store.release("roll", "a", ME, outcome)
    with pytest.raises(StoreError, match="a holds no slot of rollout roll, so it cannot be released; acquire it first"):
        store.release("roll", "a", ME, "lost" if outcome != "lost" else "failed")


@pytest.mark.parametrize(
    ("outcome", "admitted"),
    [("rebooted", True), ("fell_back", True), ("refused", True), ("failed", False), ("rolled_back", False)],
)
def test_only_an_outcome_that_leaves_a_host_in_service_lets_the_next_one_go(store, outcome, admitted):
    opened(store)
    ask(store, "a")
    store.release("roll", "a", ME, outcome)
    assert isinstance(ask(store, "b"), Admit) == admitted


def test_a_host_that_was_left_untouched_may_be_asked_for_again(any_store):
    opened(any_store)
    ask(any_store, "a")
    assert any_store.release("roll", "a", ME, "deferred")
    assert not any_store.release("roll", "a", ME, "deferred")
    assert isinstance(ask(any_store, "b"), Admit)
    any_store.release("roll", "b", ME, "rebooted")
    assert isinstance(ask(any_store, "a"), Admit)


def test_a_host_is_in_flight_in_one_rollout_at_most(any_store):
    opened(any_store, "first")
    opened(any_store, "second")
    assert look(any_store, "second", ["a", "b"]).elsewhere == {"a": "first", "b": "first"}
    assert isinstance(ask(any_store, "a", ME, "first"), Admit)
    assert "in rollout first" in ask(any_store, "a", OTHER, "second").reason
    any_store.release("first", "a", ME, "rebooted")
    assert isinstance(ask(any_store, "a", OTHER, "second"), Admit)


def test_a_rollout_takes_over_what_another_lost(any_store):
    opened(any_store, "first")
    opened(any_store, "second")
    ask(any_store, "a", GONE, "first")
    assert isinstance(ask(any_store, "a", ME, "second"), Admit)
    assert ask(any_store, "a", OTHER, "first").reason == "taken up by rollout second"


def test_opening_again_goes_by_what_was_surveyed(any_store):
    hosts = "done failed flying pending mended".split()
    opened(any_store, hosts=entries(names=hosts), max_unavailable=9, max_failures=9)
    for host, outcome in (("done", "rebooted"), ("failed", "failed"), ("mended", "lost")):
        ask(any_store, host)
        any_store.release("roll", host, ME, outcome)
    ask(any_store, "flying")
    known = look(any_store, "roll", hosts)
    assert known.exists
    assert list(known.in_flight) == ["flying"]
    turn = known.in_flight["flying"]
    assert (turn.holder, turn.boot_id, turn.release, turn.build) == (ME, "boot1", "6.1.0-55", "#1")
    surveyed = [
        *entries(IDLE, ["done", "flying", "mended"], "current"),
        *entries(PENDING, ["failed", "new"]),
        *entries(ABSENT, ["pending"], "unreachable"),
    ]
    opened(any_store, hosts=surveyed, max_unavailable=9)
    with any_store.ledger() as ledger:
        assert ledger.standings("roll") == {
            "done": "succeeded",
            "failed": "pending",
            "flying": "in flight",
            "pending": "absent",
            "mended": "idle",
            "new": "pending",
        }
    assert isinstance(ask(any_store, "failed"), Admit)
    assert ask(any_store, "pending") == Ended("unreachable", "")


def test_what_a_host_takes_is_learned_where_a_window_wants_to_know(store, calendar):
    opened(store, windows="sat 02:00 1h", max_unavailable=3)
    for seconds, host in ((60, "a"), (90, "b")):
        ask(store, host)
        calendar.turn(seconds)
        store.release("roll", host, ME, "rebooted")
    calendar.turn(3600 - 150 - 91)
    assert isinstance(ask(store, "c"), Admit)
    store.release("roll", "c", ME, "deferred")
    calendar.turn(2)
    assert "a host takes 90 s; the next one opens Sat 2026-11-14 02:00 UTC" in ask(store, "c").reason


def test_a_soak_ends_with_time_alone(store, calendar):
    opened(store, stages="1", soak_seconds=60, max_unavailable=3)
    ask(store, "a")
    assert ask(store, "b").reason == "waiting: 0 of 1 host of stage 1 proven"
    store.release("roll", "a", ME, "rebooted")
    waiting = ask(store, "b")
    assert waiting.reason == "waiting: 0 of 1 host of stage 1 proven, 1 being watched for 60 s"
    assert (waiting.until - calendar()).total_seconds() == 60
    calendar.turn(60)
    assert isinstance(ask(store, "b"), Admit)
    assert isinstance(ask(store, "c"), Admit)


def test_a_look_waits_for_no_transaction(store):
    opened(store)
    reader = Store(Database(store.database.shown))
    with store.ledger() as ledger:
        ledger.change_rollout("roll")
        assert reader.revision("roll") == 1
    reader.database.close()


ODD = [
    "'; DROP TABLE fleetops_hosts; --",
    'a "quoted" name',
    "[bold]two\nlines[/]",
    "x" * 300,
    "nul\0",
    "\udcff",
    "é😀",
]


def test_odd_names_and_reasons_are_text(any_store):
    odd = [Entry(Candidate(name, name, name), PENDING, None, name, name[:50].replace("\0", "")) for name in ODD[:4]]
    odd += [Entry(Candidate(name, name, name), PENDING, None, name, None) for name in ODD[4:]]
    opened(any_store, ODD[1], hosts=odd, max_unavailable=9, max_failures=9)
    for name in ODD:
        assert isinstance(ask(any_store, name, rollout=ODD[1]), Admit)
    assert set(look(any_store, ODD[1], ODD).in_flight) == set(ODD)
    for name in ODD:
        any_store.release(ODD[1], name, ME, "failed", name * 3)
    assert ask(any_store, ODD[0], rollout=ODD[1]) == Ended("failed", ODD[0] * 3)


def test_a_long_reason_is_cut(store):
    opened(store)
    ask(store, "a")
    store.release("roll", "a", ME, "failed", "x" * 100_000)
    assert len(ask(store, "a").reason) == 4000


def test_every_change_gives_a_rollout_another_revision(any_store):
    opened(any_store)
    seen = [any_store.revision("roll")]
    assert any_store.revision("nothing") is None
    ask(any_store, "a")
    for change in (
        lambda: any_store.release("roll", "a", ME, "failed"),
        lambda: any_store.resume("roll"),
        lambda: any_store.hold("roll", ""),
        lambda: any_store.stop("roll", ""),
        lambda: opened(any_store),
    ):
        change()
        seen.append(any_store.revision("roll"))
    assert seen == sorted(set(seen))
    ask(any_store, "c")
    assert any_store.revision("roll") == seen[-1]


def test_its_file_and_those_beside_it_are_nobody_elses(store, tmp_path):
    mask = os.umask(0)
    try:
        opened(store)
        with store.ledger():
            files = list((tmp_path / "new").iterdir())
            assert len(files) == 4, "the database, its log, the log's index, and the queue for the lock"
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def broken(tmp_path, how):
    """A store about which something is wrong."""
    path = tmp_path / "store.db"
    if how == "missing":
        return path
    if how == "damaged":
        path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        return path
    store = opened(Store(Database(str(path))))
    if how == "newer":
        with store.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE fleetops_schema SET version = 9")
    if how == "with another policy":
        with store.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE fleetops_rollouts SET policy = 'of another version'")
    store.database.close()
    if how == "emptied":
        for name in ("store.db", "store.db-wal", "store.db-shm"):
            Path(tmp_path / name).unlink(missing_ok=True)
        sqlite3.connect(path).close()
        path.touch()
    return path


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ("missing", "there is no store "),
        ("damaged", "is damaged: file is not a database; move it away and run the playbook again"),
        ("newer", "the store has schema 9, and this version of the collection knows 3"),
        ("with another policy", "the policy of rollout roll cannot be read: "),
        ("emptied", "there is no rollout in the store "),
    ],
)
def test_a_store_with_which_something_is_wrong(tmp_path, how, complaint):
    database = Database(str(broken(tmp_path, how)))
    with pytest.raises(StoreError) as error:
        ask(Store(database), "a")
    database.close()
    assert complaint in str(error.value)
    assert not error.value.temporary


def out_of_reach(tmp_path):
    return "postgresql+psycopg://fleet@/postgres?host=%s" % tmp_path


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        (lambda folder: broken(folder, "damaged"), "is damaged: file is not a database"),
        (lambda folder: broken(folder, "newer"), "the store has schema 9, and this version of the collection knows 3"),
        (lambda _folder: Path("/proc/store.db"), "the store /proc/store.db cannot be made: "),
        (lambda folder: folder, "cannot be made: Is a directory; let this user write there, or name another store"),
        (out_of_reach, "is out of reach"),
    ],
    ids=["damaged", "newer", "unwritable", "a folder", "out of reach"],
)
def test_a_roll_does_not_begin_with_such_a_store(tmp_path, where, complaint):
    database = Database(str(where(tmp_path)))
    with pytest.raises(StoreError) as error:
        look(Store(database), "roll", ["a"])
    database.close()
    assert complaint in str(error.value)


@pytest.fixture
def full_disk(tmp_path):
    """Fills a small disk of its own up to so many free bytes, and empties it again."""
    folder, filler = tmp_path / "disk", tmp_path / "disk" / "filler"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no disk can be mounted here: %s" % mounted.stderr)

    def fill(is_full):
        if not is_full:
            filler.unlink()
            return
        with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(b"x" * 4096)

    yield folder, fill
    subprocess.run(["umount", str(folder)], check=True)


def test_a_roll_does_not_begin_on_a_full_disk(full_disk):
    folder, fill = full_disk
    fill(True)
    database = Database(str(folder / "store.db"))
    with pytest.raises(StoreError, match=r"is full: .*; make room on its disk"):
        look(Store(database), "roll", ["a"])
    database.close()


def test_a_roll_goes_on_when_there_is_room_again(full_disk):
    folder, fill = full_disk
    names = ["host%d" % number for number in range(200)]
    store = opened(Store(Database(str(folder / "store.db"))), hosts=entries(names=names), max_unavailable=300)
    fill(True)
    went = []
    with pytest.raises(StoreError, match=r"is full: .*; make room on its disk") as error:
        went += (name for name in names if isinstance(ask(store, name), Admit))
    assert error.value.temporary
    fill(False)
    assert list(look(store, "roll", names).in_flight) == went, "who was told nothing holds no slot"
    assert isinstance(ask(store, names[len(went)]), Admit)
    store.database.close()


def test_a_store_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made: File exists"):
        look(Store(Database(str(tmp_path / "file" / "store.db"))), "roll", [])


def test_a_store_that_is_full(store):
    opened(store)
    with store.database.single() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql("PRAGMA max_page_count = %d" % pages)
    with pytest.raises(StoreError, match="is full: database or disk is full; make room") as error:
        open_rollout(store, "roll", "{}", entries(names=["x" * 300 + str(number) for number in range(500)]))
    assert error.value.temporary


def test_a_store_that_may_not_be_written(tmp_path, monkeypatch):
    path = tmp_path / "store.db"
    opened(Store(Database(str(path)))).database.close()
    database = Database("sqlite:///" + str(path))
    with database.single() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(
        StoreError, match="cannot be written: attempt to write a readonly database; let this user write it"
    ):
        ask(Store(database), "a")
    database.close()


def test_a_server_that_is_out_of_reach(tmp_path):
    store = Store(Database("postgresql+psycopg://fleet:s3cret@/postgres?host=%s" % tmp_path))
    with pytest.raises(StoreError, match="is out of reach") as error:
        look(store, "roll", [])
    assert error.value.temporary
    assert "s3cret" not in str(error.value)


def test_no_error_shows_the_password(postgresql_server):
    for url in (postgresql_server.url().replace("fleet:", "nobody:"), postgresql_server.url().replace("%25", "%24")):
        with pytest.raises(StoreError, match="password authentication failed") as error:
            look(Store(Database(url)), "roll", [])
        said = str(error.value)
        assert "***" in said
        assert postgresql.PASSWORD[:-1] not in said
        assert "p%40ss" not in said


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("postgresql+psycopg://u:s3cret@host:port/db", "the store's URL cannot be read"),
        ("mysql://u:s3cret@host/db", "the store's URL begins with mysql://"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_url_that_is_none_of_a_store(url, complaint):
    with pytest.raises(StoreError) as error:
        Database(url)
    assert complaint in str(error.value)
    assert "s3cret" not in str(error.value)
    assert error.value.__cause__ is None


def test_where_the_store_is(monkeypatch):
    monkeypatch.delenv("FLEETOPS_KEXEC_STORE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_store() == "/state/fleetops-kexec/rollouts.db"
    monkeypatch.setenv("FLEETOPS_KEXEC_STORE", "postgresql://db/fleet")
    assert default_store() == "postgresql://db/fleet"


def test_what_a_rollout_does_not_know(store):
    opened(store)
    with pytest.raises(StoreError, match="z is not in rollout roll"):
        ask(store, "z")
    with pytest.raises(StoreError, match="has no rollout none; rollout_plan opens one"):
        ask(store, "a", rollout="none")


def test_hosts_of_a_batch_that_cannot_all_be_down(any_store):
    opened(any_store, max_unavailable=2)
    assert any_store.crowd("roll", ["a", "b"]) is None
    assert any_store.crowd("roll", ["a", "b", "c"]).reason == "waiting: 2 of 2 hosts are down"
    ask(any_store, "c", OTHER)
    assert any_store.crowd("roll", ["a", "b"]) is None, "what others hold they release"
    assert any_store.crowd("roll", ["a", "b", "c"]) is not None


def trips(store, log, ask):
    """How often that waits for the server: it says so when it has answered all that was sent before."""
    with store.database.single() as connection:
        driver = connection.connection.driver_connection
    with log.open("w") as trace:
        driver.pgconn.trace(trace.fileno())
        ask()
        driver.pgconn.untrace()
    return log.read_text().count("ReadyForQuery")


def test_a_decision_takes_two_trips_to_the_server_and_giving_back_one(postgresql_server, tmp_path):
    store = opened(Store(Database(postgresql_server.url())), rollout="trips")
    assert isinstance(ask(store, "a", rollout="trips"), Admit)
    assert trips(store, tmp_path / "log", lambda: store.release("trips", "a", ME, "rebooted")) == 1
    assert trips(store, tmp_path / "log", lambda: ask(store, "b", rollout="trips")) == 2
    store.release("trips", "b", ME, "rebooted")
    store.database.close()


def test_a_slot_is_in_the_servers_log_before_a_host_hears_of_it(postgresql_server):
    store = opened(Store(Database(postgresql_server.url())), rollout="log")
    is_written = sa.select(sa.literal_column("pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()"))
    assert isinstance(ask(store, "a", rollout="log"), Admit)
    with store.database.single() as connection:
        assert connection.scalar(is_written)
    store.release("log", "a", ME, "rebooted")
    store.database.close()


def test_what_is_asked_apart_is_in_the_transaction_too(postgresql_server):
    store = opened(Store(Database(postgresql_server.url())), rollout="apart")
    with contextlib.suppress(RuntimeError), store.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM fleetops_rollouts WHERE name = 'apart'")
        raise RuntimeError
    assert isinstance(ask(store, "a", rollout="apart"), Admit)
    store.release("apart", "a", ME, "rebooted")
    store.database.close()


def test_a_server_that_comes_back(postgresql_server):
    store = Store(Database(postgresql_server.url()))
    opened(store, "lasting")
    assert isinstance(ask(store, "a", rollout="lasting"), Admit)
    postgresql_server.stop()
    try:
        for _time in range(2):
            with pytest.raises(StoreError) as error:
                ask(store, "b", rollout="lasting")
            assert error.value.temporary
    finally:
        postgresql_server.start()
    assert ask(store, "b", rollout="lasting").reason == "waiting: 1 of 1 host is down"
    store.database.close()
