# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import (
    PolicyError,
    read_limit,
    read_limits,
    read_seconds,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import (
    policy_as_text,
    policy_from_text,
    read_policy,
)


@pytest.mark.parametrize(
    ("value", "total", "hosts"),
    [
        (3, 10, 3),
        ("3", 10, 3),
        (" 3 ", 10, 3),
        (30, 10, 30),
        ("10%", 100, 10),
        ("10 %", 109, 10),
        ("0%", 3, 1),
        ("33%", 3, 1),
        ("33.5%", 200, 67),
        ("100%", 7, 7),
        ("7%", 100, 7),
    ],
)
def test_a_limit_is_a_number_or_a_part_that_is_rounded_down_but_never_to_none(value, total, hosts):
    assert read_limit("max_unavailable", value).of(total) == hosts


def test_a_part_of_failures_may_be_none():
    assert read_limit("max_failures", "1%", least=0).of(50, least=0) == 0


@pytest.mark.parametrize(
    ("value", "total", "said"),
    [("0%", 3, "0% of 3 is less than one host; one is taken"), ("33%", 3, "33% of 3"), ("34%", 3, None), (1, 3, None)],
)
def test_it_is_said_where_one_host_is_taken_for_less_than_one(value, total, said):
    raised = read_limit("max_unavailable", value).raised(total)
    assert raised is None if said is None else said in raised


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (0, "max_unavailable is 0; it must be at least 1"),
        ("0", "must be at least 1"),
        (-1, "max_unavailable is -1; it must be at least 1"),
        ("banana", "max_unavailable is 'banana'; it must be a number of hosts such as 3, or a percentage such as 10%"),
        (1.5, "must be a number of hosts"),
        (True, "must be a number of hosts"),
        ("101%", "a percentage is at most 100%"),
        ("-5%", "must be a number of hosts"),
        ("5%%", "must be a number of hosts"),
        ([2], "must be a number of hosts"),
        ("9" * 400, "must be a number of hosts"),
    ],
)
def test_what_is_no_limit_is_refused(value, complaint):
    with pytest.raises(PolicyError) as error:
        read_policy({"max_unavailable": value})
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("1,5%,25%", ["1", "5%", "25%"]),
        ([1, "5%"], ["1", "5%"]),
        (4, ["4"]),
        ("10, 5%", ["10", "5%"]),
        ("2,2", ["2", "2"]),
    ],
)
def test_stages_are_a_list_or_text_with_commas(value, texts):
    assert [stage.text for stage in read_limits("stages", value)] == texts


@pytest.mark.parametrize("value", ["5,1", "25%,5%", [10, 2]])
def test_stages_do_not_shrink(value):
    with pytest.raises(PolicyError, match="stages shrink: "):
        read_policy({"stages": value})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(90, 90), ("90", 90), (1.5, 1.5), ("90s", 90), ("30m", 1800), ("4h", 14400), ("1d", 86400), ("04:30", 16200)],
)
def test_lengths_of_time(value, seconds):
    assert read_seconds("soak_seconds", value) == seconds


@pytest.mark.parametrize("value", ["soon", "4 weeks", "-1", True, "1:99", "1e9", "nan"])
def test_what_is_no_length_of_time_is_refused(value):
    with pytest.raises(PolicyError, match="soak_seconds is "):
        read_policy({"soak_seconds": value})


def test_what_is_blank_is_not_given():
    blank = read_policy({"max_unavailable": "", "stages": [], "windows": " ", "max_domains": None})
    assert (blank.max_unavailable.of(10), blank.stages, bool(blank.windows)) == (1, (), False)


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"max_domains": 2}, "max_domains is given and failure_domain is not"),
        ({"max_unavailable_per_domain": 2}, "max_unavailable_per_domain is given and failure_domain is not"),
        ({"canaries_per_class": "5%"}, "must be a number, not a percentage"),
        ({"canaries_per_class": -1}, "must be at least 0"),
        ({"deadline_seconds": 0}, "must be at least 1 seconds"),
        ({"expected_host_seconds": 0}, "must be at least 1 seconds"),
    ],
)
def test_inputs_that_make_no_sense_are_refused(inputs, complaint):
    with pytest.raises(PolicyError) as error:
        read_policy(inputs)
    assert complaint in str(error.value)


def test_a_policy_survives_the_way_through_the_store():
    inputs = {
        "max_unavailable": "10%",
        "stages": [1, "5%"],
        "failure_domain": "rack",
        "max_domains": 2,
        "soak_seconds": "5m",
        "windows": [{"days": "sat,sun", "start": "02:00", "length": "4h", "timezone": "Europe/Berlin"}],
        "blackouts": ["2026-12-24"],
    }
    text = policy_as_text(inputs)
    again = policy_from_text(text)
    first = read_policy(inputs)
    assert policy_as_text({**inputs, "max_failures": ""}) == text
    assert (again.stages, again.max_domains, again.soak_seconds) == (first.stages, first.max_domains, 300)
    assert bool(again.windows)
