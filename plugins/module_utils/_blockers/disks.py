# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted disks that a boot would wait for: a passphrase, or a TPM that a kexec does not reset."""

import re
from typing import Dict, List, NamedTuple, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils import _cmdline
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import WARN, Blocker
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.mounts import covering, parse_mountinfo
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine

PASSPHRASE = "passphrase"
TPM = "tpm"
BY_ITSELF = "by itself"

# Options of crypttab(5) by which a volume is opened without a passphrase and without the TPM.
_OPENERS = ("keyscript=", "pkcs11-uri=", "fido2-device=", "_netdev", "tang")
# Volumes that the boot does not wait for.
_NOT_AWAITED = ("noauto", "nofail")
# The volume that an option of the command line is for, where it names one.
_UUID = re.compile(r"^[0-9a-fA-F-]{36}=")


class Volume(NamedTuple):
    """A line of /etc/crypttab."""

    name: str
    key: str
    """A file; empty where there is none."""
    options: Tuple[str, ...]


def parse_crypttab(text: str) -> Tuple[Volume, ...]:
    """The volumes of a crypttab(5), in its order; lines of another form are left out."""
    volumes = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 2 and not fields[0].startswith("#"):
            key = fields[2] if len(fields) > 2 and fields[2] not in ("none", "-") else ""
            options = tuple(fields[3].split(",")) if len(fields) > 3 else ()
            volumes.append(Volume(fields[0], key, options))
    return tuple(volumes)


def opened_by(volume: Volume) -> str:
    """How the boot opens it: PASSPHRASE, TPM or BY_ITSELF."""
    if any(option.startswith("tpm2-device=") and option != "tpm2-device=" for option in volume.options):
        return TPM
    if volume.key or any(option.startswith(_OPENERS) for option in volume.options):
        return BY_ITSELF
    return PASSPHRASE


def with_cmdline(volume: Volume, cmdline: str) -> Volume:
    """The volume with what the command line says of it (systemd-cryptsetup-generator(8), dracut.cmdline(7)).

    Values for a certain UUID are taken for every volume in the initramfs: a wrong guess here costs a warning.
    """
    key, options = volume.key, volume.options
    for word in _cmdline.split(cmdline):
        name, _equals, value = word.partition("=")
        if name in ("rd.luks.key", "luks.key", "cryptkey"):
            key = value
        elif name in ("rd.luks.options", "luks.options"):
            options += tuple(_UUID.sub("", value).split(","))
    return Volume(volume.name, key, options)


def disk_blockers(machine: Machine, cmdline: str) -> List[Blocker]:
    """For the volumes that a boot with *cmdline* opens."""
    table = {volume.name: volume for volume in parse_crypttab(machine.read_word("/etc/crypttab") or "")}
    found: Dict[str, List[str]] = {}
    root = _root_volumes(machine)
    for name in root:
        volume = with_cmdline(table.get(name, Volume(name, "", ())), cmdline)
        found.setdefault(opened_by(volume), []).append(name)
    for volume in table.values():
        if volume.name not in root and not set(volume.options).intersection(_NOT_AWAITED):
            found.setdefault(opened_by(volume), []).append(volume.name)
    return _judged(found, machine.find_program("clevis") is not None)


def _judged(found: Dict[str, List[str]], clevis: bool) -> List[Blocker]:
    blockers = []
    if PASSPHRASE in found:
        blockers.append(
            Blocker(
                "luks_passphrase",
                WARN,
                "the boot will wait for the passphrase of the encrypted volume %s%s, as after any reboot; "
                "in the initramfs another SSH server with another host key may answer; have the passphrase at hand"
                % (_names(found[PASSPHRASE]), " unless clevis opens it" if clevis else ""),
            )
        )
    if TPM in found:
        blockers.append(
            Blocker(
                "tpm_sealed",
                WARN,
                "the TPM opens the encrypted volume %s, and a kexec does not reset the TPM's registers, so it may stay "
                "closed and the boot wait for a passphrase; try one such host first, or reboot through the firmware"
                % _names(found[TPM]),
            )
        )
    return blockers


def _names(names: Sequence[str]) -> str:
    return ", ".join(sorted(names))


def _root_volumes(machine: Machine) -> List[str]:
    """The names of the LUKS volumes below the root file system."""
    mount = covering(parse_mountinfo(machine.read_word("/proc/self/mountinfo") or ""), "/")
    if mount is None:
        return []
    # The device number of btrfs is none of a block device; its source is then a name under /dev.
    start = "/sys/dev/block/" + mount.device
    if not machine.exists(start):
        start = "/sys/class/block/" + _kernel_name(machine, mount.source)
    names: List[str] = []
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        if (machine.read_word(folder + "/dm/uuid") or "").startswith("CRYPT-"):
            names.append(machine.read_word(folder + "/dm/name") or "?")
        waiting += ["/sys/class/block/" + name for name in machine.names(folder + "/slaves")]
    return names


def _kernel_name(machine: Machine, source: str) -> str:
    name = source.rpartition("/")[2]
    if not source.startswith("/dev/mapper/"):
        return name
    for device in machine.names("/sys/class/block"):
        if device.startswith("dm-") and machine.read_word("/sys/class/block/%s/dm/name" % device) == name:
            return device
    return name
