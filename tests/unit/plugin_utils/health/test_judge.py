# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import (
    CommandCheck,
    Finding,
    PortCheck,
    Ran,
    UnitCheck,
    UrlCheck,
    WebAnswer,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.expression import read_expression
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.judge import (
    judge_failed_units,
    judge_host,
    judge_url,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import Services

GREEN = '{"status": "green"}'
IS_GREEN = read_expression("status == 'green'")


@pytest.mark.parametrize(
    ("options", "answer", "why"),
    [
        ({}, WebAnswer(200, "any"), ""),
        ({}, WebAnswer(503, "down"), "the status is 503, not 200"),
        ({"statuses": (200, 204)}, WebAnswer(302), "the status is 302, not 200 or 204"),
        ({}, WebAnswer(None, error="Connection refused"), "Connection refused"),
        ({}, WebAnswer(200, error="the answer is longer than 1 MiB"), "the answer is longer than 1 MiB"),
        ({"contains": "green"}, WebAnswer(200, GREEN), ""),
        ({"contains": "red"}, WebAnswer(200, GREEN), "the answer does not contain 'red'"),
        ({"expect": IS_GREEN}, WebAnswer(200, GREEN), ""),
        ({"expect": IS_GREEN}, WebAnswer(200, "{}"), "expect (status == 'green') gives False"),
        ({"expect": IS_GREEN}, WebAnswer(200, "<html>"), "the answer is no JSON: Expecting value: line 1 column 1"),
        ({"expect": IS_GREEN}, WebAnswer(200, "[" * 200000), "the answer is no JSON that can be read"),
        ({"expect": IS_GREEN, "contains": "x"}, WebAnswer(200, GREEN), "the answer does not contain 'x'"),
    ],
)
def test_an_answer_is_right_in_all_that_is_asked_of_it(options, answer, why):
    found = judge_url(UrlCheck("u", 5.0, "http://web1/", False, **options), answer)
    assert found.why.startswith(why)
    assert found.holds == (not why)
    assert found.answer == answer.body


def state(load="loaded", active="active", sub="running", result="success"):
    return Ran(0, "LoadState=%s\nActiveState=%s\nSubState=%s\nResult=%s" % (load, active, sub, result))


UNIT = UnitCheck("u", 5.0, "nginx")
COMMAND = CommandCheck("c", 5.0, ("true",), 3)
PORT = PortCheck("p", 5.0, 80, from_host=True)


@pytest.mark.parametrize(
    ("check", "ran", "found"),
    [
        (UNIT, state(), Finding(True, answer="active (running)")),
        (UNIT, state(active="reloading", sub="reload"), Finding(True, answer="reloading (reload)")),
        (
            UNIT,
            state(active="activating", sub="auto-restart", result="exit-code"),
            Finding(False, "it is activating (auto-restart)", "activating (auto-restart)"),
        ),
        (UNIT, state(active="inactive", sub="dead"), Finding(False, "it is inactive (dead)", "inactive (dead)")),
        (UNIT, state("loaded", "failed", "failed", "oom-kill"), Finding(False, "it has failed: oom-kill", "failed")),
        (
            UNIT,
            state(load="not-found", active="inactive", sub="dead"),
            Finding(False, "there is no such unit", "inactive (dead)"),
        ),
        (
            UNIT,
            Ran(127, "timeout: failed to run command 'systemctl'"),
            Finding(False, "systemd does not tell (return code 127)", "timeout: failed to run command 'systemctl'"),
        ),
        (COMMAND, Ran(3, "fine"), Finding(True, answer="fine")),
        (COMMAND, Ran(0, "x"), Finding(False, "it ended with 0, not 3", "x")),
        (COMMAND, Ran(124, ""), Finding(False, "it ended with 124, as what takes longer than 5 s does")),
        (PORT, Ran(0, ""), Finding(True)),
        (PORT, Ran(124, ""), Finding(False, "it did not accept within 5 s")),
        (PORT, Ran(1, "trace\nConnection refused"), Finding(False, "Connection refused")),
        (PORT, Ran(127, ""), Finding(False, "the connection failed")),
    ],
)
def test_what_the_host_says_is_judged(check, ran, found):
    assert judge_host(check, ran) == found


@pytest.mark.parametrize(
    ("services", "found"),
    [
        (Services((), True), Finding(True)),
        (Services(("old.service",), True), Finding(True, answer="old.service")),
        (
            Services(("old.service", "new.service"), False),
            Finding(False, "these have failed, and had not before: new.service", "old.service, new.service"),
        ),
        (Services((), False), Finding(False, "the boot has not come to its end")),
        (None, Finding(False, "systemd does not tell")),
    ],
)
def test_no_unit_may_have_failed_since(services, found):
    assert judge_failed_units(services, ["old.service"]) == found
