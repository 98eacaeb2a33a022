#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kexec_autoload
short_description: Make every ordinary reboot of a host a kexec
version_added: 1.0.0
description:
  - After it, C(reboot), C(shutdown -r), C(systemctl reboot) and whatever else asks the init system for a reboot start
    what the boot loader's default is at that moment by kexec, without the firmware.
  - Whatever stands against a kexec when the host goes down, a failure to stage included, makes that reboot an ordinary
    one through the firmware. The reason is in the journal. Nothing of it holds up a reboot.
  - Halt, power off, soft reboots, C(systemctl kexec) and C(reboot --force) are left as they are.
extends_documentation_fragment:
  - fleetops.kexec.attributes
options:
  state:
    description: V(absent) takes away what V(present) has put in place.
    type: str
    choices: [present, absent]
    default: present
  panic_seconds:
    description:
      - Seconds after which the new kernel resets the machine when it panics, as in M(fleetops.kexec.kexec_load).
    type: int
    default: 30
  known_trouble:
    description: Rows for the option O(fleetops.kexec.kexec_info#module:known_trouble), looked at before each reboot.
    type: list
    elements: dict
    default: []
  ignore_blockers:
    description:
      - Ids of blockers that do not count, as in M(fleetops.kexec.kexec_info).
      - A firmware update that waits for a reboot, there a warning, makes a reboot go through the firmware here unless
        V(firmware_update) is named.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Compares what is there with what would be put in place.
  diff_mode:
    support: full
    description: Shows the files before and after.
notes:
  - Needs root.
  - With systemd it needs no kexec-tools. It installs the program C(/usr/local/sbin/fleetops-kexec), which is this
    collection's own code in one file, its settings in C(/etc/fleetops-kexec.json), and two units.
  - C(fleetops-kexec cold) on the host, or the file C(/run/fleetops-kexec/cold), gives one reboot through the firmware.
    C(fleetops-kexec status) tells what the next reboot would be.
  - A boot loader's entry for one start only, a firmware menu that was asked for, and an argument of C(systemctl reboot)
    for the firmware make that reboot go through the firmware too.
  - An image that somebody else has staged is not replaced where systemd itself takes it for a kexec. C(reboot) and
    C(shutdown -r) do so, C(systemctl reboot) since systemd 255.
  - With sysvinit it sets C(LOAD_KEXEC) for Debian's kexec-tools, which must be there. They load C(/vmlinuz), which need
    not be the boot loader's default. There C(touch /no-kexec-reboot) gives one reboot through the firmware.
seealso:
  - module: fleetops.kexec.kexec_load
  - module: fleetops.kexec.kexec_reboot
"""

EXAMPLES = r"""
- name: Make every reboot a fast one
  fleetops.kexec.kexec_autoload:

- name: As it was before
  fleetops.kexec.kexec_autoload:
    state: absent
"""

RETURN = r"""
doubts:
  description: Why a reboot would not be a kexec into the boot loader's default, as things are now. Also warnings.
  returned: success
  type: list
  elements: str
"""

import sys

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fleetops.kexec.plugins.module_utils._autoload import Settings
from ansible_collections.fleetops.kexec.plugins.module_utils._autoload_install import doubts, plan_for, program
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, machine_of, shown


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "panic_seconds": {"type": "int", "default": 30},
            "known_trouble": {"type": "list", "elements": "dict", "default": []},
            "ignore_blockers": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    machine = machine_of(module)
    present = module.params["state"] == "present"
    try:
        settings = Settings.of(module.params)
        plan = plan_for(machine, present, settings, lambda: program(sys.executable))
        diff = plan.diff(machine)
        if not module.check_mode:
            plan.apply(machine)
        found = doubts(machine, settings) if present else []
    except KexecError as error:
        module.fail_json(msg=shown(str(error)), **shown(error.facts))
    for doubt in found:
        module.warn(shown(doubt))
    module.exit_json(changed=plan.changed, doubts=shown(found), diff=shown(diff))


if __name__ == "__main__":
    main()
