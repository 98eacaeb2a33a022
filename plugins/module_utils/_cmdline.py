# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel command lines: taken apart as the kernel does, cleaned, and made ready to be staged. Pure."""

import re
from typing import List, Optional, Sequence, Tuple

# The one-time token on the staged command line. Read back from /proc/cmdline after the reboot, it proves
# that the image of that very staging has booted: a changed boot id alone does not, because a kexec that
# fails in the last moment silently becomes a firmware reboot.
TOKEN_KEY = "fleetops.boot="

# Words that a boot loader or an earlier kdump kernel adds and that would lie, or grow, if they were carried over.
_LEFT_OUT = ("BOOT_IMAGE=", "elfcorehdr=", "disable_cpu_apicid=")

# All that follows this word goes to init, not to the kernel (kernel/params.c, parse_args).
_TO_INIT = "--"

_WORD = re.compile(r'(?:[^ \t\n\r\v\f"]|"[^"]*(?:"|\Z))+')


def split(line: str) -> List[str]:
    """The words of a command line, quotes kept, as the kernel separates them (lib/cmdline.c, next_arg).

    White space inside double quotes does not separate; a quote that is never closed reaches to the end.
    ``" ".join(split(line))`` has the same words again.
    """
    return _WORD.findall(line)


def has_open_quote(line: str) -> bool:
    """Whether a double quote is opened and never closed, which would swallow every word appended after it."""
    return line.count('"') % 2 == 1


def problem_of(line: str) -> Optional[str]:
    """Why nothing can be appended to this command line, or the kernel would not get it whole; None where it is well."""
    if has_open_quote(line):
        return "a double quote is never closed in the command line %r" % line
    if "\0" in line:
        return "there is a NUL byte in the command line %r" % line
    return None


def token_of(line: str) -> Optional[str]:
    """The token of the staging that booted with this command line; None where it was none of ours."""
    for word in split(line):
        if word.startswith(TOKEN_KEY):
            return word[len(TOKEN_KEY) :]
    return None


def clean(line: str) -> List[str]:
    """The words of a command line without what a boot loader, kdump or an earlier staging has added.

    An earlier staging's ``panic=`` is told from an administrator's by its place, right before our token:
    the administrator's stays.
    """
    words = split(line)
    kept: List[str] = []
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        if word.startswith("panic=") and following.startswith(TOKEN_KEY):
            continue
        if word.startswith(TOKEN_KEY) or word.startswith(_LEFT_OUT) or _is_loader_initrd(word):
            continue
        kept.append(word)
    return kept


def _is_loader_initrd(word: str) -> bool:
    r"""Whether this is the EFI stub's ``initrd=\path``; ``initrd=ADDRESS,SIZE`` is the kernel's own parameter."""
    return word.startswith(("initrd=/", "initrd=\\"))


def edit(words: Sequence[str], append: Sequence[str] = (), remove: Sequence[str] = ()) -> List[str]:
    """The words after an operator's changes.

    :param remove: ``quiet`` removes that word, ``console=`` or ``console=*`` every value of that parameter,
        ``console=ttyS0`` only that value.
    :param append: words put at the end of the kernel's part, each once.
    """
    kept = [word for word in words if not any(_matches(word, pattern) for pattern in remove)]
    new = [word for word in append if word not in kept]
    return _insert_for_kernel(kept, new)


def _matches(word: str, pattern: str) -> bool:
    if pattern.endswith("=*"):
        pattern = pattern[:-1]
    return word.startswith(pattern) if pattern.endswith("=") else word == pattern


def staged(words: Sequence[str], token: str, panic_seconds: int) -> str:
    """The command line to stage: *words*, then ours, before any part that is meant for init.

    :param panic_seconds: the kernel resets itself this long after a panic; 0 leaves ``panic=`` as it is.
    """
    token_word = TOKEN_KEY + token
    if panic_seconds:
        return " ".join(_insert_for_kernel(words, ["panic=%d" % panic_seconds, token_word]))
    # Behind somebody else's panic= the token would make it look like ours.
    kernels, inits = _parts(words)
    place = len(kernels)
    while place and kernels[place - 1].startswith("panic="):
        place -= 1
    return " ".join(kernels[:place] + [token_word] + kernels[place:] + inits)


def _insert_for_kernel(words: Sequence[str], new: Sequence[str]) -> List[str]:
    kernels, inits = _parts(words)
    return kernels + list(new) + inits


def _parts(words: Sequence[str]) -> Tuple[List[str], List[str]]:
    """The kernel's words, and the part for init."""
    place = words.index(_TO_INIT) if _TO_INIT in words else len(words)
    return list(words[:place]), list(words[place:])
