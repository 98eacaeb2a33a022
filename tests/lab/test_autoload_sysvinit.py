# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role kexec_autoload where Debian's own scripts do the work. The tests build on each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from driver import Fleet
from one_machine import FIRMWARE, HOST, KEXEC, one_machine

pytestmark = pytest.mark.soak

SETTING = "grep -v '^#' /etc/default/kexec | grep LOAD_KEXEC"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A machine with sysvinit, whose administrator has turned LOAD_KEXEC off."""
    with one_machine("autoload", tmp_path_factory.mktemp("ansible"), variant="sysvinit") as fleet:
        fleet.ssh(HOST, "sed -i 's/^LOAD_KEXEC=.*/LOAD_KEXEC=false/' /etc/default/kexec")
        yield fleet


def changed(fleet: Fleet, **variables: str) -> bool:
    (task,) = fleet.role(HOST, "kexec_autoload", **variables).of("kexec_autoload")
    return bool(task.result["changed"])


def test_the_role_turns_on_what_debian_has(fleet: Fleet) -> None:
    assert [changed(fleet), changed(fleet)] == [True, False]
    assert fleet.ssh(HOST, SETTING) == "LOAD_KEXEC=true"
    assert fleet.type(HOST, "reboot")["loader_type"] == KEXEC


def test_one_reboot_through_the_firmware_can_be_asked_for(fleet: Fleet) -> None:
    assert fleet.type(HOST, "touch /no-kexec-reboot; reboot")["loader_type"] == FIRMWARE
    assert fleet.type(HOST, "shutdown -r now")["loader_type"] == KEXEC


def test_what_was_there_is_restored(fleet: Fleet) -> None:
    assert [changed(fleet, kexec_autoload_state="absent") for _ in range(2)] == [True, False]
    assert fleet.ssh(HOST, SETTING) == "LOAD_KEXEC=false"
    assert fleet.ssh(HOST, "ls /etc | grep -c fleetops || true") == "0"
    assert fleet.type(HOST, "reboot")["loader_type"] == FIRMWARE
