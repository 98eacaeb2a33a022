# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files that a boot loader names lie in the running system.

A boot loader knows file systems, not mount points: ``/vmlinuz`` on a boot partition is ``/boot/vmlinuz`` here,
and ``/@/boot/vmlinuz`` on btrfs is so too.
"""

import re
from typing import List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.links import real_path
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

HOME = "boot"
"""The name given here to GRUB's first $root: the file system of its own configuration."""
RUNNING = "machine"
"""The name given here to a device whose paths are those of the running system."""

_BOOT_FOLDERS = ("/boot/efi", "/boot", "/efi")


class Mount(NamedTuple):
    """A line of mountinfo; see proc_pid_mountinfo(5)."""

    device: str
    """major:minor; for btrfs not that of a block device."""
    root: str
    """Which directory of the file system is mounted."""
    point: str
    kind: str
    """The file system's type."""
    source: str


class Location(NamedTuple):
    """Where a boot loader's file is."""

    path: Optional[str]
    """In the running system; None where it does not exist there."""
    obstacle: Optional[str] = None
    """Why it cannot be looked for, as the end of a sentence about the file; None where it was looked for."""


def parse_mountinfo(text: str) -> Tuple[Mount, ...]:
    """The mounts in a mountinfo file, in its order; lines of another form are left out."""
    mounts: List[Mount] = []
    for line in text.splitlines():
        fields = line.split(" ")
        if "-" not in fields[6:] or "\0" in line:
            continue  # not from a kernel
        tail = fields[fields.index("-", 6) + 1 :]
        if len(tail) >= 2:
            mounts.append(Mount(fields[2], _plain(fields[3]), _plain(fields[4]), tail[0], _plain(tail[1])))
    return tuple(mounts)


def _plain(field: str) -> str:
    """The kernel writes blanks, backslashes and # of a path as three octal digits (fs/proc_namespace.c)."""
    return re.sub(r"\\(011|012|040|043|134)", lambda match: chr(int(match.group(1), 8)), field)


def covering(mounts: Sequence[Mount], path: str) -> Optional[Mount]:
    """The mount that a path of the running system lies on: the deepest, and of those the one mounted last."""
    best: Optional[Mount] = None
    for mount in mounts:
        if is_below(path, mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def is_below(path: str, folder: str) -> bool:
    """Whether *path* is *folder* or something in it."""
    return folder in ("/", path) or path.startswith(folder + "/")


def places(mounts: Sequence[Mount], own: Sequence[Mount], path: str) -> Tuple[str, ...]:
    """Where *path* of a file system may be in the running system, the likeliest first.

    :param mounts: all mounts, because another one may hide a file.
    :param own: the mounts of the file system in question.
    """
    found: List[str] = []
    for mount in sorted(own, key=lambda mount: (not is_below(mount.point, "/boot"), len(mount.point))):
        if is_below(path, mount.root):
            place = _join(mount.point, path if mount.root == "/" else path[len(mount.root) :])
            if _shows(mounts, place, [mount]):
                found.append(place)
    # SUSE's GRUB, with btrfs_relative_path=y, counts from the default subvolume instead: the one mounted on /.
    subvolume = any(mount.kind == "btrfs" and mount.point == "/" and mount.root != "/" for mount in own)
    if subvolume and _shows(mounts, path, own):
        found.append(path)
    return tuple(found)


def _shows(mounts: Sequence[Mount], place: str, own: Sequence[Mount]) -> bool:
    """Whether what is seen at *place* belongs to one of *own*, and is not hidden by something mounted over it."""
    top = covering(mounts, place)
    return top is not None and any((top.device, top.root) == (mount.device, mount.root) for mount in own)


def _join(point: str, path: str) -> str:
    return point.rstrip("/") + path


class FileSystems:
    """The machine's file systems, found by the names that GRUB's configuration has for them."""

    def __init__(self, machine: Machine, home: str) -> None:
        """:param home: the folder of the boot loader's configuration."""
        self._machine = machine
        machine.exists(home)  # Makes systemd mount a file system that waits for its first use (autofs).
        self.mounts = read_mounts(machine)
        top = covering(self.mounts, home)
        self._home = [mount for mount in self.mounts if top is not None and mount.device == top.device]
        self._likely = self._home + [mount for mount in self.mounts if mount.point in ("/", "/boot")]

    def locate(self, path: str, root: str) -> Location:
        """The file that GRUB calls *path*, which may begin with a device in parentheses, while $root is *root*."""
        device, path = _split(path, root)
        if device == RUNNING:
            candidates: Sequence[str] = (path,)
        elif not self.mounts:
            candidates = (path, "/boot" + path)
        else:
            own, obstacle = self._named(device)
            if obstacle is not None:
                return Location(None, self._unmounted() or obstacle)
            candidates = places(self.mounts, own, path)
        for candidate in candidates:
            if self._machine.exists(candidate):
                out = None if device == RUNNING else leads_out(self._machine, self.mounts, candidate)
                return Location(None if out else candidate, out)
        return Location(None, self._unmounted())

    def _unmounted(self) -> Optional[str]:
        """The likeliest reason why a kernel is not there."""
        if boot_is_unmounted(self._machine):
            return "cannot be found: /etc/fstab has a file system for /boot, but /boot is not mounted"
        return None

    def _named(self, device: str) -> Tuple[Sequence[Mount], Optional[str]]:
        """The mounts of a file system, or why it cannot be told which they are."""
        if device == HOME:
            return self._home, None
        kind, _slash, name = device.partition("/")
        if kind in ("fs-uuid", "label"):
            return self._by_link("/dev/disk/by-" + kind.replace("fs-", ""), name)
        if kind == "file":
            return (), "is on whichever file system has %s, and only GRUB can tell which" % name
        own = [mount for mount in self._likely if _is_grub_device(device, mount.source)]
        if len({mount.device for mount in own}) == 1:
            return own, None
        return (), "is on GRUB's device (%s), which is not known to be a mounted file system of this host" % device

    def _by_link(self, folder: str, name: str) -> Tuple[Sequence[Mount], Optional[str]]:
        links = self._machine.names(folder)
        if not links:
            return self._likely, None  # Without udev there are no names to compare.
        for link in links:
            if _unescaped(link).lower() == name.lower():
                block_device = self._machine.link_name("%s/%s" % (folder, link)) or ""
                own = [mount for mount in self.mounts if self._is_on(mount, block_device, name)]
                if own:
                    return own, None
                return (), "is on the file system %s (%s), which is not mounted" % (name, block_device)
        return (), "is on the file system %s, which this host does not have" % name

    def _is_on(self, mount: Mount, block_device: str, uuid: str) -> bool:
        """Whether a mount is of the file system on *block_device*, such as sda2 or dm-0."""
        if mount.source == "/dev/" + block_device or self._machine.link_name(mount.source) == block_device:
            return True
        if mount.kind == "btrfs":  # It may span several devices, of which mountinfo and udev each name one.
            members = self._machine.names("/sys/fs/btrfs/%s/devices" % uuid)
            return mount.source.rpartition("/")[2] in members or self._machine.link_name(mount.source) in members
        return mount.device == self._machine.read_word("/sys/class/block/%s/dev" % block_device)


def leads_out(machine: Machine, mounts: Sequence[Mount], path: str) -> Optional[str]:
    """Why the boot loader's file at *path* is not to be used: the end of a sentence; None where it may be.

    A boot loader follows a link within one file system at most, and what lies outside of /boot is seldom guarded as
    /boot is: so a link that leads out is refused, whatever the running system finds behind it.
    """
    real = real_path(machine, path)
    if real == path:
        return None
    folder = next((folder for folder in _BOOT_FOLDERS if is_below(path, folder)), None)
    if folder is not None and not is_below(real, real_path(machine, folder)):
        return "is a symbolic link out of %s, to %s" % (folder, real)
    here, there = covering(mounts, path), covering(mounts, real)
    if here is not None and there is not None and here.device != there.device:
        return "is a symbolic link to %s on another file system, where the boot loader cannot follow it" % real
    return None


def boot_is_unmounted(machine: Machine) -> bool:
    """Whether /boot has a file system of its own according to /etc/fstab, but is not mounted."""
    mounts = read_mounts(machine)
    if not mounts or any(mount.point == "/boot" for mount in mounts):
        return False
    lines = [line.split() for line in (machine.read_word("/etc/fstab") or "").splitlines()]
    return any(len(fields) > 1 and fields[0][0] != "#" and fields[1].rstrip("/") == "/boot" for fields in lines)


def read_mounts(machine: Machine) -> Tuple[Mount, ...]:
    """What is mounted on the machine; nothing where /proc does not tell."""
    try:
        return parse_mountinfo(machine.read_text("/proc/self/mountinfo"))
    except KexecError:
        return ()


def _is_grub_device(device: str, source: str) -> bool:
    """Whether what GRUB calls *device* is what Linux calls *source*, as far as that can be told from the names.

    hd0 is the disk that the firmware starts from, where the boot partition is; the others are anybody's guess.
    """
    if device.startswith("lvm/"):
        return source == "/dev/mapper/" + device[len("lvm/") :]
    number = re.match(r"hd0,(?:gpt|msdos)?([0-9]+)\Z", device)
    partition = re.match(r"/dev/(?:[hsv]d[a-z]+|xvd[a-z]+|nvme[0-9]+n[0-9]+p|mmcblk[0-9]+p)([0-9]+)\Z", source)
    return number is not None and partition is not None and number.group(1) == partition.group(1)


def _split(path: str, root: str) -> Tuple[str, str]:
    """The device and the path on it, without the doubled slashes that GRUB does not mind."""
    device = root
    if path.startswith("(") and ")" in path:
        device, _bracket, path = path[1:].partition(")")
    return device, re.sub("//+", "/", path)


def _unescaped(link: str) -> str:
    """A link's name without the hexadecimal escapes that udev puts for characters unfit for a file name."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match.group(1), 16)), link)
