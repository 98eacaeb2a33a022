# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hardware and drivers that are known for trouble after a kexec: a table, and the match of a host with it. Pure.

A kexec does not reset the buses. A driver that does not bring its device to rest at shutdown leaves it in a state
that the next kernel's driver may not expect.
"""

from fnmatch import fnmatchcase
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._hardware import Hardware
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError


class Trouble(NamedTuple):
    """A row: a host has the trouble where all conditions hold that are given.

    A condition is a shell pattern, or several separated by ``|``. Upper and lower case are the same.
    """

    id: str
    severity: str
    message: str
    source: str
    """Who says so; empty for an operator's own row."""
    driver: Optional[str] = None
    """A driver bound to a PCI device, or a loaded module."""
    pci: Optional[str] = None
    """vendor:device:subsystem vendor:subsystem device, as ``lspci -nn -v`` shows them."""
    vendor: Optional[str] = None
    product: Optional[str] = None
    asset_tag: Optional[str] = None
    """Of the chassis."""
    processor: Optional[str] = None
    """The model name."""
    virtualization: Optional[str] = None

    def sentence(self) -> str:
        """The message with its source."""
        return "%s (source: %s)" % (self.message, self.source) if self.source else self.message


CONDITIONS = ("driver", "pci", "vendor", "product", "asset_tag", "processor", "virtualization")

_REPORTED = "reported by users of kexec, in no place that could be cited; not tried by the authors"

TABLE = (
    Trouble(
        "nvidia",
        "warn",
        "the module nvidia is loaded, and cards under it are known to be unusable or to hang the machine after a "
        "kexec; stop what uses them and unload the nvidia modules before",
        _REPORTED,
        driver="nvidia",
    ),
    Trouble(
        "radeon_rn50",
        "warn",
        "the graphics chip RN50 (ES1000) under the driver radeon is known to hang after a kexec; block the module "
        "radeon if no screen is needed",
        _REPORTED,
        driver="radeon",
        pci="1002:515e:*",
    ),
    Trouble(
        "meteor_lake",
        "warn",
        "the driver i915 is known not to come up again on Meteor Lake graphics after a kexec",
        "https://github.com/onedr0p/home-ops/pull/8568",
        driver="i915",
        # include/drm/intel/pciids.h, INTEL_MTL_IDS
        pci="8086:7d40:*|8086:7d45:*|8086:7d55:*|8086:7d60:*|8086:7dd5:*",
    ),
    Trouble(
        "smart_array",
        "refuse",
        "this Smart Array controller cannot be reset by the driver hpsa, so its disks are likely to be missing after "
        "a kexec",
        "drivers/scsi/hpsa.c, unresettable_controller",
        driver="hpsa",
        pci="|".join(
            ["*:103c:%s" % board for board in "324a 324b 3223 3234 3235 3211 3212 3213 3214 3215 3237 323d".split()]
            + ["*:0e11:%s" % board for board in "4080 409c 409d 4070 4082 4083 409a 409b 4091".split()]
        ),
    ),
    Trouble(
        "mellanox_firmware",
        "warn",
        "adapters under mlx4_core and mlx5_core are known not to come up after a kexec while their own firmware is "
        "old (ConnectX-4: before 12.17); update it, and ignore this blocker then",
        "https://github.com/open-power/op-build/pull/781; mlx4: " + _REPORTED,
        driver="mlx4_core|mlx5_core",
    ),
    Trouble(
        "ioatdma",
        "warn",
        "the DMA engine under the driver ioatdma is known to fail its self-test after a kexec; block the module "
        "ioatdma if nothing needs it",
        _REPORTED,
        driver="ioatdma",
    ),
    Trouble(
        "hpwdt",
        "warn",
        "the watchdog under hpwdt is not stopped at shutdown; once started, it resets the machine unless the new "
        "kernel takes it over in time",
        "drivers/watchdog/hpwdt.c, which does not call watchdog_stop_on_reboot",
        driver="hpwdt",
    ),
    Trouble(
        "ipmi_watchdog",
        "warn",
        "the watchdog under ipmi_watchdog, once started, is armed at shutdown for at least 120 seconds; it resets the "
        "machine unless the new kernel takes it over by then",
        "drivers/char/ipmi/ipmi_watchdog.c, wdog_reboot_handler",
        driver="ipmi_watchdog",
    ),
    Trouble(
        "jasper_lake",
        "refuse",
        "machines with the processors N5100 and N5105 are known to stop with a black screen at a kexec, until their "
        "power is switched off",
        "https://github.com/coreos/fedora-coreos-tracker/issues/2071, "
        "https://github.com/nix-community/nixos-anywhere/issues/289",
        processor="*N5100*|*N5105*",
    ),
    Trouble(
        "raspberry_pi_4",
        "warn",
        "the Raspberry Pi 4 is known for kexecs that do not come up",
        _REPORTED,
        product="Raspberry Pi 4*",
    ),
    Trouble(
        "azure",
        "warn",
        "on Azure a kexec is known to fail now and then, after which the machine does not come up or is reset; "
        "little time is lost there by a reboot through the firmware",
        "https://github.com/systemd/systemd/issues/20072, https://github.com/nix-community/nixos-anywhere/issues/400",
        vendor="Microsoft Corporation",
        product="Virtual Machine",
        # The tag of all of Azure's machines, by which cloud-init knows them too.
        asset_tag="7783-7084-3265-9085-8269-3286-77",
    ),
)


def with_own_rows(table: Sequence[Trouble], rows: Iterable[Dict[str, Any]]) -> Tuple[Trouble, ...]:
    """The table with an operator's rows, each of which replaces one of the same id. Raises KexecError."""
    own = [_own_row(row) for row in rows]
    names = [row.id for row in own]
    return tuple(row for row in table if row.id not in names) + tuple(own)


def _own_row(row: Dict[str, Any]) -> Trouble:
    conditions = {name: row[name] for name in CONDITIONS if row.get(name)}
    if not conditions:
        raise KexecError(
            "the known trouble %r would hold for every host: give it one of %s" % (row["id"], ", ".join(CONDITIONS))
        )
    return Trouble(row["id"], row["severity"], row["reason"], "", **conditions)


def troubles_of(hardware: Hardware, virtualization: str, table: Iterable[Trouble]) -> List[Trouble]:
    """The rows that hold for this hardware."""
    values = {
        "driver": [device.driver for device in hardware.pci if device.driver]
        + list(hardware.guest_drivers + hardware.modules),
        "pci": [device.ids for device in hardware.pci],
        "vendor": [hardware.vendor],
        "product": [hardware.product],
        "asset_tag": [hardware.asset_tag],
        "processor": [hardware.processor],
        "virtualization": [virtualization],
    }
    return [row for row in table if _holds(row, values)]


def _holds(row: Trouble, values: Dict[str, List[str]]) -> bool:
    conditions = [(name, getattr(row, name)) for name in CONDITIONS if getattr(row, name) is not None]
    return all(any(_matches(name, value, pattern) for value in values[name]) for name, pattern in conditions)


def _matches(name: str, value: str, pattern: str) -> bool:
    value, pattern = value.lower(), pattern.lower()
    if name == "driver":  # One and the same driver is nvidia-drm on its bus and nvidia_drm as a module.
        value, pattern = value.replace("-", "_"), pattern.replace("-", "_")
    return any(fnmatchcase(value, alternative.strip()) for alternative in pattern.split("|"))
