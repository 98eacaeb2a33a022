# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.host_inputs import used, value_for


@pytest.mark.parametrize(
    ("here", "given", "value"),
    [
        ("default", {}, "default"),
        ("default", {"other": "its own"}, "its own"),
        ("mine", {"me": "mine", "other": "its own"}, "its own"),
        ("mine", {"me": "mine"}, "mine"),
        ("the play's", {"me": "mine", "other": "its own"}, "the play's"),
    ],
)
def test_a_host_has_its_own_value_unless_the_play_has_one(here, given, value):
    assert value_for("other", "me", here, given) == value


def test_an_input_is_used_where_anybody_has_given_it():
    assert used(["a", "b", "c"], [{"a": "", "b": None}, {"a": "x.yml", "c": []}]) == ["a"]
