# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.as_json import json_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.markdown import code, markdown_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.page import page_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.statistics import statistics
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.words import length, verdict
from sample_rolls import sample_report

SCHEMA = json.loads((Path(__file__).parents[4] / "docs/report.schema.json").read_text())

REPORTS = {
    "well": sample_report(5),
    "troubled": sample_report(60, {11: "lost", 23: "unhealthy", 31: "unstaged"}, 5, 20),
    "one": sample_report(1, max_unavailable=1),
    "untouched": sample_report(4, untouched=4),
    "empty": sample_report(0),
    "stopped": replace(sample_report(4, untouched=4), stopped="db1 could not be surveyed"),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_file_for_programs_keeps_to_its_schema(report):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json_text(report)))


def test_the_schema_describes_every_key():
    """So that one that is added is not forgotten there."""
    written = json.loads(json_text(REPORTS["troubled"]))
    assert set(SCHEMA["properties"]) == set(written)
    assert set(SCHEMA["properties"]["summary"]["properties"]) == set(written["summary"])
    assert set(SCHEMA["$defs"]["host"]["properties"]) == set(written["hosts"][0])


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_every_report_is_a_page_and_a_ticket(report):
    assert page_text(report).count('<tr role="row" data-outcome=') == len(report.hosts)
    assert markdown_text(report).startswith("## November kernel window")


def test_a_page_depends_on_nothing_but_its_report():
    assert page_text(REPORTS["troubled"]) == page_text(REPORTS["troubled"])


HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}</style>--><img src=x onerror=alert(2)>"


def test_hostile_text_is_text_on_the_page():
    report = REPORTS["well"]
    texts = ("name", "reason", "last_words", "domain", "kernel_before", "kernel_after")
    hosts = tuple(
        replace(host, outcome="failed", is_good=False, warnings=(HOSTILE,), **dict.fromkeys(texts, HOSTILE + host.name))
        for host in report.hosts
    )
    page = page_text(replace(report, title=HOSTILE, hosts=hosts))
    assert page.count("<script") == page.count("</script>") == 1
    assert page.count("</style>") == 1
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page


def test_hostile_text_is_code_in_a_ticket():
    assert code("a|b") == "`a\\|b`"
    assert code("`x`") == "`` `x` ``"
    assert code("@all <b>") == "`@all <b>`"
    host = replace(REPORTS["well"].hosts[0], name="a`|@b", outcome="failed", is_good=False, reason="x\\")
    text = markdown_text(replace(REPORTS["well"], title="# @all", hosts=(host,)))
    assert text.startswith("## \\# \\@all\n")
    assert "| ``a`\\|@b`` | failed | `x\\` |" in text


def test_a_ticket_stays_short():
    report = REPORTS["well"]
    hosts = tuple(
        replace(report.hosts[0], name="h%d" % n, outcome="failed", is_good=False, reason="%d " % n + "x" * 5000)
        for n in range(500)
    )
    assert len(markdown_text(replace(report, hosts=hosts))) < 20000


def test_the_numbers_for_awx():
    found = statistics(REPORTS["troubled"])["rollout_report"]
    assert found["outcomes"] == REPORTS["troubled"].counts
    assert found["verdict"] == "Of 60 hosts, 3 need somebody to look at them and 20 were left untouched."
    assert len(found["look_at"]) == 23


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("well", "5 hosts, and nothing to look at."),
        ("one", "1 host, and nothing to look at."),
        ("untouched", "Of 4 hosts, 4 were left untouched."),
        ("stopped", "Nothing was rebooted: db1 could not be surveyed."),
    ],
)
def test_the_verdict(report, said):
    assert verdict(REPORTS[report]) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (19.44, "19.4 s"),
        (99.99, "1 min 40 s"),
        (252, "4 min 12 s"),
        (3599.6, "1 h 0 min"),
        (4440, "1 h 14 min"),
        (270000, "3 d 3 h"),
    ],
)
def test_lengths_of_time(seconds, said):
    assert length(seconds) == said
