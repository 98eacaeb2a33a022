# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some thousands of the bad inputs of which tests/fuzz has a million; the same ones every time."""

import time
from random import Random

import pytest
from parserfuzz.mutate import mutated
from parserfuzz.parsers import PARSERS, refused
from parserfuzz.trees import Tree

INPUTS = 160
SECONDS = 1.0
"""Of processor time, for any input."""


@pytest.mark.parametrize("parser", PARSERS, ids=[parser.name for parser in PARSERS])
def test_whatever_the_input_it_is_read_or_refused(parser, tmp_path):
    random = Random(parser.name)
    folder = tmp_path / "machine"
    folder.mkdir()
    tree = Tree(str(folder))
    seeds = parser.language.seeds
    refusals = 0
    for number in range(INPUTS):
        seed = seeds[number * len(seeds) // INPUTS]
        data = mutated(seed, parser.language, random, parser.longest)
        began = time.process_time()
        refusals += refused(parser, data, tree)
        assert time.process_time() - began < SECONDS, data
    assert refusals < INPUTS, "nothing was read"


@pytest.mark.parametrize("parser", PARSERS, ids=[parser.name for parser in PARSERS])
def test_what_the_inputs_are_made_of_is_read(parser, tmp_path):
    tree = Tree(str(tmp_path))
    assert [seed for seed in parser.language.seeds if refused(parser, seed, tree)] == []
