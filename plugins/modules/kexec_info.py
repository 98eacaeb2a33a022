#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kexec_info
short_description: Tell what a host runs, what it would boot, and whether it may kexec
version_added: 1.0.0
description:
  - Reads the running kernel, the boot loader's entries, what is staged for the next kexec, and what stands against a
    kexec.
  - Changes nothing.
  - Reads GRUB (with C(grub.cfg) and with Boot Loader Spec files), systemd-boot, legacy GRUB and extlinux. Where
    several have left their files, the one that has started the host counts. C(grubby), where it is installed, is
    asked for a second opinion.
  - Hosts with systemd are understood in full. On others, a blocker says what is not known there.
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.read_only
options:
  entry:
    description:
      - The boot entry that the host is meant to run. RV(ignore:kexec.reboot_needed) is judged against it.
      - V(default) for what the boot loader starts by itself, V(newest) for the highest release of the default's
        flavour (such as C(uek), C(cloud), C(rt) or C(debug)) among its entries, V(running) for the running kernel,
        or an entry's id, title or release.
      - The default is V(default), unless O(kernel) is given.
    type: str
  kernel:
    description: The kernel file on the host that it is meant to run, instead of an entry.
    type: path
  initrd:
    description: The initial RAM disks that go with O(kernel).
    type: list
    elements: path
  method:
    description:
      - How the host is to be rebooted. What does not stand against that way is left out of RV(ignore:kexec.blockers).
      - With V(firmware) neither an O(entry) nor a O(kernel) can be chosen.
    type: str
    choices: [kexec, kexec_now, firmware]
    default: kexec
  reasons:
    description: Reasons of yours for a reboot, added to RV(ignore:kexec.reboot_reasons).
    type: list
    elements: str
    default: []
  objections:
    description:
      - Reasons of yours against a reboot of this host. Each is a blocker V(objection), which refuses, whatever the
        O(method).
      - One that is empty is none.
    type: list
    elements: str
    default: []
  known_trouble:
    description:
      - Hardware and drivers with which a kexec goes wrong, in addition to those that the collection knows. A host
        that fulfils all given conditions of an item has it as a blocker.
      - A condition is a shell pattern, or several separated by C(|). Upper and lower case are the same.
      - An item with the id of a known one replaces it. To be rid of a known one, name it in O(ignore_blockers).
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: The blocker's id.
        type: str
        required: true
      severity:
        description: V(refuse), where the host is not to be rebooted by kexec, or V(warn).
        type: str
        choices: [refuse, warn]
        default: refuse
      reason:
        description: A sentence for the operator.
        type: str
        required: true
      driver:
        description: A driver bound to a PCI device, or a loaded module.
        type: str
      pci:
        description:
          - The ids of a PCI device, its vendor, its type, its subsystem's vendor and its subsystem, as in
            V(1002:515e:103c:3234).
        type: str
      vendor:
        description: The system's vendor, RV(ignore:kexec.hardware.vendor).
        type: str
      product:
        description: The system's product name, RV(ignore:kexec.hardware.product).
        type: str
      asset_tag:
        description: The asset tag of the chassis.
        type: str
      processor:
        description: The model name of the processor.
        type: str
      virtualization:
        description: RV(ignore:kexec.virtualization).
        type: str
  ignore_blockers:
    description:
      - Ids of blockers to leave out of the answer.
      - What really cannot work cannot be ignored, and its id here is an error, as is one that no blocker has. These
        are V(boot_loader), V(container), V(init), V(load_disabled), V(load_limit), V(no_call), V(no_kexec),
        V(not_root), V(objection), V(rollback_net) and V(target).
    type: list
    elements: str
    default: []
notes:
  - Without root it answers as far as it can, with the blocker V(not_root). The boot loader's files may be unreadable
    then.
seealso:
  - module: fleetops.kexec.kexec_load
  - module: fleetops.kexec.kexec_reboot
"""

EXAMPLES = r"""
- name: Look at the host
  fleetops.kexec.kexec_info:
  register: host

- name: Look, with what is known of the own machines
  fleetops.kexec.kexec_info:
    known_trouble:
      - id: old_nics
        driver: bnx2x
        product: ProLiant DL380 G7*
        reason: the network adapters of this model stay dark after a kexec
    ignore_blockers: [mellanox_firmware]

- name: Say which hosts need a reboot
  ansible.builtin.debug:
    msg: "{{ host.kexec.reboot_reasons }}"
  when: host.kexec.reboot_needed
"""

RETURN = r"""
kexec:
  description: The host as it is.
  returned: success
  type: dict
  contains:
    method:
      description: As in O(method).
      type: str
    running:
      description: The running kernel.
      type: dict
      contains:
        release:
          description: As C(uname -r).
          type: str
          sample: 6.1.0-55-cloud-amd64
        version:
          description: As C(uname -v). It tells two builds of one release apart.
          type: str
          sample: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-30)'
        cmdline:
          description: Its command line.
          type: str
          sample: BOOT_IMAGE=/boot/vmlinuz-6.1.0-55-cloud-amd64 root=LABEL=root ro
        boot_id:
          description: The UUID that the kernel drew at this boot.
          type: str
          sample: 0cdfa0ad-9b1d-4a5d-9e0d-3c1cd2b2f0b5
        booted_by:
          description: V(kexec), V(firmware), or V(unknown) where the architecture leaves no trace.
          type: str
          sample: firmware
    boot_loader:
      description: The boot loader whose configuration was read, or null.
      type: str
      sample: grub
    default_entry:
      description: What the boot loader starts unless told otherwise, as in RV(kexec.entries), or null.
      type: dict
    one_shot_entry:
      description:
        - The entry that the next start through the boot loader uses once, as written there (GRUB's C(next_entry),
          systemd-boot's C(LoaderEntryOneShot)), or null.
      type: str
    entries:
      description: The boot loader's Linux entries in the order of its menu.
      type: list
      elements: dict
      contains:
        id:
          description: As the boot loader names it, after the ids of its submenus, joined by C(>).
          type: str
        title:
          description: As its menu shows it, after the titles of its submenus, joined by C(>).
          type: str
        release:
          description: The kernel release that the kernel file states, or its name, or null.
          type: str
        kernel:
          description: The kernel file as the running system sees it.
          type: str
        initrds:
          description: The initial RAM disks as the running system sees them.
          type: list
          elements: str
        cmdline:
          description: The command line as the boot loader passes it.
          type: str
        source:
          description:
            - Where the entry was read, V(grub), V(bls) (by GRUB, in a Boot Loader Spec file), V(systemd-boot),
              V(grub-legacy), V(extlinux) or V(grubby).
          type: str
        problem:
          description: Why the entry cannot be staged, or null.
          type: str
    target:
      description:
        - The kernel that the host is meant to run, by O(entry) or O(kernel), or null where a blocker says why.
      type: dict
      contains:
        release:
          description: What C(uname -r) will say, or null where neither the image nor its name tells.
          type: str
        build:
          description: What C(uname -v) will say, or null where the image does not tell, which it does on x86 only.
          type: str
        kernel:
          description: Its file.
          type: str
        initrds:
          description: Its initial RAM disks.
          type: list
          elements: str
        cmdline:
          description: Its command line as the boot loader passes it.
          type: str
        entry:
          description: The id of its entry, or null.
          type: str
        title:
          description: The title of its entry, or null.
          type: str
    loaded:
      description: What the kernel has loaded.
      type: dict
      contains:
        image:
          description: Whether an image is staged, by whomever. The next reboot of most systems starts it.
          type: bool
        crash:
          description: Whether a crash kernel is loaded.
          type: bool
        ours:
          description:
            - The record of M(fleetops.kexec.kexec_load), or null where it has staged nothing in this boot.
            - If another program has staged an image since, the kernel does not say so.
          type: dict
    net:
      description:
        - The rollback net of M(fleetops.kexec.kexec_load) that nobody has taken down yet, or null.
        - Without root it cannot be told, and is null.
      type: dict
      contains:
        armed:
          description: Whether the boot loader is to start RV(kexec.net.entry) once. False where it has done so.
          type: bool
        entry:
          description: The boot loader's entry of the known good kernel.
          type: str
        since:
          description: When it was armed, in UTC.
          type: str
          sample: '2026-11-23T17:06:38Z'
        token:
          description: The token of the staging that it secures.
          type: str
    capabilities:
      description: What the running kernel and the tools offer. Null stands for "cannot be told".
      type: dict
      contains:
        file_load:
          description: Whether the kernel has the C(kexec_file_load) system call.
          type: bool
        legacy_load:
          description: Whether the kernel has the older C(kexec_load) system call.
          type: bool
        tools:
          description: The path of the C(kexec) program, or null.
          type: str
        signature_enforced:
          description: Whether only signed kernels are accepted.
          type: bool
        lockdown:
          description: V(none), V(integrity), V(confidentiality), or null.
          type: str
        secure_boot:
          description: Whether UEFI Secure Boot is on, or null on a machine without UEFI.
          type: bool
        load_disabled:
          description: Whether C(kernel.kexec_load_disabled) is 1, which lasts until the next boot.
          type: bool
    init:
      description: V(systemd), V(openrc), V(sysvinit), or the name of process 1.
      type: str
      sample: systemd
    virtualization:
      description: The hypervisor or container as C(systemd-detect-virt) names it, V(none), or V(unknown).
      type: str
      sample: none
    hardware:
      description: The machine and its drivers.
      type: dict
      contains:
        class:
          description: A name that hosts share whose vendor, product, firmware version and drivers are the same.
          type: str
          sample: dell-inc-poweredge-r650-1f2e3d4c
        vendor:
          description: The system's vendor.
          type: str
        product:
          description: The system's product name, or the device tree's model.
          type: str
        firmware_version:
          description: The firmware's version.
          type: str
        drivers:
          description: The drivers bound to storage, network and display devices.
          type: list
          elements: str
    firmware_seconds:
      description:
        - Seconds that the firmware took, or null where that is not known or absurd (above an hour).
        - An estimate, by systemd or by the firmware itself in ACPI's table FPDT.
      type: float
    loader_seconds:
      description: Seconds that the boot loader took, from the same source, or null.
      type: float
    firmware_times_stale:
      description: Whether these times are those of the last boot through the firmware, because this one came by kexec.
      type: bool
    reboot_needed:
      description: Whether the host must reboot to run what it is meant to, or null where that cannot be told.
      type: bool
    reboot_reasons:
      description: Why it must.
      type: list
      elements: str
    blockers:
      description: What stands against a kexec of this host, but for O(ignore_blockers).
      type: list
      elements: dict
      contains:
        id:
          description:
            - A short name.
            - Without remedy here, V(container), V(not_root), V(no_kexec), V(load_disabled), V(load_limit),
              V(no_call), V(init), V(boot_loader), V(target), V(rollback_net) (the net's record is damaged,
              and M(fleetops.kexec.kexec_load) and M(fleetops.kexec.kexec_commit) would fail on it).
            - Of O(objections), V(objection).
            - The kernel that is to run, V(unsigned_kernel), V(altered_kernel), V(no_room), V(crash_kernel),
              V(boot_entry_files), V(cmdline) (the command line has a quote that is never closed), V(other_initrd) (an
              initial RAM disk is named for another kernel).
            - The machine, V(xen), V(confidential_guest), V(luks_passphrase), V(tpm_sealed), V(firmware_update),
              V(root_full).
            - Hardware and drivers, V(nvidia), V(radeon_rn50), V(meteor_lake), V(smart_array), V(mellanox_firmware),
              V(ioatdma), V(hpwdt), V(ipmi_watchdog), V(jasper_lake), V(raspberry_pi_4), V(azure), and those of
              O(known_trouble).
          type: str
          sample: load_disabled
        severity:
          description: V(refuse) or V(warn).
          type: str
        message:
          description: The reason, and what to do.
          type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import Rules
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, machine_of, shown
from ansible_collections.fleetops.kexec.plugins.module_utils._survey import Intent, survey
from ansible_collections.fleetops.kexec.plugins.module_utils._target import Selection


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "entry": {"type": "str"},
            "kernel": {"type": "path"},
            "initrd": {"type": "list", "elements": "path"},
            "method": {"type": "str", "choices": ["kexec", "kexec_now", "firmware"], "default": "kexec"},
            "reasons": {"type": "list", "elements": "str", "default": []},
            "objections": {"type": "list", "elements": "str", "default": []},
            "known_trouble": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "id": {"type": "str", "required": True},
                    "severity": {"type": "str", "choices": ["refuse", "warn"], "default": "refuse"},
                    "reason": {"type": "str", "required": True},
                    "driver": {"type": "str"},
                    "pci": {"type": "str"},
                    "vendor": {"type": "str"},
                    "product": {"type": "str"},
                    "asset_tag": {"type": "str"},
                    "processor": {"type": "str"},
                    "virtualization": {"type": "str"},
                },
            },
            "ignore_blockers": {"type": "list", "elements": "str", "default": []},
        },
        mutually_exclusive=[("entry", "kernel")],
        required_by={"initrd": ("kernel",)},
        supports_check_mode=True,
    )
    try:
        asked = (Selection.of(module.params), Rules.of(module.params), Intent.of(module.params))
        kexec = survey(machine_of(module), *asked)
    except KexecError as error:
        module.fail_json(msg=shown(str(error)), **shown(error.facts))
    module.exit_json(changed=False, kexec=shown(kexec))


if __name__ == "__main__":
    main()
