# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's environment block: the file in which GRUB keeps variables from one boot to the next."""

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
    variables: Dict[str, str] = {}
    position = len(SIGNATURE)
    while position < len(text):
        if text[position] == "#":
            position = _end_of_line(text, position) + 1
        elif text[position:].strip():
            name, value, position = _variable(text, position, path)
            variables[name] = value
        else:
            break  # An editor's empty line after the padding: GRUB finds no "=" and stops without an error.
    return variables


def _variable(text: str, start: int, path: str) -> Tuple[str, str, int]:
    """The variable whose line begins at *start*, and where the next line begins."""
    line = text.count("\n", 0, start) + 1
    equals = text.find("=", start)
    newline = text.find("\n", start)
    # GRUB looks for "=" beyond the end of the line: the name it finds contains a newline, and the variable on
    # the following line is lost to it.
    if equals < 0 or 0 <= newline < equals:
        raise KexecError("%s line %d: not of the form name=value; the environment block is damaged" % (path, line))
    end = _end_of_line(text, equals + 1)
    if end >= len(text):
        raise KexecError("%s line %d: the environment block is cut off in this line" % (path, line))
    return text[start:equals], _unescape(text[equals + 1 : end]), end + 1


def _end_of_line(text: str, position: int) -> int:
    """Where the line ends; a backslash hides a newline, in a comment too (find_next_line in envblk.c)."""
    while position < len(text) and text[position] != "\n":
        position += 2 if text[position] == "\\" else 1
    return position


def _unescape(value: str) -> str:
    result = []
    characters = iter(value)
    for character in characters:
        result.append(next(characters, "") if character == "\\" else character)
    return "".join(result)
