#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kexec_reboot
short_description: Reboot a host by kexec or through its firmware, watch it, and prove which kernel came back
version_added: 1.0.0
description:
  - Reboots a host through its init system, which stops the services, into the image that M(fleetops.kexec.kexec_load)
    has staged, or through its firmware.
  - Waits until the host is down and answers again, and then proves what came back. It has the host's SSH key, another
    boot id, the expected kernel release, and, for a kexec, the one-time token of the staging on its command line. A
    changed boot id alone does not prove a kexec, because one that fails in the last moment silently becomes a reboot
    through the firmware.
  - Takes the place of M(ansible.builtin.reboot) on Linux hosts. It has all options and return values of that module,
    and the notes below say where it differs.
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.control_node
options:
  method:
    description:
      - V(auto) is V(kexec) where M(fleetops.kexec.kexec_load) has staged an image and nothing stands against it, and
        what O(fallback) says otherwise.
      - V(kexec) starts the staged image, without the firmware and the boot loader, after the services were stopped.
      - V(kexec_now) starts it at once. No service is stopped and no process is told. Files that were written are synced
        and every file system is made read-only first, so they are clean afterwards. What a process has not written
        is lost, connections break off, and a cluster sees the host die. It also works with an init system that is not
        known here.
      - V(firmware) removes any staged image first, so that the reboot really goes through the firmware.
    type: str
    choices: [auto, kexec, kexec_now, firmware]
    default: auto
  fallback:
    description:
      - What O(method=auto) does where no kexec is possible, because nothing is staged on record or the host refuses.
      - V(firmware) reboots through the firmware. It is also content with a host on which a kexec was tried and silently
        became a reboot through the firmware, as long as the expected kernel runs (RV(fell_back)).
      - V(fail) fails in all these cases.
    type: str
    choices: [firmware, fail]
    default: firmware
  reboot_timeout:
    description:
      - Seconds for the whole reboot, from the start of the task until the host is proven to be back and all is tested.
      - O(pre_reboot_delay) and O(post_reboot_delay) come on top.
    type: float
    default: 600
  connect_timeout:
    description: Seconds to wait for one connection to the host. The default is the connection plugin's.
    type: int
  pre_reboot_delay:
    description: Seconds between O(msg) and the reboot. Ignored with O(reboot_command).
    type: float
    default: 0
  post_reboot_delay:
    description:
      - Seconds after the request in which no command is tried yet. Whether the host is down or up is watched meanwhile.
    type: float
    default: 0
  msg:
    description:
      - What is shown to those who are logged in before the reboot, by C(wall) on the host. Not with O(reboot_command)
        and O(method=kexec_now).
      - It arrives as it is written, whatever characters are in it.
    type: str
    default: Reboot initiated by Ansible
  search_paths:
    description:
      - Folders on the host in which the program of O(reboot_command) is looked for, if it is no absolute path.
      - Without O(reboot_command), the programs of the init system are looked for there and then in E(PATH).
    type: list
    elements: str
    default: [/sbin, /bin, /usr/sbin, /usr/bin, /usr/local/sbin]
  reboot_command:
    description:
      - A shell command that reboots the host, instead of O(method). Its standard input is empty.
      - A staged image is neither asked for nor removed then, and needs no root. What is proven is that the host has
        another boot id, and RV(method) tells how it was seen to have rebooted.
    type: str
  boot_time_command:
    description:
      - A command whose output must be another one after the reboot, in addition to the boot id.
    type: str
  test_command:
    description:
      - A command that has to succeed before the task ends. It is tried once a second, and each try may take its time.
      - By default the command by which the host tells its boot is test enough.
    type: str
  expect_release:
    description:
      - What C(uname -r) must say after the reboot.
      - The default is the staged kernel's release for a kexec, and any release for a reboot through the firmware.
    type: str
  expect_build:
    description:
      - What C(uname -v) must say after the reboot, which tells two builds of one release apart.
      - The default is the staged kernel's build for a kexec, where its image tells (on x86), and any build otherwise.
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
  require_same_host_key:
    description:
      - Whether the SSH server that answers after the reboot must have the host key of before.
      - Another one may answer first, such as dropbear in an initramfs that waits for a passphrase, or a rescue system.
        That is not the host, and is waited out until the time is up.
      - It is looked at by a key exchange without a login, where the connection plugin is V(ssh) and the host's address
        is reached directly. Elsewhere the connection's own check of host keys has to do. Of hosts with a certificate,
        the plain key behind it is compared.
    type: bool
    default: true
  poll_interval:
    description:
      - Seconds between two looks at the host at least. A host that is up is looked at once a second at most.
    type: float
    default: 0.5
  settle_timeout:
    description:
      - Seconds to wait, once the host is back, until systemd says that the boot has come to its end, before the failed
        units are compared. V(0) compares what has failed at the moment in which a command works again.
    type: float
    default: 0
  fail_on_new_failed_units:
    description: Whether systemd units that have failed, and had not before the reboot, are a failure, not a warning.
    type: bool
    default: false
  health:
    description:
      - What must hold after the reboot, before it counts as done, as M(fleetops.kexec.await_health) waits for it. It is
        read before anything is done to the host. O(reboot_timeout) does not count here.
      - Units that had failed before the reboot are no new ones to a check for new failed units.
    type: dict
    suboptions:
      checks:
        description: As the option O(fleetops.kexec.await_health#module:checks), also as text in YAML or JSON.
        type: raw
        required: true
      timeout:
        description: Seconds within which all of them must hold.
        type: float
        default: 300
      consecutive:
        description: How many looks in a row they must hold.
        type: int
        default: 1
      interval:
        description: Seconds between two looks.
        type: float
        default: 0.5
  commit:
    description:
      - Whether the kernel is accepted at the end, as M(fleetops.kexec.kexec_commit) does it. A host that fails before
        keeps its rollback net.
    type: bool
    default: false
  resume:
    description:
      - The result of an earlier task of this module that has lost the host (RV(lost)). The host is not asked to reboot,
        but waited for and proven as that task would have done, for example after its power was cycled.
      - What was asked for then is in it. Give the other options as they were.
    type: dict
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
  - Needs root on the host, except with O(reboot_command).
  - The host is asked for its SSH banner over plain TCP. Where its address cannot be reached directly, as behind a jump
    host (C(ProxyJump), C(ProxyCommand)), or with another connection plugin than V(ssh), the connection itself is used.
  - Refused are the control node itself, by whatever connection, and containers, which cannot reboot by themselves.
  - With C(-vv) it tells what it is waiting for, and who else answers meanwhile.
  - Unlike M(ansible.builtin.reboot), O(reboot_timeout) holds once, for the whole, and not twice.
  - Unlike M(ansible.builtin.reboot), RV(rebooted) is true only where another boot id was seen. It is not true in check
    mode, not after a timeout, and not after C(systemctl soft-reboot).
  - Unlike M(ansible.builtin.reboot), the arguments are checked in check mode too. A negative delay and a timeout of 0
    are errors, and fractions of a second count.
  - Unlike M(ansible.builtin.reboot), O(pre_reboot_delay) is not rounded down to minutes, O(msg) is never read by a
    shell, the connection's own timeout is put back at the end, and no thread or process stays behind.
  - Unlike M(ansible.builtin.reboot), the boot id is always compared, whatever O(boot_time_command) says, and must be
    one.
  - Unlike M(ansible.builtin.reboot), a shutdown that somebody inhibits is refused (O(ignore_inhibitors)).
  - Unlike M(ansible.builtin.reboot), a host that cannot be reached has failed and is not unreachable, also where it was
    so from the start. All return values are there, RV(phase) says how far it came, and C(rescue) runs.
  - C(molly-guard) does not ask for the host's name, because nobody could answer. Where O(reboot_command) is one of the
    programs that it stands in front of, such as C(reboot), its other checks may refuse. C(systemctl), which is asked on
    hosts with systemd, it leaves alone.
seealso:
  - module: fleetops.kexec.kexec_load
  - module: fleetops.kexec.await_health
  - module: fleetops.kexec.kexec_commit
  - module: ansible.builtin.reboot
"""

EXAMPLES = r"""
- name: Reboot, by kexec if something is staged, through the firmware otherwise
  fleetops.kexec.kexec_reboot:

- name: Stage what the boot loader would start
  fleetops.kexec.kexec_load:

- name: Start it, and nothing else
  fleetops.kexec.kexec_reboot:
    method: kexec

- name: Reboot through the firmware, to apply its update
  fleetops.kexec.kexec_reboot:
    method: firmware
    reboot_timeout: 1200

- name: Wait until the boot has ended, and fail if a service does not run any more
  fleetops.kexec.kexec_reboot:
    settle_timeout: 120
    fail_on_new_failed_units: true
    test_command: curl --fail --silent http://localhost/health

- name: Start what is staged, see that the service is well, and accept the kernel, all in one task
  fleetops.kexec.kexec_reboot:
    method: kexec
    health:
      checks:
        - url: http://localhost/health
      timeout: 120
    commit: true

- name: Reboot, and cycle the power of a host that does not come back
  block:
    - name: Reboot
      fleetops.kexec.kexec_reboot:
      register: first
  rescue:
    - name: Cycle the power
      ansible.builtin.command: ipmitool -H {{ bmc }} chassis power cycle
      delegate_to: localhost
      when: first.lost | default(false)
      changed_when: true

    - name: Wait for it again
      fleetops.kexec.kexec_reboot:
        resume: "{{ first }}"
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
asked:
  description: What the host was asked for.
  returned: always
  type: dict
  contains:
    method:
      description:
        - V(kexec), V(kexec_now), V(firmware), or V(command) for O(reboot_command). Null where it was not decided yet.
      type: str
    not_kexec:
      description: Why O(method=auto) did not ask for a kexec, or null.
      type: str
    token:
      description: The token of the staged image, or null where none is on record.
      type: str
    release:
      description: The release of the staged image, or null.
      type: str
    build:
      description: The build of the staged image, or null.
      type: str
fell_back:
  description:
    - Whether the host came back through its firmware although a kexec was asked for. With O(fallback=firmware) and the
      expected kernel this is a success, with a warning.
  returned: always
  type: bool
rolled_back:
  description:
    - Whether the host runs the kernel of before again, in a new boot, although another one was to be started by a
      kexec. This is a failure.
  returned: always
  type: bool
lost:
  description:
    - Whether the host went down and was not back within its time, because nothing answered, another SSH server did, or
      no command worked. This is a failure, and O(resume) goes on from it.
  returned: always
  type: bool
phase:
  description:
    - The part of the work that it reached, or in which it failed.
    - V(check), where the host was left alone, V(request), V(down) for going down, V(return), V(proof), V(test) for
      O(boot_time_command), O(test_command) and failed units, V(health), or V(commit).
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
build:
  description: The kernel's build as C(uname -v) tells it, before and after the reboot.
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
host_key:
  description: The host's SSH key before and after the reboot, as C(ssh-keygen -l) shows it.
  returned: always
  type: dict
  contains:
    before:
      description: Before the reboot, or null where nobody looked.
      type: str
      sample: ssh-ed25519 SHA256:JrXvQc8dZ0rQ1mV0o9jJm2mJmT3kqfFj2o0g0mXb1zA
    after:
      description: After the reboot, or null.
      type: str
crash_kernel:
  description: Whether a crash kernel was loaded, for kdump.
  returned: always
  type: dict
  contains:
    before:
      description: Before the reboot, or null where the host was not reached.
      type: bool
    after:
      description: After the reboot, or null where the host was not seen to return.
      type: bool
failed_units:
  description: The systemd units that have failed.
  returned: always
  type: dict
  contains:
    before:
      description: Before the reboot, or null where systemd did not tell.
      type: list
      elements: str
    after:
      description: After the reboot (see O(settle_timeout)), or null.
      type: list
      elements: str
    new:
      description: Those after the reboot that had not failed before it.
      type: list
      elements: str
started:
  description:
    - When the task started, in ISO 8601 and UTC by the control node's clock.
    - With O(resume), when the task started that asked for the reboot, and RV(timeline), RV(down_seconds) and
      RV(elapsed) count from there.
  returned: always
  type: str
  sample: '2026-11-08T02:00:12.345678+00:00'
timeline:
  description: Seconds since RV(started), each null where it was not seen.
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
health:
  description: The result of M(fleetops.kexec.await_health) for O(health), or null where that did not begin.
  returned: always
  type: dict
commit:
  description: The result of M(fleetops.kexec.kexec_commit) for O(commit), or null where that did not begin.
  returned: always
  type: dict
elapsed:
  description: Whole seconds that the task took.
  returned: always
  type: int
warnings:
  description:
    - What the operator should know although the reboot was a success.
    - A crash kernel that was loaded before and is not any more. It is waited for up to 15 seconds, on hosts that had
      one.
    - Units that have failed and had not before, a boot that did not end within O(settle_timeout), a host key that
      could not be seen before the reboot, and RV(fell_back).
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fleetops.kexec.plugins.module_utils._jump import jump_soon
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, machine_of

ARGUMENT_SPEC = {
    "method": {"type": "str", "choices": ["auto", "kexec", "kexec_now", "firmware"], "default": "auto"},
    "fallback": {"type": "str", "choices": ["firmware", "fail"], "default": "firmware"},
    "reboot_timeout": {"type": "float", "default": 600},
    "connect_timeout": {"type": "int"},
    "pre_reboot_delay": {"type": "float", "default": 0},
    "post_reboot_delay": {"type": "float", "default": 0},
    "msg": {"type": "str", "default": "Reboot initiated by Ansible"},
    "search_paths": {
        "type": "list",
        "elements": "str",
        "default": ["/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin"],
    },
    "reboot_command": {"type": "str"},
    "boot_time_command": {"type": "str"},
    "test_command": {"type": "str"},
    "expect_release": {"type": "str"},
    "expect_build": {"type": "str"},
    "ignore_inhibitors": {"type": "bool", "default": False},
    # Proves which image has booted, and opens nothing: it stands on the command line for all to read.
    "token": {"type": "str", "no_log": False},
    # Not a secret either: whether the host shows the same public key.
    "require_same_host_key": {"type": "bool", "default": True, "no_log": False},
    "poll_interval": {"type": "float", "default": 0.5},
    "settle_timeout": {"type": "float", "default": 0},
    "fail_on_new_failed_units": {"type": "bool", "default": False},
    "health": {
        "type": "dict",
        "options": {
            "checks": {"type": "raw", "required": True},
            "timeout": {"type": "float", "default": 300},
            "consecutive": {"type": "int", "default": 1},
            "interval": {"type": "float", "default": 0.5},
        },
    },
    "commit": {"type": "bool", "default": False},
    "resume": {"type": "dict"},
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
