# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._firmware_times import (
    firmware_times,
    from_fpdt,
    from_systemd,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import read_host_kind

SECOND = 1000000000


@pytest.mark.parametrize(
    ("before_firmware", "before_loader", "times"),
    [
        (98_500_000, 1_500_000, (97.0, 1.5)),
        (0, 1_500_000, (None, 1.5)),
        (0, 0, (None, None)),
        (98_500_000, 0, (None, None)),
        (9_998_500_000, 1_500_000, (None, 1.5)),
        (1_000_000, 1_500_000, (None, 1.5)),
    ],
)
def test_systemds_timestamps(before_firmware, before_loader, times):
    assert from_systemd(before_firmware, before_loader) == times


@pytest.mark.parametrize(
    ("launch", "end", "times"),
    [
        (42 * SECOND, 44500000000, (42.0, 2.5)),
        (42 * SECOND, 42 * SECOND, (42.0, None)),
        (0, 44 * SECOND, (None, None)),
        (42 * SECOND, 0, (None, None)),
        (42 * SECOND, 41 * SECOND, (None, None)),
        (3599 * SECOND, 3601 * SECOND, (None, None)),
        (2**64 - 2, 2**64 - 1, (None, None)),
    ],
)
def test_the_firmwares_own_record(launch, end, times):
    assert from_fpdt(launch, end) == times


def look(host, booted_by="firmware"):
    return firmware_times(host.machine(), read_host_kind(host.machine()), booted_by)


def _fpdt(host, launch, end):
    host.write("sys/firmware/acpi/fpdt/boot/bootloader_launch_ns", launch + "\n")
    host.write("sys/firmware/acpi/fpdt/boot/exitbootservice_end_ns", end + "\n")


@pytest.mark.parametrize(
    ("systemd", "fpdt", "expected"),
    [
        ((9000000, 2000000), ("42000000000", "43000000000"), (7.0, 2.0)),
        ((0, 0), ("42000000000", "43000000000"), (42.0, 1.0)),
        ((0, 2000000), ("42000000000", "43000000000"), (42.0, 1.0)),
        ((0, 2000000), ("0", "0"), (None, 2.0)),
        ((0, 0), ("none", ""), (None, None)),
    ],
)
def test_the_record_stands_in_where_systemd_does_not_know(host, systemd, fpdt, expected):
    host.systemd(FirmwareTimestampMonotonic=systemd[0], LoaderTimestampMonotonic=systemd[1])
    _fpdt(host, *fpdt)
    times = look(host)
    assert (times["firmware_seconds"], times["loader_seconds"]) == expected


@pytest.mark.parametrize(("booted_by", "stale"), [("firmware", False), ("kexec", True), ("unknown", False)])
def test_after_a_kexec_they_are_those_of_an_earlier_boot(host, booted_by, stale):
    assert look(host, booted_by)["firmware_times_stale"] is stale
