# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's environment block: the file in which GRUB keeps variables from one boot to the next."""

import re
from typing import Dict, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

SIGNATURE = "# GRUB Environment Block\n"


def parse(text: str, path: str) -> Dict[str, str]:
    """The variables of an environment block; raises KexecError where GRUB would stop reading or misread it.

    The length is not checked: GRUB takes the file as long as it is (grub-core/lib/envblk.c), although
    grub-editenv always writes 1024 bytes, of which a run of ``#`` fills the rest.

    :param path: what to call the file in an error.
    """
    if not text.startswith(SIGNATURE):
        raise KexecError(
            "%s line 1: not a GRUB environment block, which begins with %r; "
            "grub-editenv can create it anew" % (path, SIGNATURE.strip())
        )
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise KexecError("%s line %d: the environment block contains zero bytes, so it is damaged" % (path, line))
    variables: Dict[str, str] = {}
    position, line = len(SIGNATURE), 2
    # An editor's empty lines after the padding: GRUB finds no "=" and stops without an error.
    length = len(text.rstrip())
    while position < length:
        if text[position] == "#":
            end = _end_of_line(text, position)
        else:
            name, value, end = _variable(text, position, "%s line %d" % (path, line))
            variables[name] = value
        line += text.count("\n", position, end + 1)
        position = end + 1
    return variables


def _variable(text: str, start: int, where: str) -> Tuple[str, str, int]:
    """The variable whose line begins at *start*, and where that line ends."""
    name = _NAME.match(text, start)
    # GRUB looks for "=" beyond the end of the line: the name it finds contains a newline, and the variable on
    # the following line is lost to it.
    if name is None:
        raise KexecError("%s: not of the form name=value; the environment block is damaged" % where)
    end = _end_of_line(text, name.end())
    if end >= len(text):
        raise KexecError("%s: the environment block is cut off in this line" % where)
    return text[start : name.end() - 1], _unescape(text[name.end() : end]), end


_NAME = re.compile(r"[^=\n]*=")
_LINE = re.compile(r"(?:[^\\\n]|\\.)*", re.DOTALL)


def _end_of_line(text: str, position: int) -> int:
    """Where the line ends; a backslash hides a newline, in a comment too (find_next_line in envblk.c)."""
    match = _LINE.match(text, position)
    end = position if match is None else match.end()
    return end if text.startswith("\n", end) else len(text)


def _unescape(value: str) -> str:
    result = []
    characters = iter(value)
    for character in characters:
        result.append(next(characters, "") if character == "\\" else character)
    return "".join(result)
