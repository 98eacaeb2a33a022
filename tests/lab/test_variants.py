# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of machine through the whole way: survey, staging, kexec, proof, firmware reboot, unloading.

The steps of a variant build on each other. conftest.py prints the table of what passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from one_machine import KEXEC, Site, one_machine

_ABLE = {"file_load": True, "legacy_load": True, "load_disabled": False}
_FREE = {**_ABLE, "secure_boot": False, "lockdown": "none", "signature_enforced": False}


class Variant(NamedTuple):
    """What the survey has to say of it."""

    name: str
    boot_loader: str
    init: str
    capabilities: dict[str, Any]
    tools: bool = False


VARIANTS = [
    pytest.param(Variant("grub", "grub", "systemd", _FREE), id="grub", marks=pytest.mark.lab),
    pytest.param(Variant("systemd-boot", "systemd-boot", "systemd", _FREE), id="systemd-boot", marks=pytest.mark.soak),
    pytest.param(Variant("sysvinit", "grub", "sysvinit", _FREE, tools=True), id="sysvinit", marks=pytest.mark.soak),
    pytest.param(
        Variant(
            "secure-boot",
            "grub",
            "systemd",
            {**_ABLE, "secure_boot": True, "lockdown": "integrity", "signature_enforced": True},
        ),
        id="secure-boot",
        marks=pytest.mark.soak,
    ),
]


@dataclass(frozen=True)
class VariantSite(Site):
    """A machine of a variant."""

    variant: Variant


@pytest.fixture(scope="module", params=VARIANTS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VariantSite]:
    variant: Variant = request.param
    with one_machine("variants", tmp_path_factory.mktemp(variant.name), variant=variant.name) as fleet:
        yield VariantSite.of(fleet, variant=variant)


def refusals(survey: dict[str, Any]) -> dict[str, str]:
    return {blocker["id"]: blocker["message"] for blocker in survey["blockers"] if blocker["severity"] == "refuse"}


def test_info(site: VariantSite) -> None:
    survey = site.survey()
    assert (survey["boot_loader"], survey["init"]) == (site.variant.boot_loader, site.variant.init)
    assert survey["capabilities"].items() >= site.variant.capabilities.items()
    assert (survey["capabilities"]["tools"] is not None) == site.variant.tools
    assert survey["blockers"] == []
    assert (survey["running"]["release"], survey["running"]["booted_by"]) == (site.older, "firmware")
    assert {entry["release"] for entry in survey["entries"]} == {site.older, site.newer}
    assert [entry["problem"] for entry in survey["entries"] if entry["problem"]] == []
    assert survey["default_entry"]["release"] == survey["target"]["release"] == site.newer
    assert survey["reboot_needed"] is True


def test_stage(site: VariantSite) -> None:
    first, again = site.modules("kexec_load", [{}, {}])
    assert (first["failed"], first["changed"], again["changed"]) == (False, True, False)
    assert first["staged"]["release"] == site.newer
    assert site.survey()["loaded"]["ours"]["token"] == first["staged"]["token"]


def test_kexec(site: VariantSite) -> None:
    result = site.module("kexec_reboot")
    assert result["failed"] is False
    assert (result["method"], result["fell_back"]) == ("kexec", False)
    assert result["release"] == {"before": site.older, "after": site.newer}


def test_verify(site: VariantSite) -> None:
    boot = site.boot()
    assert (boot["release"], boot["loader_type"], boot["kexec_loaded"]) == (site.newer, KEXEC, "0")
    survey = site.survey()
    assert survey["running"]["booted_by"] == "kexec"
    assert (survey["boot_loader"], survey["reboot_needed"], survey["blockers"]) == (site.variant.boot_loader, False, [])
    # The root file system was left clean, whichever init system did it.
    assert site.ssh("dmesg | grep -ciE 'ext4-fs.*(recover|orphan|error)' || true") == "0"


def test_firmware(site: VariantSite) -> None:
    staged = site.module("kexec_load", entry=site.older)
    assert staged["staged"]["release"] == site.older
    result = site.module("kexec_reboot", method="firmware")
    assert result["failed"] is False
    assert (result["rebooted"], result["method"]) == (True, "firmware")
    # The boot loader's choice is the one that was read, and not what was staged.
    assert result["release"]["after"] == site.newer
    assert site.boot()["loader_type"] != KEXEC


def test_unload(site: VariantSite) -> None:
    staged, undone, again = site.modules(
        "kexec_load", [{"entry": "running"}, {"state": "unloaded"}, {"state": "unloaded"}]
    )
    assert staged["staged"]["release"] == site.newer
    # Boot loaders name themselves and their files there; systemd-boot's initrd=\path would mean nothing to a kexec.
    assert "BOOT_IMAGE=" not in staged["staged"]["cmdline"]
    assert "initrd=" not in staged["staged"]["cmdline"]
    assert (undone["changed"], again["changed"]) == (True, False)
    assert site.boot()["kexec_loaded"] == "0"


# Run in the machine: the kernel without its signature, and with one bit changed that the signature covers.
DAMAGE = """
import struct
content = bytearray(open("/boot/vmlinuz-%s", "rb").read())
altered = bytearray(content)
altered[len(altered) // 2] ^= 1
open("/root/altered", "wb").write(altered)
(header,) = struct.unpack_from("<I", content, 0x3c)
entry = header + 24 + 144
offset, size = struct.unpack_from("<II", content, entry)
struct.pack_into("<II", content, entry, 0, 0)
open("/root/unsigned", "wb").write(content[:offset])
"""

SENTENCES = {
    "altered": "the signature does not match: the image is damaged or altered; install its package again",
    "unsigned": "the image is not signed, and this kernel accepts signed ones only; use a signed kernel package",
}


def test_signatures(site: VariantSite) -> None:
    """Both are refused where signatures are enforced, by the survey and by the kernel; else the machine takes them."""
    enforced: bool = site.variant.capabilities["signature_enforced"]
    site.ssh("python3 -c '%s'" % (DAMAGE % site.newer))
    for name, sentence in SENTENCES.items():
        files = {"kernel": "/root/" + name, "initrd": ["/boot/initrd.img-" + site.newer]}
        refused = {name + "_kernel": "the kernel /root/%s: %s" % (name, sentence)} if enforced else {}
        assert refusals(site.survey(**files)) == refused
        loaded, _unloaded = site.modules("kexec_load", [files, {"state": "unloaded"}])
        assert loaded["failed"] is enforced
        if enforced:
            assert loaded["msg"] == "cannot stage the kernel /root/%s: %s" % (name, sentence)
    assert site.boot()["kexec_loaded"] == "0"
