# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey of a host, as kexec_info returns it: gathered without changing anything."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils import _kexec, _staging
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import (
    REFUSE,
    WARN,
    Blocker,
    Rules,
    concerns,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.disks import disk_blockers
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.kernel import (
    call_blockers,
    init_blockers,
    kernel_blockers,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.known_trouble import troubles_of
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.machine import (
    firmware_blockers,
    guest_blockers,
    space_blockers,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.target import target_blockers
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import BootConfig, BootEntry
from ansible_collections.fleetops.kexec.plugins.module_utils._capabilities import capabilities
from ansible_collections.fleetops.kexec.plugins.module_utils._firmware_times import firmware_times
from ansible_collections.fleetops.kexec.plugins.module_utils._hardware import Hardware, read_hardware
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import HostKind, read_host_kind
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._net.state import Net, read_net
from ansible_collections.fleetops.kexec.plugins.module_utils._running import Running, read_running
from ansible_collections.fleetops.kexec.plugins.module_utils._target import (
    Selection,
    Target,
    inspect_kernel,
    release_of,
    select_target,
)


def reboot_reasons(machine: Machine, target: Target, running: Running) -> List[str]:
    """Why the host needs a reboot to run what it is meant to; empty where it does not."""
    reasons = []
    if target.release is not None and target.release != running.release:
        reasons.append("kernel %s is to run, and %s is running" % (target.release, running.release))
    else:
        build = inspect_kernel(machine, target.kernel).build
        if build not in (None, running.version):
            reasons.append(
                "another build of kernel %s is to run: %s instead of %s" % (running.release, build, running.version)
            )
    if machine.exists("/run/reboot-required"):
        packages = " ".join(sorted(set((machine.read_word("/run/reboot-required.pkgs") or "").split())))
        reasons.append("the distribution asks for a reboot" + (": " + packages if packages else ""))
    return reasons


class Intent(NamedTuple):
    """What the operator means to do with the host."""

    method: str = "kexec"
    """kexec, kexec_now or firmware."""
    reasons: Tuple[str, ...] = ()
    """For a reboot, whatever the host itself says."""
    objections: Tuple[str, ...] = ()
    """Against any reboot."""

    @classmethod
    def of(cls, params: Dict[str, Any]) -> "Intent":
        """From kexec_info's parameters; raises KexecError."""
        if params["method"] == "firmware" and (params["kernel"] or params["entry"] not in (None, "default")):
            raise KexecError(
                "a reboot through the firmware starts what the boot loader starts by itself; an entry or a kernel "
                "cannot be chosen with method firmware"
            )
        objections = (" ".join(text.split()) for text in params["objections"])
        return cls(params["method"], tuple(params["reasons"]), tuple(text for text in objections if text))


_BY_KEXEC = Intent()


def survey(machine: Machine, selection: Selection, rules: Rules, intent: Intent = _BY_KEXEC) -> Dict[str, Any]:
    """The value of ``kexec`` in the module's result. Raises KexecError only where /proc itself is not readable."""
    running = read_running(machine)
    record = _staging.read_record(machine, running.boot_id)
    kind = read_host_kind(machine)
    hardware = read_hardware(machine)
    able = capabilities(machine, running.release)
    blockers = [Blocker("objection", REFUSE, text) for text in intent.objections]
    blockers += kernel_blockers(machine, kind.container) + init_blockers(kind.init) + call_blockers(machine, able)

    config: Optional[BootConfig] = None
    try:
        config = read_boot_loader(machine)
    except KexecError as error:
        severity = REFUSE if selection.needs_boot_loader() else WARN
        blockers.append(Blocker("boot_loader", severity, str(error)))
    blockers += [Blocker("boot_entry_files", WARN, sentence) for sentence in config.warnings] if config else []

    target: Optional[Target] = None
    reasons: Optional[List[str]] = None
    if config is not None or not selection.needs_boot_loader():
        try:
            target = select_target(machine, selection, running, config)
            reasons = reboot_reasons(machine, target, running)
            blockers += target_blockers(machine, target, able)
        except KexecError as error:
            blockers.append(Blocker("target", REFUSE, str(error)))
    blockers += _machine_blockers(machine, kind, hardware, running.cmdline if target is None else target.cmdline, rules)

    net = None
    try:
        net = read_net(machine)
    except KexecError as error:
        if machine.euid == 0:  # Without root it may just be unreadable.
            blockers.append(Blocker("rollback_net", REFUSE, str(error)))

    undecided = reasons is None and not intent.reasons
    result: Dict[str, Any] = {
        "method": intent.method,
        "running": dict(running._asdict()),
        "boot_loader": None if config is None else config.loader,
        "default_entry": None if config is None or config.default is None else _shown(machine, config.default),
        "one_shot_entry": None if config is None else config.one_shot,
        "entries": [] if config is None else [_shown(machine, entry) for entry in config.entries],
        "target": None if target is None else dict(target._asdict()),
        "loaded": {
            "image": bool(_kexec.is_loaded(machine)),
            "crash": _kexec.is_crash_loaded(machine),
            "ours": None if record is None else dict(record._asdict()),
        },
        "net": None if net is None else _shown_net(net, config),
        "capabilities": able,
        "init": kind.init,
        "virtualization": kind.virtualization,
        "hardware": hardware.as_result(),
        "reboot_needed": None if undecided else bool(reasons or intent.reasons),
        "reboot_reasons": (reasons or []) + list(intent.reasons),
        "blockers": [
            dict(blocker._asdict())
            for blocker in rules.remaining(blockers)
            if concerns(blocker.id, intent.method, undecided)
        ],
    }
    result.update(firmware_times(machine, kind, running.booted_by))
    return result


def _machine_blockers(
    machine: Machine, kind: HostKind, hardware: Hardware, cmdline: str, rules: Rules
) -> List[Blocker]:
    """What speaks against a kexec of this machine; of a container's host nothing is said."""
    if kind.container is not None:
        return []
    troubles = troubles_of(hardware, kind.virtualization, rules.known_trouble)
    return (
        guest_blockers(machine, kind)
        + [Blocker(row.id, row.severity, row.sentence()) for row in troubles]
        + disk_blockers(machine, cmdline)
        + firmware_blockers(machine)
        + space_blockers(machine)
    )


def _shown_net(net: Net, config: Optional[BootConfig]) -> Dict[str, Any]:
    armed = config is not None and config.one_shot == net.one_shot.value
    return {"armed": armed, "entry": net.one_shot.value, "since": net.since, "token": net.token}


def _shown(machine: Machine, entry: BootEntry) -> Dict[str, Any]:
    values = dict(entry._asdict())
    values["release"] = release_of(machine, entry.kernel)
    return values
