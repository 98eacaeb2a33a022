# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import PolicyError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.window_input import read_windows

WEEKEND = "sat,sun 02:00 4h Europe/Berlin"
AWX = "DTSTART;TZID=Europe/Berlin:20261101T020000 RRULE:FREQ=WEEKLY;BYDAY=SU"


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def opening_at(windows, moment, blackouts=None, zone="UTC"):
    """The opening at or after a moment, as text in UTC."""
    opening = read_windows(windows, blackouts, zone).opening_at(utc(moment))
    return (
        None
        if opening is None
        else "%s %s"
        % (
            opening.opens.strftime("%m-%dT%H:%M"),
            opening.closes.strftime("%m-%dT%H:%M"),
        )
    )


@pytest.mark.parametrize(
    ("windows", "moment", "opening"),
    [
        # A Wednesday; Berlin is one hour ahead of UTC in winter.
        (WEEKEND, "2026-11-04T12:00", "11-07T01:00 11-07T05:00"),
        (WEEKEND, "2026-11-07T01:00", "11-07T01:00 11-07T05:00"),
        (WEEKEND, "2026-11-07T04:59", "11-07T01:00 11-07T05:00"),
        (WEEKEND, "2026-11-07T05:00", "11-08T01:00 11-08T05:00"),
        ("mon-fri 22:00 8h", "2026-11-07T12:00", "11-09T22:00 11-10T06:00"),
        ("fri-mon 22:00 1h", "2026-11-08T12:00", "11-08T22:00 11-08T23:00"),
        ("daily 00:30 30m America/New_York", "2026-11-04T12:00", "11-05T05:30 11-05T06:00"),
        ({"days": ["sat"], "start": "02:00", "length": 3600}, "2026-11-04T12:00", "11-07T02:00 11-07T03:00"),
        ({"days": "sat", "start": 750, "length": "1h"}, "2026-11-04T12:00", "11-07T12:30 11-07T13:30"),
        (AWX + " DURATION:PT4H", "2026-11-04T12:00", "11-08T01:00 11-08T05:00"),
        ({"rrule": AWX, "length": "4h"}, "2026-11-04T12:00", "11-08T01:00 11-08T05:00"),
        ({"rrule": AWX.replace(" ", "\n"), "length": "04:00"}, "2026-11-04T12:00", "11-08T01:00 11-08T05:00"),
        # Before it begins; every other week; the third Thursday of a month; an end; so many times.
        ({"rrule": AWX, "length": "4h"}, "2026-01-01T12:00", "11-01T01:00 11-01T05:00"),
        ({"rrule": AWX + ";INTERVAL=2", "length": "4h"}, "2026-11-04T12:00", "11-15T01:00 11-15T05:00"),
        (
            "DTSTART:20200101T030000Z RRULE:FREQ=MONTHLY;BYDAY=3TH DURATION:PT1H",
            "2026-11-04T12:00",
            "11-19T03:00 11-19T04:00",
        ),
        (
            "DTSTART:20200101T030000Z RRULE:FREQ=DAILY;UNTIL=20261105T030000Z DURATION:PT1H",
            "2026-11-04T12:00",
            "11-05T03:00 11-05T04:00",
        ),
        ("DTSTART:20200101T030000Z RRULE:FREQ=DAILY;UNTIL=20261104T030000Z DURATION:PT1H", "2026-11-04T12:00", None),
        (
            "DTSTART:20261101T030000Z RRULE:FREQ=DAILY;COUNT=5 DURATION:PT1H",
            "2026-11-04T12:00",
            "11-05T03:00 11-05T04:00",
        ),
        ("DTSTART:20261101T030000Z RRULE:FREQ=DAILY;COUNT=3 DURATION:PT1H", "2026-11-04T12:00", None),
        # On no day of a February is it the 31st; the last Friday of a month, by position.
        (
            "DTSTART:20260131T030000Z RRULE:FREQ=DAILY;BYMONTH=2 DURATION:PT1H",
            "2026-11-06T12:00",
            "02-01T03:00 02-01T04:00",
        ),
        (
            "DTSTART:20260131T030000Z RRULE:FREQ=WEEKLY;BYMONTH=2 DURATION:PT1H",
            "2026-11-06T12:00",
            "02-06T03:00 02-06T04:00",
        ),
        (
            "DTSTART:20260131T030000Z RRULE:FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1 DURATION:PT1H",
            "2026-11-06T12:00",
            "11-27T03:00 11-27T04:00",
        ),
        # All days but the weekend's, with a rule that takes away.
        (
            "DTSTART:20261101T030000Z RRULE:FREQ=DAILY EXRULE:FREQ=WEEKLY;BYDAY=SA,SU DURATION:PT1H",
            "2026-11-06T12:00",
            "11-09T03:00 11-09T04:00",
        ),
        # Several windows: the next of any; those that overlap or touch are one.
        ([WEEKEND, "wed 13:00 1h"], "2026-11-04T12:00", "11-04T13:00 11-04T14:00"),
        ("wed 13:00 1h\nwed 14:00 1h", "2026-11-04T12:00", "11-04T13:00 11-04T15:00"),
        (["wed 13:00 3h", "wed 14:00 1h"], "2026-11-04T12:00", "11-04T13:00 11-04T16:00"),
    ],
)
def test_windows(windows, moment, opening):
    assert opening_at(windows, moment) == opening


@pytest.mark.parametrize(
    ("blackouts", "opening"),
    [
        ("2026-11-07", "11-08T01:00 11-08T05:00"),
        ("2026-11-07..2026-11-08", "11-14T01:00 11-14T05:00"),
        ("2026-11-07T03:00..2026-11-07T04:00", "11-07T01:00 11-07T02:00"),
        ("2026-11-07T00:00..2026-11-07T04:00", "11-07T03:00 11-07T05:00"),
        ([{"from": "2026-11-07T01:30", "until": "2026-11-07T02:00", "timezone": "UTC"}], "11-07T01:00 11-07T01:30"),
        (["2026-11-07", "2026-11-08"], "11-14T01:00 11-14T05:00"),
        ("2026-11-07\n2026-11-08", "11-14T01:00 11-14T05:00"),
    ],
)
def test_blackouts(blackouts, opening):
    assert opening_at(WEEKEND, "2026-11-04T12:00", blackouts, "Europe/Berlin") == opening


def test_a_blackout_alone_leaves_the_rest_open():
    windows = read_windows(None, "2026-11-07", "UTC")
    assert windows.now_open(utc("2026-11-06T12:00")).closes == utc("2026-11-07T00:00")
    assert windows.now_open(utc("2026-11-07T12:00")) is None
    assert windows.earliest(utc("2026-11-06T23:00"), 7200) == utc("2026-11-08T00:00")


# The clocks of Berlin go forward on 28 March 2027 at 02:00 and back on 31 October 2027 at 03:00; those of New York go
# forward on 14 March 2027 at 02:00 and back on 7 November 2027 at 02:00.
@pytest.mark.parametrize(
    ("window", "moment", "opening", "note"),
    [
        # The day before, across the change in either direction: it lasts four hours of elapsed time.
        ("sat 23:00 4h Europe/Berlin", "2027-03-27T12:00", "03-27T22:00 03-28T02:00", ""),
        ("sat 23:00 4h Europe/Berlin", "2027-10-30T12:00", "10-30T21:00 10-31T01:00", ""),
        # The same wall time before and after, at another distance to UTC.
        ("sun 04:00 1h Europe/Berlin", "2027-03-21T00:00", "03-21T03:00 03-21T04:00", ""),
        ("sun 04:00 1h Europe/Berlin", "2027-03-28T00:00", "03-28T02:00 03-28T03:00", ""),
        ("sun 04:00 1h Europe/Berlin", "2027-10-24T00:00", "10-24T02:00 10-24T03:00", ""),
        ("sun 04:00 1h Europe/Berlin", "2027-10-31T00:00", "10-31T03:00 10-31T04:00", ""),
        # A time that does not exist, and one that comes twice.
        (
            "sun 02:30 1h Europe/Berlin",
            "2027-03-28T00:00",
            "03-28T01:30 03-28T02:30",
            "does not exist in Europe/Berlin",
        ),
        ("sun 02:30 1h Europe/Berlin", "2027-10-31T00:00", "10-31T00:30 10-31T01:30", "comes twice in Europe/Berlin"),
        ("sun 02:30 1h America/New_York", "2027-03-14T00:00", "03-14T07:30 03-14T08:30", "opens at 03:30 EDT"),
        ("sun 01:30 1h America/New_York", "2027-11-07T00:00", "11-07T05:30 11-07T06:30", "the first time, in EDT"),
    ],
)
def test_when_the_clocks_are_changed(window, moment, opening, note):
    assert opening_at(window, moment) == opening
    assert note in read_windows(window, None, "UTC").opening_at(utc(moment)).note
    days, start, length, zone = window.split()
    rule = "DTSTART;TZID=%s:20270101T%s00 RRULE:FREQ=WEEKLY;BYDAY=%s DURATION:PT%s" % (
        zone,
        start.replace(":", ""),
        days[:2].upper(),
        length.upper(),
    )
    assert opening_at(rule, moment) == opening


@pytest.mark.parametrize(
    ("blackout", "moment", "seconds"),
    [("2027-03-28", "2027-03-28T00:00", 23 * 3600), ("2027-10-31", "2027-10-31T00:00", 25 * 3600)],
)
def test_a_blackout_day_is_as_long_as_the_day(blackout, moment, seconds):
    windows = read_windows(None, blackout, "Europe/Berlin")
    start = utc(moment) - timedelta(days=1)
    closes = windows.now_open(start).closes
    assert (windows.earliest(closes, 60) - closes).total_seconds() == seconds


@pytest.mark.parametrize(
    ("moment", "seconds", "start"),
    [
        ("2026-11-07T01:30", 600, "2026-11-07T01:30"),
        ("2026-11-07T04:50", 600, "2026-11-07T04:50"),
        ("2026-11-07T04:51", 600, "2026-11-08T01:00"),
        ("2026-11-07T00:00", 4 * 3600, "2026-11-07T01:00"),
        ("2026-11-07T00:00", 4 * 3600 + 1, None),
    ],
)
def test_a_host_has_to_be_back_before_the_window_closes(moment, seconds, start):
    found = read_windows(WEEKEND, None, "UTC").earliest(utc(moment), seconds)
    assert found == (None if start is None else utc(start))


@pytest.mark.parametrize(
    ("windows", "complaint"),
    [
        ("sat 02:00 4h Europe/Berln", "the time zone 'Europe/Berln' is not known"),
        ("sat 02:00 4h ../../etc/passwd", "is not known"),
        ("sat 02:00 0h", "a window's length is 0h; it must be more than 0"),
        ("sat 02:00 32d", "at most 31 days"),
        ("sat 25:00 1h", "a window's start is '25:00'"),
        ("caturday 02:00 1h", "a window's day is 'caturday'"),
        (", 02:00 1h", "a window has no days"),
        ("whenever", "the window 'whenever' is not understood"),
        ({"days": "sat", "start": "02:00"}, "must have days, start, length and timezone"),
        ({"days": "sat", "start": "02:00", "length": 60, "zone": "UTC"}, "a window has the keys"),
        (AWX, "has no length"),
        (AWX + " DURATION:PT0S", "must be more than 0"),
        (AWX + " DURATION:4h", "DURATION is '4H'"),
        (AWX + " RDATE:20261101T020000 DURATION:PT4H", "'RDATE:20261101T020000' in the window"),
        ("RRULE:FREQ=DAILY DURATION:PT4H", "lacks DTSTART"),
        ("DTSTART:20261301T020000 RRULE:FREQ=DAILY DURATION:PT4H", "DTSTART is '20261301T020000'"),
        ("DTSTART:19600101T020000 RRULE:FREQ=DAILY DURATION:PT4H", "begins before 1970"),
        ("DTSTART;TZID=Nowhere:20261101T020000 RRULE:FREQ=DAILY DURATION:PT4H", "time zone 'Nowhere'"),
        ("DTSTART:20261101T020000 RRULE:FREQ=MINUTELY DURATION:PT4H", "has FREQ=MINUTELY; it must be one of HOURLY"),
        ("DTSTART:20261101T020000 RRULE:FREQ=DAILY;BYSECOND=1 DURATION:PT4H", "'BYSECOND=1' is not understood"),
        ("DTSTART:20261101T020000 RRULE:FREQ=DAILY;INTERVAL=0 DURATION:PT4H", "INTERVAL=0; it must be a whole number"),
        ("DTSTART:20261101T020000 RRULE:FREQ=DAILY;BYDAY=XX DURATION:PT4H", "cannot be read: "),
        ("DTSTART:20261101T020000 RRULE:FREQ=DAILY;COUNT=1;UNTIL=20261109 DURATION:PT4H", "both COUNT and UNTIL"),
        # These never happen: the 30th of February; an end before the beginning; the fifth hour of every second one.
        ("DTSTART:20261101T020000 RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30 DURATION:PT4H", "never happens"),
        ("DTSTART:20261101T020000 RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30 DURATION:PT4H", "never happens"),
        ("DTSTART:20261101T020000 RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30 DURATION:PT4H", "never happens"),
        ("DTSTART:20261101T020000 RRULE:FREQ=DAILY;UNTIL=20251101 DURATION:PT4H", "never happens"),
        ("DTSTART:20261101T020000 RRULE:FREQ=HOURLY;INTERVAL=2;BYHOUR=5 DURATION:PT4H", ""),
    ],
)
def test_what_is_no_window_is_refused(windows, complaint):
    with pytest.raises(PolicyError) as error:
        read_windows(windows, None, "UTC")
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    "blackout",
    ["christmas", "2026-13-01", "2026-12-24..2026-12-20", "9999-12-31", {"from": "2026-12-24"}, {"on": "2026-12-24"}],
)
def test_what_is_no_blackout_is_refused(blackout):
    with pytest.raises(PolicyError, match="blackout"):
        read_windows(None, blackout, "UTC")


@pytest.mark.parametrize(
    "rule",
    [
        "DTSTART:19700101T000000Z RRULE:FREQ=HOURLY DURATION:PT30M",
        "DTSTART:19700101T000000Z RRULE:FREQ=DAILY;BYHOUR=%s DURATION:PT30M" % ",".join(map(str, range(24))),
        "DTSTART:19700101T000000Z RRULE:FREQ=DAILY;COUNT=99999 DURATION:PT30M",
        "DTSTART:19700101T000000Z RRULE:FREQ=DAILY;INTERVAL=99999 DURATION:PT30M",
        "DTSTART:20200229T000000Z RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU DURATION:PT30M",
    ],
)
def test_a_huge_rule_is_answered_in_time(rule):
    start = time.process_time()
    read_windows(rule, None, "UTC").earliest(utc("2026-11-04T12:10"), 3600)
    assert time.process_time() - start < 2


def test_a_rule_with_too_many_openings_is_refused():
    every_minute = "DTSTART:20260101T000000Z RRULE:FREQ=DAILY;BYHOUR=%s;BYMINUTE=%s DURATION:PT30M" % (
        ",".join(map(str, range(24))),
        ",".join(map(str, range(60))),
    )
    with pytest.raises(PolicyError, match="happens more than 10000 times"):
        read_windows(every_minute, None, "UTC").earliest(utc("2026-11-04T12:10"), 3600)


def test_a_window_that_never_closes_is_open_for_as_long_as_anybody_looks():
    windows = read_windows("mon 00:00 7d", None, "UTC")
    now = utc("2026-11-04T12:00")
    assert windows.earliest(now, 30 * 86400) == now
