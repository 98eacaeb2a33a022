# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that gives one parser its inputs: under atheris, or again from files.

python -m parserfuzz.engine run PARSER INPUTS SEED FOLDER MACHINE: what it counted, and the slowest inputs, are then in
FOLDER; MACHINE is an empty folder for the files of inputs.
python -m parserfuzz.engine replay PARSER FILE...: the processor time of each, without what atheris puts into the code.
"""

import heapq
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

PACKAGE = "ansible_collections.fleetops.kexec.plugins.module_utils"
KEPT = 5
"""Slowest inputs, which are to be measured again."""
HANGS = 60
"""Seconds after which libFuzzer takes an input for one without end."""


class Count(NamedTuple):
    """What a run of one parser counted."""

    inputs: int
    refusals: int
    seconds: float


def run(name: str, inputs: int, seed: int, folder: Path, machine: Path) -> None:
    """Does not return: libFuzzer ends the process, with code 0 where nothing was found."""
    import atheris

    with atheris.instrument_imports(include=[PACKAGE]):
        from parserfuzz.parsers import PARSERS, refused
    from parserfuzz.mutate import mutated
    from parserfuzz.trees import Tree

    parser = next(parser for parser in PARSERS if parser.name == name)
    tree = Tree(str(machine))
    slowest: list[tuple[float, int, bytes]] = []
    done = refusals = 0
    began = time.process_time()

    def one(data: bytes) -> None:
        nonlocal done, refusals
        before = time.process_time()
        refusals += refused(parser, data, tree)
        done += 1
        heapq.heappush(slowest, (time.process_time() - before, done, data))
        if len(slowest) > KEPT:
            heapq.heappop(slowest)
        if done == inputs:
            for place, (_seconds, _number, content) in enumerate(sorted(slowest, reverse=True)):
                (folder / ("slow-%d" % place)).write_bytes(content)
            count = Count(done, refusals, time.process_time() - began)
            (folder / "count.json").write_text(json.dumps(count._asdict()))

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.3:
            return bytes(atheris.Mutate(data, max_size))
        return mutated(data, parser.language, random, max_size)

    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(parser.language.seeds):
        (corpus / str(number)).write_bytes(content)
    arguments = ["-runs=%d" % inputs, "-seed=%d" % seed, "-max_len=%d" % parser.longest, "-timeout=%d" % HANGS]
    arguments += ["-artifact_prefix=%s/" % folder, "-print_final_stats=1", "-verbosity=0", str(corpus)]
    atheris.Setup([sys.argv[0], *arguments], one, custom_mutator=mutate)
    atheris.Fuzz()


def replay(name: str, files: list[Path]) -> None:
    """Prints the seconds of each file, and ends with the first thing that is raised."""
    from parserfuzz.parsers import PARSERS, refused
    from parserfuzz.trees import Tree

    parser = next(parser for parser in PARSERS if parser.name == name)
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(folder)
        for file in files:
            content = file.read_bytes()
            before = time.process_time()
            refused(parser, content, tree)
            print("%.3f" % (time.process_time() - before), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]), Path(sys.argv[6]))
    else:
        replay(sys.argv[2], [Path(file) for file in sys.argv[3:]])
