# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""grubby, the Red Hat family's tool for boot entries: a second opinion on what GRUB would start.

It reads the same files as GRUB, but with an understanding of its own: without ``next_entry``, and in another order of
entries. Where it disagrees with what was read here, nobody can tell which kernel an operator relies on, so neither is
taken. Where no other reader knows the boot loader (zipl), its answer is all there is.
"""

import os
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import BootConfig, BootEntry
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

_VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*")


class Block(NamedTuple):
    """What ``grubby --info`` says of one entry that starts a kernel."""

    values: Tuple[Tuple[str, str], ...]

    def get(self, key: str) -> str:
        """The key's value; empty where there is none."""
        return dict(self.values).get(key, "")


def find(machine: Machine) -> Optional[str]:
    """The program's path; None where there is none."""
    return machine.find_program("grubby")


def candidates(machine: Machine) -> Tuple[str, ...]:
    """What is looked for."""
    return ("the program grubby",)


def parse_info(text: str) -> Tuple[Block, ...]:
    """The output of ``grubby --info``, of the program in C (RHEL 5 to 7) and of the script since."""
    blocks: List[Dict[str, str]] = []
    for line in text.split("\n"):
        key, equals, value = line.strip().partition("=")
        if not equals:
            continue  # "non linux entry"
        if key == "index" or (key == "kernel" and (not blocks or "kernel" in blocks[-1])):
            blocks.append({})
        if blocks:
            blocks[-1].setdefault(key, _unquoted(value))
    return tuple(Block(tuple(block.items())) for block in blocks if block.get("kernel"))


def _unquoted(value: str) -> str:
    """Without the quotation marks around a whole value; grubby escapes none inside."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def entry_of(machine: Machine, block: Block) -> BootEntry:
    """As the boot loader would start it. grubby takes ``root=`` out of the command line."""
    kernel = block.get("kernel")
    initrds = tuple(block.get("initrd").split())
    words = (["root=" + block.get("root")] if block.get("root") else []) + [block.get("args")]
    problem = None
    unresolved = _VARIABLE.search(" ".join(words + list(initrds)))
    if unresolved is not None:
        problem = "grubby shows the variable %s, whose value only GRUB knows" % unresolved.group()
    for path in (kernel,) + initrds:
        if problem is None and not machine.exists(path):
            problem = "grubby names %s, which does not exist on the host" % path
    return BootEntry(
        id=block.get("id") or block.get("index") or kernel,
        title=block.get("title") or kernel,
        kernel=kernel,
        initrds=initrds,
        cmdline=" ".join(word for word in words if word),
        source="grubby",
        problem=problem,
    )


def read(machine: Machine) -> BootConfig:
    """The entries and the default as grubby has them; raises KexecError."""
    program = find(machine)
    if program is None:
        raise KexecError("there is no program grubby")
    blocks = parse_info(_ask(machine, program, "--info=ALL"))
    if not blocks:
        raise KexecError("grubby --info=ALL names no entry with a kernel")
    chosen = parse_info(_ask(machine, program, "--info=DEFAULT"))
    entries = tuple(entry_of(machine, block) for block in blocks)
    default = next((entry for block, entry in zip(blocks, entries) if block in chosen), None)
    problem = None if default is not None else "grubby --info=DEFAULT names no entry with a kernel"
    return BootConfig("grubby", program, entries, default, problem, None)


def _ask(machine: Machine, program: str, question: str) -> str:
    result = machine.run(program, question)
    if result.rc != 0:
        words = (result.stderr.strip() or result.stdout.strip())[:300]
        raise KexecError("grubby %s failed with code %d: %s" % (question, result.rc, words))
    return result.stdout


def checked(machine: Machine, config: BootConfig) -> BootConfig:
    """*config*, without its default where grubby names another kernel for it."""
    program = find(machine)
    kernel = None if program is None else _default_kernel(machine, program)
    if kernel is None:
        return config
    if config.default is None:
        hint = "%s; grubby names %s" % (config.default_problem, kernel)
        return config._replace(default_problem=hint)
    if _same_file(machine, kernel, config.default.kernel):
        return config
    problem = (
        "it would start the kernel %s (entry %s), but grubby --default-kernel says %s; set the default anew with "
        "grubby --set-default, or name the entry to run" % (config.default.kernel, config.default.id, kernel)
    )
    return config._replace(default=None, default_problem=problem)


def _default_kernel(machine: Machine, program: str) -> Optional[str]:
    """None where grubby has no opinion: it fails on many configurations that are none of its own writing."""
    try:
        answer = _ask(machine, program, "--default-kernel").strip()
    except KexecError:
        return None
    return answer if answer.startswith("/") and "\n" not in answer else None


def _same_file(machine: Machine, first: str, second: str) -> bool:
    return os.path.realpath(machine.path(first)) == os.path.realpath(machine.path(second))
