# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staging: what is in the kernel's slot against what is wanted there, as one plan that is then carried out.

The kernel does not say *what* is loaded, only whether something is. So each staging leaves a record in a tmpfs,
which dies with the boot, tied to the boot id and to the identity of the files.
"""

import json
import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from ansible_collections.fleetops.kexec.plugins.module_utils import _cmdline, _kexec
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.kernel import kernel_blockers
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import BootConfig
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import read_host_kind
from ansible_collections.fleetops.kexec.plugins.module_utils._kernel_image import check_initrd
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._running import read_running
from ansible_collections.fleetops.kexec.plugins.module_utils._target import (
    Selection,
    Target,
    inspect_kernel,
    other_initrds,
    select_target,
)

RECORD = _kexec.RUN_DIRECTORY + "/staged.json"


class Record(NamedTuple):
    """What this collection put into the slot during this boot."""

    boot_id: str
    token: str
    entry: Optional[str]
    release: Optional[str]
    build: Optional[str]
    """What ``uname -v`` will say; None where the image does not tell."""
    kernel: str
    initrds: Tuple[str, ...]
    cmdline: str
    """As staged, with the token."""
    identities: Tuple[str, ...]
    """Of the kernel and the initrds: device, inode, size and times."""
    call: str
    """How it was loaded: file or tools."""


def read_record(machine: Machine, boot_id: str) -> Optional[Record]:
    """The record of this boot's staging; None where there is none, or nothing is loaded any more."""
    if not _kexec.is_loaded(machine):
        return None
    try:
        record = _record_of(json.loads(machine.read_text(RECORD)))
    except (KexecError, ValueError, RecursionError):
        return None  # absent or not ours: nobody knows then what is loaded
    return record if record is not None and record.boot_id == boot_id else None


def _record_of(values: Any) -> Optional[Record]:
    """None where these are not the values of a record."""
    if not isinstance(values, dict) or set(values) != set(Record._fields):
        return None
    for name, value in values.items():
        texts = value if name in ("initrds", "identities") else [value]
        may_be_unknown = name in ("entry", "release", "build") and value is None
        if not may_be_unknown and not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
            return None
    return Record(**values)._replace(initrds=tuple(values["initrds"]), identities=tuple(values["identities"]))


class Request(NamedTuple):
    """What the operator asks for."""

    loaded: bool
    selection: Selection
    cmdline: Optional[str]
    append: Tuple[str, ...]
    remove: Tuple[str, ...]
    panic_seconds: int
    force: bool
    """Whether to load also what the record says is loaded."""

    @classmethod
    def of(cls, params: Dict[str, Any]) -> "Request":
        """From kexec_load's parameters; raises KexecError."""
        if params["panic_seconds"] < 0:
            raise KexecError("panic_seconds is %d; it must be 0 or more" % params["panic_seconds"])
        return cls(
            loaded=params["state"] == "loaded",
            selection=Selection.of(params),
            cmdline=_whole_line(params["cmdline"]),
            append=_words("append", params["append"]),
            remove=_words("remove", params["remove"]),
            panic_seconds=params["panic_seconds"],
            force=params["force"],
        )


def _whole_line(value: Any) -> Optional[str]:
    # As a text, Ansible would make one of a list, in Python's notation.
    if value is not None and not isinstance(value, str):
        raise KexecError("cmdline takes the whole command line as one text, and not %r" % (value,))
    return value


def _words(option: str, value: Any) -> Tuple[str, ...]:
    """The words of a text or of a list of texts. Not Ansible's lists, which split at commas: console=ttyS0,115200n8."""
    texts = value if isinstance(value, list) else [value]
    words = []
    for text in texts:
        if text is not None and not isinstance(text, (str, int)):
            raise KexecError("%s takes words of a command line, and not %r" % (option, text))
        line = "" if text is None else str(text)
        if _cmdline.has_open_quote(line):
            raise KexecError("a double quote is never closed in %r of %s" % (line, option))
        words += _cmdline.split(line)
    return tuple(words)


class Wanted(NamedTuple):
    """What is to be in the slot, the token left out."""

    target: Target
    words: Tuple[str, ...]
    panic_seconds: int
    identities: Tuple[str, ...]
    doubts: Tuple[str, ...] = ()
    """What an operator should know of the files, as sentences."""

    def cmdline(self, token: str) -> str:
        """The full command line with that token."""
        return _cmdline.staged(self.words, token, self.panic_seconds)

    def shown_words(self) -> List[str]:
        """The full command line without the token, which is new at each staging."""
        return [word for word in _cmdline.split(self.cmdline("")) if not word.startswith(_cmdline.TOKEN_KEY)]

    def resets_on_panic(self) -> bool:
        """Whether the command line says that the kernel is to reset the machine when it panics."""
        values = [word[len("panic=") :] for word in self.shown_words() if word.startswith("panic=")]
        return bool(values) and values[-1] != "0"

    def is_staged_as(self, record: Record) -> bool:
        """Whether *record* is of the same files, unchanged since, and of the same command line."""
        return (
            record.cmdline == self.cmdline(record.token)
            and record.identities == self.identities
            and (record.kernel, record.initrds) == (self.target.kernel, self.target.initrds)
        )


def _wanted_image(machine: Machine, target: Target, request: Request) -> Wanted:
    """Put together and judge what is to be staged; raises KexecError."""
    line = target.cmdline if request.cmdline is None else request.cmdline
    if request.cmdline is not None and not request.cmdline.strip():
        raise KexecError("the command line that was given is empty: the kernel would not find its root file system")
    for text in (line, " ".join(request.append)):
        problem = _cmdline.problem_of(text)
        if problem is not None:
            raise KexecError(problem)
    words = tuple(_cmdline.edit(_cmdline.clean(line), request.append, request.remove))
    files = (target.kernel,) + target.initrds
    wanted = Wanted(target, words, request.panic_seconds, tuple(_identity(machine, path) for path in files))
    return wanted._replace(doubts=tuple(_check(machine, wanted)))


def _identity(machine: Machine, path: str) -> str:
    """Changes whenever a file is written or replaced: nobody can set a file's ctime."""
    try:
        status = os.stat(machine.path(path))
    except OSError:
        return "missing"  # _check says it better
    return "%d:%d:%d:%d:%d" % (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _check(machine: Machine, wanted: Wanted) -> List[str]:
    """What is to be doubted, as sentences; raises KexecError for what cannot work."""
    limit = inspect_kernel(machine, wanted.target.kernel).cmdline_limit
    length = len(wanted.cmdline(new_token()).encode("utf-8", "surrogateescape"))
    if length > limit:
        raise KexecError(
            "the command line is too long: %d bytes, and %s takes %d at most" % (length, wanted.target.kernel, limit)
        )
    found = {}
    for initrd in wanted.target.initrds:
        with os.fdopen(machine.open_regular(initrd, "initrd"), "rb") as stream:
            found[initrd] = check_initrd(stream, initrd)
    return other_initrds(wanted.target, found)


def new_token() -> str:
    """A token that no other staging has had."""
    return os.urandom(8).hex()


class Plan(NamedTuple):
    """What is, what will be, and whether they differ. Check mode, diff and ``changed`` all come from here."""

    changed: bool
    before: Dict[str, Any]
    after: Dict[str, Any]
    wanted: Optional[Wanted]
    """None to unload."""
    record: Optional[Record]
    """What this collection has staged already."""
    boot_id: str
    config: Optional[BootConfig] = None
    """The boot loader's, where it was needed."""

    def apply(self, machine: Machine, syscall: str, token: Optional[str] = None) -> Optional[Dict[str, Any]]:
        """Carry the plan out; returns what is then staged. Raises KexecError, with the slot as it was.

        :param token: what a new staging is to be known by; a random one by itself.
        """
        record = self.record
        if self.changed and self.wanted is not None:
            record = _load(machine, self.wanted, self.boot_id, record, syscall, token or new_token())
        elif self.changed:
            unload(machine)
            record = None
        return None if record is None else _result(record)

    def preview(self) -> Optional[Dict[str, Any]]:
        """What apply would return, as far as it can be known before."""
        if self.wanted is None:
            return None
        if not self.changed and self.record is not None:
            return _result(self.record)
        return dict(_summary(self.wanted.target, " ".join(self.wanted.shown_words())), token=None, call=None)

    def warnings(self) -> List[str]:
        """What an operator should know before this is booted."""
        if self.wanted is None:
            return []
        if self.wanted.target.initrds:
            return list(self.wanted.doubts)
        return [
            "%s is staged without an initrd, which most distributions' kernels need to find their root file system"
            % self.wanted.target.kernel
        ]

    def diff(self) -> Dict[str, str]:
        """Before and after as Ansible shows them with --diff."""
        return {"before": _as_lines(self.before), "after": _as_lines(self.after)}


def unload(machine: Machine) -> None:
    """Empty the slot and forget what was in it; raises KexecError where an image stays in it."""
    _kexec.unload(machine)
    machine.remove(RECORD)


def _load(machine: Machine, wanted: Wanted, boot_id: str, old: Optional[Record], syscall: str, token: str) -> Record:
    target = wanted.target
    image = _kexec.Image(target.kernel, target.initrds, wanted.cmdline(token))
    # While it is not known which image is loaded there must be no record, or a death in between would leave one
    # that vouches for the wrong image.
    machine.remove(RECORD)
    try:
        call = _kexec.load(machine, image, syscall)
    except KexecError:
        if old is not None:
            _write_record(machine, old)
        raise
    record = Record(
        boot_id=boot_id,
        token=token,
        entry=target.entry,
        release=target.release,
        build=target.build,
        kernel=target.kernel,
        initrds=target.initrds,
        cmdline=image.cmdline,
        identities=wanted.identities,
        call=call,
    )
    try:
        _write_record(machine, record)
    except KexecError:
        _kexec.unload(machine)  # an image without a record could be proven by nobody
        raise
    return record


def _write_record(machine: Machine, record: Record) -> None:
    machine.write_atomically(RECORD, json.dumps(record._asdict(), indent=1) + "\n")


def plan_for(machine: Machine, request: Request) -> Plan:
    """Compare what is staged with what *request* asks for. Raises KexecError."""
    running = read_running(machine)
    record = read_record(machine, running.boot_id)
    loaded = bool(_kexec.is_loaded(machine))
    if not request.loaded:
        return plan_unload(loaded, record, running.boot_id)
    blockers = kernel_blockers(machine, read_host_kind(machine).container)
    if blockers:
        raise KexecError("cannot stage a kernel: " + "; ".join(blocker.message for blocker in blockers))
    config = read_boot_loader(machine) if request.selection.needs_boot_loader() else None
    target = select_target(machine, request.selection, running, config)
    plan = plan_load(loaded, record, _wanted_image(machine, target, request), running.boot_id, request.force)
    return plan._replace(config=config)


def plan_load(loaded: bool, record: Optional[Record], wanted: Wanted, boot_id: str, force: bool) -> Plan:
    """Pure: what has to change so that *wanted* is in the slot. :param force: whatever the record says."""
    before = _described(loaded, record)
    if record is not None and wanted.is_staged_as(record) and not force:
        return Plan(False, before, before, wanted, record, boot_id)
    after = _summary(wanted.target, " ".join(wanted.shown_words()))
    return Plan(True, before, after, wanted, record, boot_id)


def plan_unload(loaded: bool, record: Optional[Record], boot_id: str) -> Plan:
    """Pure: what has to change so that the slot is empty, whosever image is in it."""
    return Plan(loaded, _described(loaded, record), {}, None, record, boot_id)


def _described(loaded: bool, record: Optional[Record]) -> Dict[str, Any]:
    """What is in the slot, for the diff."""
    if not loaded:
        return {}
    if record is None:
        return {"kernel": "one that somebody else has staged"}
    words = [word for word in _cmdline.split(record.cmdline) if not word.startswith(_cmdline.TOKEN_KEY)]
    return _summary(record, " ".join(words))


def _summary(image: Union[Target, Record], cmdline: str) -> Dict[str, Any]:
    return {
        "entry": image.entry,
        "release": image.release,
        "build": image.build,
        "kernel": image.kernel,
        "initrds": list(image.initrds),
        "cmdline": cmdline,
    }


def _result(record: Record) -> Dict[str, Any]:
    return dict(_summary(record, record.cmdline), token=record.token, call=record.call)


def _as_lines(summary: Dict[str, Any]) -> str:
    if not summary:
        return "nothing is staged\n"
    return "".join(
        "%s: %s\n" % (name, " ".join(value) if isinstance(value, list) else value) for name, value in summary.items()
    )
