#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kexec_reboot
short_description: Reboot a host by kexec, watch it, and prove which kernel came back
version_added: 1.0.0
description:
  - Reboots a host through its init system, which stops the services, into the image that M(fleetops.kexec.kexec_load)
    has staged, or through its firmware.
  - Waits until the host is down and answers again, and then proves what came back. It has another boot id, the
    expected kernel release, and, for a kexec, the one-time token of the staging on its command line. A changed boot
    id alone does not prove a kexec, because one that fails in the last moment silently becomes a reboot through the
    firmware.
  - The time limit holds for the whole, and a connection that hangs while the host goes down does not hang the task.
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.control_node
options:
  method:
    description:
      - V(kexec) starts the staged image, without the firmware and the boot loader, after the services were stopped.
      - V(kexec_now) starts it at once. No service is stopped and no process is told. Files that were written are synced
        and every file system is made read-only first, so they are clean afterwards. What a process has not written
        is lost, connections break off, and a cluster sees the host die. It also works with an init system that is not
        known here.
      - V(firmware) removes any staged image first, so that the reboot really goes through the firmware.
    type: str
    choices: [kexec, kexec_now, firmware]
    default: kexec
  reboot_timeout:
    description: Seconds for the whole reboot, from the request until the host is proven to be back.
    type: int
    default: 600
  connect_timeout:
    description: Seconds to wait for one connection to the host. The default is the connection plugin's.
    type: int
  expect_release:
    description:
      - What C(uname -r) must say after the reboot.
      - The default is the staged kernel's release for a kexec, and any release for a reboot through the firmware.
    type: str
  token:
    description:
      - The token of the staging that is to be started, as M(fleetops.kexec.kexec_load) returns it in C(staged.token).
        Another image is refused.
      - The default is whatever M(fleetops.kexec.kexec_load) has staged last.
    type: str
  ignore_inhibitors:
    description:
      - Whether to reboot although somebody asks logind not to, such as a package manager at work.
      - Otherwise the task fails and names who and why.
    type: bool
    default: false
attributes:
  async:
    support: none
    description: It waits for the host by itself.
  check_mode:
    support: full
    description: The options are checked, and the host is asked which boot it is.
  diff_mode:
    support: none
    description: A reboot has no diff.
notes:
  - Needs root on the host.
  - The host is asked for its SSH banner over plain TCP, about once a second. Where its address does not answer so, as
    behind a jump host, the connection itself is used.
  - With C(-vv) it tells what it is waiting for.
seealso:
  - module: fleetops.kexec.kexec_load
  - module: ansible.builtin.reboot
"""

EXAMPLES = r"""
- name: Stage what the boot loader would start
  fleetops.kexec.kexec_load:

- name: Start it
  fleetops.kexec.kexec_reboot:

- name: Reboot through the firmware, to apply its update
  fleetops.kexec.kexec_reboot:
    method: firmware
    reboot_timeout: 1200
"""

RETURN = r"""
rebooted:
  description: Whether the host was seen to run another boot than before.
  returned: always
  type: bool
method:
  description:
    - How the host was seen to have rebooted, V(kexec), V(kexec_now) or V(firmware), or null where that was not seen.
  returned: always
  type: str
fell_back:
  description: Whether the host came back through its firmware although a kexec was asked for.
  returned: always
  type: bool
phase:
  description:
    - The part of the work that it reached, or in which it failed.
    - V(check), where the host was left alone, V(request), V(down) for going down, V(return), or V(proof).
  returned: always
  type: str
release:
  description: The kernel release before and after the reboot.
  returned: always
  type: dict
  contains:
    before:
      description: Before the reboot, or null where the host was not reached.
      type: str
    after:
      description: After the reboot, or null where the host was not seen to return.
      type: str
boot_id:
  description: The kernel's boot id before and after the reboot.
  returned: always
  type: dict
  contains:
    before:
      description: Before the reboot, or null where the host was not reached.
      type: str
    after:
      description: After the reboot, or null where the host was not seen to return.
      type: str
timeline:
  description: Seconds since the start of the task, each null where it was not seen.
  returned: always
  type: dict
  contains:
    requested:
      description: The reboot was requested.
      type: float
    down:
      description: The host's SSH server was first found not to answer.
      type: float
    answering:
      description: It answered again.
      type: float
    ready:
      description: A command worked, under another boot id.
      type: float
down_seconds:
  description: Seconds from RV(timeline.down) to RV(timeline.ready), or null where one of them was not seen.
  returned: always
  type: float
elapsed:
  description: Seconds that the task took.
  returned: always
  type: float
warnings:
  description:
    - What the operator should know although the reboot was a success.
    - A crash kernel that was loaded before and is not any more. It is waited for up to 15 seconds, on hosts that had
      one.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fleetops.kexec.plugins.module_utils._jump import jump_soon
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, machine_of

ARGUMENT_SPEC = {
    "method": {"type": "str", "choices": ["kexec", "kexec_now", "firmware"], "default": "kexec"},
    "reboot_timeout": {"type": "int", "default": 600},
    "connect_timeout": {"type": "int"},
    "expect_release": {"type": "str"},
    "ignore_inhibitors": {"type": "bool", "default": False},
    # Proves which image has booted, and opens nothing: it stands on the command line for all to read.
    "token": {"type": "str", "no_log": False},
}


def main() -> None:
    """The part of V(kexec_now) that the host does itself; all else is done by the action plugin of this name."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if module.params["method"] != "kexec_now":
        module.fail_json(msg="this module was run without its action plugin, which does the rest of the work")
    if not module.check_mode:
        try:
            jump_soon(machine_of(module))
        except KexecError as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
