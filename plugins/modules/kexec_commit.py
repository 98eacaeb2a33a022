#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kexec_commit
short_description: Accept the running kernel, and take down the rollback net
version_added: 1.0.0
description:
  - M(fleetops.kexec.kexec_load) arms a rollback net where the boot loader can, which brings the known good kernel back
    when the staged one does not come up. When the new kernel does what it should, this module ends that.
  - It takes the known good kernel's entry out of the boot loader, where that is still the net's and nobody else's,
    gives C(kernel.panic) the value that it would have without the staging, and removes the guard that would have done
    this by itself when the net's time is over.
  - Hosts without a net are left as they are, but for C(kernel.panic).
extends_documentation_fragment:
  - fleetops.kexec.attributes
options:
  state:
    description:
      - V(committed) accepts the running kernel.
      - V(pending) changes nothing and tells what is armed.
    type: str
    choices: [committed, pending]
    default: committed
attributes:
  check_mode:
    support: full
    description: Looks at the net and at C(kernel.panic), and leaves both.
  diff_mode:
    support: full
    description: Shows the net and C(kernel.panic) before and after.
notes:
  - Needs root.
  - C(kernel.panic) becomes what the command line has beside the staging's own C(panic=), or else what the kernel was
    built with. Where a file of sysctl.d(5) sets it, it is left alone.
  - It is an error to accept a kernel before it was started, in the boot in which it was staged.
  - On a host that was rolled back it accepts the kernel that runs, and says so in RV(rolled_back) and as a warning.
seealso:
  - module: fleetops.kexec.kexec_load
  - module: fleetops.kexec.kexec_reboot
"""

EXAMPLES = r"""
- name: Start the staged kernel
  fleetops.kexec.kexec_reboot:

- name: See that the service is well
  ansible.builtin.uri:
    url: http://localhost/health

- name: Accept the kernel
  fleetops.kexec.kexec_commit:

- name: See what is armed
  fleetops.kexec.kexec_commit:
    state: pending
  register: pending
"""

RETURN = r"""
net:
  description: The net as it was found, or null where there was none.
  returned: success
  type: dict
  contains:
    armed:
      description: Whether the boot loader was to start RV(net.entry) once. False where it has done so.
      type: bool
    entry:
      description: The boot loader's entry of the known good kernel.
      type: str
      sample: debian-6.1.0-55-cloud-amd64
    release:
      description: The release of the known good kernel.
      type: str
      sample: 6.1.0-55-cloud-amd64
    since:
      description: When it was armed, in UTC.
      type: str
      sample: '2026-11-23T17:06:38Z'
    token:
      description: The token of the staging that it secures, as RV(fleetops.kexec.kexec_load#module:staged.token).
      type: str
    staged_release:
      description: The release of the kernel that was staged, or null where nothing tells.
      type: str
rolled_back:
  description: Whether the host has come back to the known good kernel instead of the staged one.
  returned: success
  type: bool
kernel_panic:
  description: What C(kernel.panic) was and is, in seconds, or null where it is left alone.
  returned: success
  type: dict
  contains:
    before:
      description: Before, as the staging had set it.
      type: int
    after:
      description: After; 0 stands for a machine that stays as it is when its kernel panics.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, machine_of, shown
from ansible_collections.fleetops.kexec.plugins.module_utils._net.commit import plan_for


def main() -> None:
    module = AnsibleModule(
        argument_spec={"state": {"type": "str", "choices": ["committed", "pending"], "default": "committed"}},
        supports_check_mode=True,
    )
    machine = machine_of(module)
    try:
        plan = plan_for(machine, commit=module.params["state"] == "committed")
        if not module.check_mode:
            plan.apply(machine)
    except KexecError as error:
        module.fail_json(msg=shown(str(error)), **shown(error.facts))
    for warning in plan.warnings():
        module.warn(shown(warning))
    module.exit_json(changed=plan.changed, diff=shown(plan.diff()), **shown(plan.result()))


if __name__ == "__main__":
    main()
