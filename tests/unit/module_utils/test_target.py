# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import BootConfig, BootEntry
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from ansible_collections.fleetops.kexec.plugins.module_utils._running import read_running
from ansible_collections.fleetops.kexec.plugins.module_utils._target import Selection, select_target

NEWEST = Selection("newest", None, ())


def entry(release, identity=None, title=None, cmdline="ro", problem=None):
    kernel = "/boot/vmlinuz-" + release
    return BootEntry(identity or release, title or release, kernel, (), cmdline, "grub", problem)


def config(*entries, **more):
    default = more.get("default", entries[0])
    return BootConfig("grub", "/boot/grub/grub.cfg", entries, default, more.get("why"), None)


def chosen(host, selection, boot):
    machine = host.machine()
    return select_target(machine, selection, read_running(machine), boot)


UEK, NEW_UEK, RHCK = "5.15.0-206.el8uek.x86_64", "5.15.0-300.el8uek.x86_64", "6.0.0-553.el8_10.x86_64"


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([entry(UEK), entry(RHCK), entry(NEW_UEK)], NEW_UEK),
        ([entry(RHCK), entry(UEK), entry(NEW_UEK)], RHCK),
        # What cannot be staged, and what is for rescue, is left out.
        ([entry(UEK), entry(NEW_UEK, problem="its kernel was removed")], UEK),
        ([entry(UEK), entry(NEW_UEK, identity="rescue-1")], UEK),
        ([entry(UEK), entry(NEW_UEK, title="Oracle Linux (recovery mode)")], UEK),
        ([entry(UEK), entry(NEW_UEK, cmdline="ro single")], UEK),
        ([entry(UEK), entry(NEW_UEK, cmdline="ro systemd.unit=rescue.target")], UEK),
        ([entry(UEK), entry("0-rescue-b7f0d8e2b8a04f3d9a6e5b7c2d1e0f34")], UEK),
        ([entry("6.12.0-rc7"), entry("6.12.0"), entry("6.11.9")], "6.12.0"),
    ],
)
def test_the_newest_entry_is_of_the_defaults_flavour(host, entries, found):
    target = chosen(host, NEWEST, config(*entries))
    assert (target.release, target.kernel) == (found, "/boot/vmlinuz-" + found)


def test_of_two_entries_with_one_release_the_first_is_taken(host):
    target = chosen(host, NEWEST, config(entry(UEK, "first"), entry(UEK, "second", cmdline="ro other")))
    assert (target.entry, target.cmdline) == ("first", "ro")


@pytest.mark.parametrize(
    ("boot", "sentence"),
    [
        (config(entry(UEK), default=None, why="two defaults"), "/boot/grub/grub.cfg names no default (two defaults)"),
        (config(entry("x")._replace(kernel="/boot/bzImage")), "the release of the default /boot/bzImage is unknown"),
        (config(entry(UEK, problem="gone"), entry(RHCK)), "has no entry to stage of the flavour of " + UEK),
    ],
)
def test_where_the_newest_cannot_be_told_it_is_refused(host, boot, sentence):
    with pytest.raises(KexecError) as error:
        chosen(host, NEWEST, boot)
    assert sentence in str(error.value)
