# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutations that know what configuration files are made of. Pure."""

from random import Random
from typing import Callable, List, NamedTuple, Sequence, Tuple


class Language(NamedTuple):
    """What the inputs of a parser are made of."""

    seeds: Tuple[bytes, ...]
    """Inputs as the distributions write them."""
    words: Tuple[bytes, ...]
    """What means something to the parser."""
    brackets: Tuple[Tuple[bytes, bytes], ...] = ()
    """What may stand inside of itself."""


_REPEATED = 16384
"""Bytes that a repetition makes at most."""
_JUNK = (b"\0", b"\xff", b"\xc3", b"\n", b"\r\n", b"\\", b'"', b"'", b" ", b"\t", b"=", b"", b"9" * 5000, b"A" * 300)


def mutated(data: bytes, language: Language, random: Random, longest: int) -> bytes:
    """*data* after one to four changes, and cut to *longest* bytes."""
    for _round in range(random.randint(1, 4)):
        data = random.choice(_CHANGES)(data, language, random)[:longest]
    return data


def _slice(data: bytes, random: Random) -> Tuple[int, int]:
    """A piece of the data: often whole lines."""
    start = random.randint(0, len(data))
    end = min(len(data), start + random.choice((1, 8, 80, 800)))
    if random.random() < 0.5:
        start, end = data.rfind(b"\n", 0, start) + 1, (data.find(b"\n", end) + 1) or len(data)
    return start, max(start, end)


def _insert(data: bytes, language: Language, random: Random) -> bytes:
    place = random.randint(0, len(data))
    return data[:place] + random.choice(language.words) + data[place:]


def _replace(data: bytes, language: Language, random: Random) -> bytes:
    start, end = _slice(data, random)
    return data[:start] + random.choice(language.words + _JUNK) + data[end:]


def _junk(data: bytes, _language: Language, random: Random) -> bytes:
    place = random.randint(0, len(data))
    return data[:place] + random.choice(_JUNK) + data[place:]


def _remove(data: bytes, _language: Language, random: Random) -> bytes:
    start, end = _slice(data, random)
    return data[:start] + data[end:]


def _repeat(data: bytes, _language: Language, random: Random) -> bytes:
    start, end = _slice(data, random)
    count = min(1 << random.randint(0, 10), _REPEATED // max(1, end - start) + 1)
    return data[:start] + data[start:end] * count + data[end:]


def _splice(data: bytes, language: Language, random: Random) -> bytes:
    other = random.choice(language.seeds)
    start, end = _slice(other, random)
    place = random.randint(0, len(data))
    return data[:place] + other[start:end] + data[place:]


def _nest(data: bytes, language: Language, random: Random) -> bytes:
    if not language.brackets:
        return _insert(data, language, random)
    opening, closing = random.choice(language.brackets)
    start, end = _slice(data, random)
    depth = random.choice((1, 2, 7, 39, 41, 500))
    return data[:start] + opening * depth + data[start:end] + closing * depth + data[end:]


def _flip(data: bytes, _language: Language, random: Random) -> bytes:
    changed = bytearray(data)
    for _count in range(min(len(changed), random.randint(1, 3))):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _swap(data: bytes, _language: Language, random: Random) -> bytes:
    lines: List[bytes] = data.split(b"\n")
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


_CHANGES: Sequence[Callable[[bytes, Language, Random], bytes]] = (
    _insert,
    _insert,
    _replace,
    _junk,
    _remove,
    _repeat,
    _splice,
    _nest,
    _flip,
    _swap,
)
