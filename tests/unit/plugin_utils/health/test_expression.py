# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.expression import BadExpression, read_expression

ANSWER = {"status": "green", "data": {"alerts": []}, "nodes": [{"up": True}, {"up": False}]}


@pytest.mark.parametrize(
    "text",
    [
        "status == 'green'",
        "length(data.alerts) == `0`",
        "data.alerts == `[]` && status != 'red'",
        "nodes[0].up",
        "length(nodes[?up]) >= `1`",
        "contains(not_null(missing, status), 'ree')",
        "length(map(&up, nodes)) == `2` && starts_with(status, 'g')",
    ],
)
def test_what_is_true_holds(text):
    assert read_expression(text).against(ANSWER) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("status == 'red'", "expect (status == 'red') gives False"),
        ("status", "expect (status) gives 'green'"),
        ("length(nodes)", "expect (length(nodes)) gives 2"),
        ("missing", "expect (missing) gives null"),
        ("length(missing) == `0`", "cannot be evaluated: In function length(), invalid type for value: None"),
    ],
)
def test_anything_but_true_does_not_hold(text, why):
    assert why in read_expression(text).against(ANSWER)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("status = 'green'", "Unknown token '=', at column 8: = 'green'"),
        ("a # b", "Unknown token #, at column 3: # b"),
        ("a.b)", "')' is not expected, at column 4: )"),
        ("a[?b == `1`", "it ends too early, at column 12"),
        ("length(", "it ends too early, at column 8"),
        ("status == 'green", "Unclosed ' delimiter, at column 11: 'green"),
        ("a == lenght(b)", "there is no function lenght(), at column 6: lenght(b)"),
        ("length(a, b)", "length() takes 1, not 2 arguments, at column 1: length(a, b)"),
        ("a && length()", "length() takes 1, not 0 arguments, at column 6: length()"),
        ("length(a[?f == 'x,y'].{b: c, d: e}) && max_by(a[0:2], &b, c)", "max_by() takes 2, not 3 arguments"),
        ("not_null()", "not_null() takes at least 1, not 0 arguments, at column 1"),
        ("(" * 5000 + "a" + ")" * 5000, "it is nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text, sentence):
    with pytest.raises(BadExpression) as raised:
        read_expression(text)
    assert sentence in str(raised.value)
