# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role kexec_autoload: ordinary reboots of a real machine. The tests build on each other."""

from __future__ import annotations

import pytest
from ansible_run import Run
from driver import Fleet

pytestmark = pytest.mark.soak

HOST = "lab1"
FIRMWARE, KEXEC = "114", "208"
KEXEC_NEXT = "the next reboot is a kexec into the boot loader's default"


def role(fleet: Fleet, *arguments: str, **variables: str) -> Run:
    return fleet.role(HOST, "kexec_autoload", *arguments, **variables)


def changed(run: Run) -> list[bool]:
    return [task.result["changed"] for task in run.of("kexec_autoload")]


def journal(fleet: Fleet, boot: int = -1) -> str:
    return fleet.ssh(HOST, "journalctl --no-pager -o cat -b %d -u fleetops-kexec-stage -u fleetops-kexec-jump" % boot)


def test_the_role_puts_it_in_place_once(fleet: Fleet) -> None:
    # What is said at a shutdown is to be read in the next boot.
    fleet.ssh(HOST, "mkdir -p /var/log/journal && systemctl restart systemd-journald && journalctl --flush")
    assert changed(role(fleet, "--check", "--diff")) == [True]
    assert fleet.ssh(HOST, "ls /usr/local/sbin /etc/systemd/system | grep -c fleetops || true") == "0"
    assert changed(role(fleet)) == [True]
    assert changed(role(fleet)) == [False]
    assert fleet.ssh(HOST, "fleetops-kexec status") == KEXEC_NEXT


def test_an_ordinary_reboot_is_a_kexec_into_the_default(fleet: Fleet) -> None:
    older, newer = fleet.kernels(HOST)
    assert fleet.boot(HOST)["release"] == older
    after = fleet.type(HOST, "systemctl reboot")
    assert (after["release"], after["loader_type"]) == (newer, KEXEC)
    assert "this reboot is a kexec into " + newer in journal(fleet)


def test_one_reboot_through_the_firmware_can_be_asked_for(fleet: Fleet) -> None:
    fleet.ssh(HOST, "fleetops-kexec cold")
    assert fleet.type(HOST, "reboot")["loader_type"] == FIRMWARE
    assert "/run/fleetops-kexec/cold is there" in journal(fleet)
    assert fleet.ssh(HOST, "fleetops-kexec status") == KEXEC_NEXT


def test_a_default_that_has_just_been_changed_is_the_one_that_is_started(fleet: Fleet) -> None:
    older, newer = fleet.kernels(HOST)
    assert fleet.boot(HOST)["release"] == newer
    # The image's grubenv names the older kernel.
    fleet.ssh(HOST, "sed -i 's/^GRUB_DEFAULT=.*/GRUB_DEFAULT=saved/' /etc/default/grub && update-grub 2>&1")
    after = fleet.type(HOST, "shutdown -r now")
    assert (after["release"], after["loader_type"]) == (older, KEXEC)


def test_nothing_of_it_remains(fleet: Fleet) -> None:
    assert changed(role(fleet, kexec_autoload_state="absent")) == [True]
    assert changed(role(fleet, kexec_autoload_state="absent")) == [False]
    assert fleet.ssh(HOST, "find /etc /usr/local -name 'fleetops*'; systemctl list-units -a 'fleetops*' -q") == ""
    # As the tests of the other files want the machine: it runs the older kernel, and would boot the newer one.
    fleet.lab.update([HOST])
