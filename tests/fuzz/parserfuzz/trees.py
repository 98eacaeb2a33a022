# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines made of one input: a row of files, each behind a line with its path."""

import os
import re
import shutil
from typing import Dict, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine

_HEAD = re.compile(rb"^@@@ ([\w@.+,=-][\w@.+,=/-]*)(?: -> ([\w@.+,/-]+))?\n", re.MULTILINE)
_ANSWERS = "answers/"
"""Below it, what programs print: bootctl, grubby.--info=ALL."""


def packed(root: str) -> bytes:
    """The tree below *root* as an input."""
    parts = []
    for folder, _folders, names in sorted(os.walk(root)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            head = b"@@@ " + os.path.relpath(path, root).encode()
            if os.path.islink(path):
                parts.append(head + b" -> " + os.readlink(path).encode() + b"\n")
            elif name != "README.md":
                with open(path, "rb") as stream:
                    parts.append(head + b"\n" + stream.read())
    return b"\n".join(parts)


def unpacked(data: bytes) -> Dict[str, Tuple[bytes, str]]:
    """Path to content, or to the target of a symbolic link."""
    files = {}
    heads = list(_HEAD.finditer(data))
    ends = [head.start() for head in heads[1:]] + [len(data)]
    for head, end in zip(heads, ends):
        path = os.path.normpath(head.group(1).decode())
        content = data[head.end() : end]
        if not path.startswith(".") and path.count("/") < 30:
            files[path] = (content, (head.group(2) or b"").decode())
    return files


class Tree:
    """A folder that becomes one machine after the other. What did not change is not written again."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._present: Dict[str, Tuple[bytes, str]] = {}

    def machine(self, data: bytes) -> Machine:
        """The machine that an input describes."""
        files = unpacked(data)
        links = {path: link for path, (_content, link) in files.items() if link}
        if files.keys() != self._present.keys() or any(self._present[path][1] != link for path, link in links.items()):
            shutil.rmtree(self._root)
            os.mkdir(self._root)
            self._present = {}
        for path, (content, link) in files.items():
            if self._present.get(path) != (content, link):
                self._write(path, content, link)
        self._present = files
        return Machine(self._root, self._run, euid=0, arch="x86_64")

    def _write(self, path: str, content: bytes, link: str) -> None:
        place = os.path.join(self._root, path)
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            folder = os.path.realpath(os.path.dirname(place))
            if not self._is_inside(folder):
                return
            if link and self._is_inside(os.path.normpath(os.path.join(folder, link))):
                os.symlink(link, place)
            elif not link and self._is_inside(os.path.realpath(place)):
                with open(place, "wb") as stream:
                    stream.write(content)
        except OSError:
            return  # a file where a folder should be, a name that is too long: the machine lacks that file
        if path.startswith(_ANSWERS):
            self._install(os.path.basename(path).split(".")[0] or "none")

    def _is_inside(self, path: str) -> bool:
        return path == self._root or path.startswith(self._root + "/")

    def _install(self, program: str) -> None:
        folder = os.path.join(self._root, "usr/bin")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, program), "wb") as stream:
            os.fchmod(stream.fileno(), 0o755)

    def _run(self, argv: Sequence[str]) -> Tuple[int, str, str]:
        name = os.path.basename(argv[0])
        for answer in (name, ".".join([name] + list(argv[1:2]))):
            if _ANSWERS + answer in self._present:
                return 0, self._present[_ANSWERS + answer][0].decode("utf-8", "surrogateescape"), ""
        return 1, "", "no answer"
