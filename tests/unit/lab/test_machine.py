# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from vmlab.errors import LabError
from vmlab.fleet import Lab
from vmlab.machine import Settings, accelerator, qemu_arguments

SETTINGS = Settings(
    name="lab3",
    number=3,
    uuid="0c5bd0c7-5c1e-4a1b-8f0c-2a3f8f0f6f00",
    port=2207,
    variant="grub",
    image="0123456789abcdef",
    memory=768,
    post_seconds=0,
)


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({}, "user,id=net,hostfwd=tcp:127.0.0.1:2207-:22"),
        ({}, "0c5bd0c7-5c1e-4a1b-8f0c-2a3f8f0f6f00"),
        ({}, "name=opt/org.fleetops/hostname,string=lab3"),
        ({"memory": 1024}, "1024"),
        ({"post_seconds": 60}, "menu=on,splash-time=60000"),
    ],
)
def test_settings_become_arguments_of_qemu(changes, argument):
    assert argument in qemu_arguments(SETTINGS._replace(**changes), "tcg")


def test_secure_boot_gets_a_machine_that_guards_the_firmwares_variables():
    plain, secure = (qemu_arguments(SETTINGS._replace(variant=name), "tcg") for name in ("grub", "secure-boot"))
    assert "q35" in plain
    assert "q35,smm=on" in secure
    assert set(secure) - set(plain) >= {"driver=cfi.pflash01,property=secure,value=on", "ICH9-LPC.disable_s3=1"}


def test_only_the_variant_with_a_watchdog_has_one():
    plain, watched = (qemu_arguments(SETTINGS._replace(variant=name), "tcg") for name in ("grub", "watchdog"))
    assert [argument for argument in watched if argument not in plain] == ["i6300esb", "-action", "watchdog=reset"]


def test_firmware_waits_only_when_told_to():
    assert "-boot" not in qemu_arguments(SETTINGS, "tcg")


@pytest.mark.parametrize(("chosen", "accel"), [(None, "tcg"), ("kvm", "kvm")])
def test_kvm_is_used_only_when_asked_for(monkeypatch, chosen, accel):
    monkeypatch.delenv("FLEETOPS_LAB_ACCEL", raising=False)
    if chosen:
        monkeypatch.setenv("FLEETOPS_LAB_ACCEL", chosen)
    assert accelerator() == accel


def test_an_unknown_accelerator_is_refused(monkeypatch):
    monkeypatch.setenv("FLEETOPS_LAB_ACCEL", "turbo")
    with pytest.raises(LabError, match="'turbo': it may be tcg or kvm"):
        accelerator()


@pytest.mark.parametrize(
    "arguments", [{"count": 0}, {"count": 100}, {"count": 1, "post_seconds": 66}, {"count": 1, "memory": 64}]
)
def test_what_no_machine_can_have_is_refused_before_anything_is_made(tmp_path, arguments):
    with pytest.raises(LabError, match="1 to 99 machines"):
        Lab(tmp_path).up(**arguments)
    assert not (tmp_path / "id_ed25519").exists()


def test_an_unknown_machine_is_refused(tmp_path):
    with pytest.raises(LabError, match="no machine lab7"):
        Lab(tmp_path).machine("lab7")
