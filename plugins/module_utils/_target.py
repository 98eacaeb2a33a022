# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel a host is meant to run: an entry of its boot loader, its running kernel, or given files."""

import os
import re
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import BootConfig, BootEntry
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.version_order import newest
from ansible_collections.fleetops.kexec.plugins.module_utils._kernel_image import KernelImage, read_kernel
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._running import (
    Running,
    release_in_initrd_name,
    release_in_name,
)

# Where distributions keep the kernel and the initrd of a release; the first that exists is taken.
_KERNEL_FILES = ("/boot/vmlinuz-%s", "/boot/vmlinux-%s", "/boot/Image-%s", "/lib/modules/%s/vmlinuz")
_INITRD_FILES = ("/boot/initrd.img-%s", "/boot/initramfs-%s.img", "/boot/initrd-%s", "/boot/initrd-%s.img")

_RESCUE_NAME = re.compile(r"\b(?:rescue|recovery|emergency)\b")
_RESCUE_WORDS = frozenset(
    "single 1 s S rescue emergency recovery systemd.unit=rescue.target systemd.unit=emergency.target".split()
)


class Target(NamedTuple):
    """The kernel that a host is meant to run."""

    kernel: str
    initrds: Tuple[str, ...]
    cmdline: str
    """As the boot loader would pass it."""
    release: Optional[str]
    """What ``uname -r`` will say; None where neither the image nor its name tells."""
    build: Optional[str]
    """What ``uname -v`` will say; None where the image does not tell."""
    entry: Optional[str]
    """The id of the boot loader's entry; None for files."""
    title: Optional[str]


def other_initrds(target: Target, found: Dict[str, FrozenSet[str]]) -> List[str]:
    """Which initial RAM disks are made for another kernel than the target's, as sentences.

    :param found: the releases for which each has modules, as far as that was looked for. Without any it may well
        serve every kernel.
    """
    sentences = []
    for initrd in target.initrds:
        named = release_in_initrd_name(initrd)
        if named == release_in_name(target.kernel):
            named = None  # Some distributions name both by less than the release.
        releases = found.get(initrd) or frozenset([] if named is None else [named])
        if target.release is not None and releases and target.release not in releases:
            sentences.append(
                "the initrd %s is made for the kernel %s, and not for %s, which may not find its root file system by it"
                % (initrd, ", ".join(sorted(releases)), target.release)
            )
    return sentences


class Selection(NamedTuple):
    """Which kernel the operator means a host to run; all None means the boot loader's default."""

    entry: Optional[str]
    """default, newest, running, or an id, title or release."""
    kernel: Optional[str]
    initrds: Tuple[str, ...]

    @classmethod
    def of(cls, params: Dict[str, Any]) -> "Selection":
        """From a module's parameters; raises KexecError."""
        initrds = tuple(params["initrd"] or ())
        for path in ([params["kernel"]] if params["kernel"] is not None else []) + list(initrds):
            if not os.path.isabs(path):
                raise KexecError("%r is not an absolute path on the host" % path)
        return cls(params["entry"], params["kernel"], initrds)

    def needs_boot_loader(self) -> bool:
        """Whether the boot loader's entries must be known."""
        return self.kernel is None and self.entry != "running"


def inspect_kernel(machine: Machine, kernel: str) -> KernelImage:
    """Raises KexecError where *kernel* is missing, no kernel, or not whole."""
    with os.fdopen(machine.open_regular(kernel, "kernel"), "rb") as stream:
        return read_kernel(stream, kernel, machine.arch)


def release_of(machine: Machine, kernel: str) -> Optional[str]:
    """The release of a kernel file: what the image says, else its name, else None."""
    return _version_of(machine, kernel)[0]


def _version_of(machine: Machine, kernel: str) -> Tuple[Optional[str], Optional[str]]:
    """Release and build of a kernel file, each None where nothing tells."""
    try:
        image = inspect_kernel(machine, kernel)
    except KexecError:
        return release_in_name(kernel), None
    return image.release or release_in_name(kernel), image.build


def target_of_entry(machine: Machine, entry: BootEntry) -> Target:
    """Raises KexecError where the entry cannot be staged."""
    if entry.problem is not None:
        raise KexecError("cannot stage the entry %s of %s: %s" % (entry.id, entry.source, entry.problem))
    release, build = _version_of(machine, entry.kernel)
    return Target(entry.kernel, entry.initrds, entry.cmdline, release, build, entry.id, entry.title)


def target_of_default(machine: Machine, config: BootConfig) -> Target:
    """Raises KexecError where the boot loader's default cannot be told, or cannot be staged."""
    if config.default is None:
        raise KexecError("%s names no default that can be staged: %s" % (config.path, config.default_problem))
    return target_of_entry(machine, config.default)


def target_of_running(machine: Machine, running: Running) -> Target:
    """The running kernel's own files with the running command line; raises KexecError where they are not found."""
    kernel = _first_existing(machine, _KERNEL_FILES, running.release)
    if kernel is None:
        raise KexecError(
            "the running kernel %s has no file any more: looked for %s; choose another entry"
            % (running.release, ", ".join(pattern % running.release for pattern in _KERNEL_FILES))
        )
    initrd = _first_existing(machine, _INITRD_FILES, running.release)
    build = _version_of(machine, kernel)[1]
    return Target(kernel, () if initrd is None else (initrd,), running.cmdline, running.release, build, None, None)


def _first_existing(machine: Machine, patterns: Sequence[str], release: str) -> Optional[str]:
    for pattern in patterns:
        if machine.exists(pattern % release):
            return pattern % release
    return None


def target_of_files(machine: Machine, kernel: str, initrds: Sequence[str], running: Running) -> Target:
    """Given files, with the running kernel's command line."""
    release, build = _version_of(machine, kernel)
    return Target(kernel, tuple(initrds), running.cmdline, release, build, None, None)


def target_of_newest(machine: Machine, config: BootConfig) -> Target:
    """The entry with the highest release of the default's flavour, so that a host on UEK or a cloud kernel stays there.

    Entries that cannot be staged, and those for rescue, are left out. Raises KexecError.
    """
    if config.default is None:
        raise KexecError(
            "cannot tell the newest kernel, which has to be of the default's flavour: %s names no default (%s)"
            % (config.path, config.default_problem)
        )
    like = release_of(machine, config.default.kernel)
    if like is None:
        raise KexecError(
            "cannot tell the newest kernel, which has to be of the default's flavour: the release of the default %s is "
            "unknown" % config.default.kernel
        )
    entries = [entry for entry in config.entries if entry.problem is None and not is_for_rescue(entry)]
    index = newest([release_of(machine, entry.kernel) for entry in entries], like)
    if index is None:
        raise KexecError("%s has no entry to stage of the flavour of %s" % (config.path, like))
    return target_of_entry(machine, entries[index])


def is_for_rescue(entry: BootEntry) -> bool:
    """By its name, as distributions make such entries, or by what its command line starts."""
    names = " ".join((entry.id, entry.title, os.path.basename(entry.kernel))).lower()
    return _RESCUE_NAME.search(names) is not None or bool(_RESCUE_WORDS.intersection(entry.cmdline.split()))


def find_entry(machine: Machine, config: BootConfig, wanted: str) -> BootEntry:
    """The entry with that id, title or release; of several the first in the menu, as the boot loader chooses.

    An id or a title inside a submenu is found with and without the submenu's before it. Raises KexecError.
    """
    for names in (
        lambda entry: (entry.id, entry.title),
        lambda entry: (entry.id.rpartition(">")[2], entry.title.rpartition(">")[2]),
        lambda entry: (release_of(machine, entry.kernel),),
    ):
        for entry in config.entries:
            if wanted in names(entry):
                return entry
    known: List[str] = ["%s (%s)" % (entry.id, entry.title) for entry in config.entries]
    raise KexecError(
        "%s has no entry with the id, title or release %r; it has: %s"
        % (config.path, wanted, ", ".join(known) or "no Linux entry at all"),
        known_entries=[entry.id for entry in config.entries],
    )


def select_target(machine: Machine, selection: Selection, running: Running, config: Optional[BootConfig]) -> Target:
    """What *selection* means on this host; raises KexecError.

    :param config: the boot loader's; may be None where Selection.needs_boot_loader says no.
    """
    if selection.kernel is not None:
        return target_of_files(machine, selection.kernel, selection.initrds, running)
    if selection.entry == "running":
        return target_of_running(machine, running)
    if config is None:
        raise ValueError("this selection needs the boot loader's configuration")
    if selection.entry in (None, "default"):
        return target_of_default(machine, config)
    if selection.entry == "newest":
        return target_of_newest(machine, config)
    return target_of_entry(machine, find_entry(machine, config, str(selection.entry)))
