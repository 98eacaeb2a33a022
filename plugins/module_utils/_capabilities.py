# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the running kernel and the tools of a host offer for kexec."""

import contextlib
import gzip
import re
from typing import Any, Dict, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils import _kexec
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine


def capabilities(machine: Machine, release: str) -> Dict[str, Any]:
    """What the running kernel and the tools of this host offer for kexec; None means that it cannot be told."""
    config = kernel_config(machine, release)
    has_kexec = _kexec.is_loaded(machine) is not None
    lockdown = _kexec.lockdown_of(machine)
    secure_boot = _secure_boot(machine)
    return {
        "file_load": has_kexec and _is_set(config, "CONFIG_KEXEC_FILE"),
        "legacy_load": has_kexec and _is_set(config, "CONFIG_KEXEC"),
        "tools": machine.find_program("kexec"),
        "signature_enforced": _signature_enforced(config, lockdown, secure_boot),
        "lockdown": lockdown,
        "secure_boot": secure_boot,
        "load_disabled": _kexec.is_load_disabled(machine),
    }


def kernel_config(machine: Machine, release: str) -> Optional[str]:
    """The options that a kernel was built with; None where they cannot be told."""
    for path in ("/boot/config-%s" % release, "/lib/modules/%s/config" % release):
        with contextlib.suppress(KexecError):  # absent, or for root alone
            return machine.read_text(path)
    try:
        return gzip.decompress(machine.read_bytes("/proc/config.gz")).decode("utf-8", "replace")
    except (KexecError, OSError, EOFError):
        return None


def _is_set(config: Optional[str], option: str) -> Optional[bool]:
    if config is None:
        return None
    return re.search(r"^%s=y$" % re.escape(option), config, re.MULTILINE) is not None


def _signature_enforced(config: Optional[str], lockdown: Optional[str], secure_boot: Optional[bool]) -> Optional[bool]:
    if lockdown not in (None, "none"):
        return True
    # security/integrity/ima/ima_efi.c: under Secure Boot that policy enforces signatures without any lockdown.
    if secure_boot and _is_set(config, "CONFIG_IMA_ARCH_POLICY") and _is_set(config, "CONFIG_KEXEC_SIG"):
        return True
    return _is_set(config, "CONFIG_KEXEC_SIG_FORCE")


def _secure_boot(machine: Machine) -> Optional[bool]:
    """Whether Secure Boot is enforced; None on a machine without UEFI variables."""
    variables = "/sys/firmware/efi/efivars/"
    values = {}
    for name in machine.names(variables):
        variable = name.partition("-")[0]
        if variable in ("SecureBoot", "SetupMode"):
            # Four bytes of attributes come before the value (Documentation/filesystems/efivarfs.rst).
            with contextlib.suppress(KexecError):  # for root alone
                values[variable] = machine.read_bytes(variables + name, 5)[4:5] == b"\x01"
    if "SecureBoot" not in values:
        return False if machine.is_directory(variables) and machine.euid == 0 else None
    return values["SecureBoot"] and not values.get("SetupMode", False)
