# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import random

import pytest
import random_rolls
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout import policy as rule
from random_rolls import InStore, Memory, roll_all


def test_random_rolls_keep_every_limit_and_end():
    assert roll_all(range(3000)) > 4500, "the policies let too little happen to tell anything"


@pytest.mark.soak
def test_very_many_random_rolls_keep_every_limit_and_end():
    roll_all(range(10_000, 210_000))


def test_random_rolls_in_the_store_keep_every_limit_and_end(tmp_path):
    books = []

    def in_store(case):
        books.append(InStore(case, str(tmp_path / ("%d.db" % len(books)))))
        return books[-1]

    try:
        assert roll_all(range(100_000, 100_030), in_store) > 30
    finally:
        for book in books:
            book.store.database.close()


@pytest.mark.parametrize(
    "limit",
    ["_stage", "_fleet", "_canaries", "_planned_canaries", "_within_domain", "_domains", "_window", "_hold"],
)
def test_a_limit_that_is_forgotten_is_noticed(monkeypatch, limit):
    monkeypatch.setattr(rule, limit, lambda *_arguments: None)
    with pytest.raises(AssertionError, match="seed"):
        roll_all(range(2000))


class Forgetful(Memory):
    def rollout(self, now):
        return dataclasses.replace(super().rollout(now), stopped=None)


def test_a_store_that_forgets_a_stop_is_noticed():
    with pytest.raises(AssertionError, match="after a stop"):
        roll_all(range(2000), Forgetful)


def test_windows_are_among_the_random_policies():
    assert any(random_rolls.make_case(random.Random(seed)).windows for seed in range(50))
