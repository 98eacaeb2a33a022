#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kexec_load
short_description: Stage the kernel that the next kexec starts
version_added: 1.0.0
description:
  - Loads a kernel, its initial RAM disk and a command line into the running kernel, ready to be started without the
    firmware.
  - Makes the C(kexec_file_load) system call itself, so the host needs no kexec-tools, unless its kernel lacks that
    call.
  - A loaded image makes every later reboot of most systems a kexec. Stage right before
    M(fleetops.kexec.kexec_reboot), and use O(state=unloaded) when the reboot is called off.
  - The crash kernel of kdump has a place of its own, which is never touched.
  - Arms a rollback net where the boot loader can (O(rollback)), so that the running, known good kernel comes back by
    itself where the staged one panics or the machine is reset. M(fleetops.kexec.kexec_commit) takes it down.
extends_documentation_fragment:
  - fleetops.kexec.attributes
options:
  state:
    description:
      - V(loaded) stages the kernel. The image that was staged before is replaced only when the new one is accepted.
      - V(unloaded) removes whatever image is staged, whoever staged it, and takes down the rollback net.
    type: str
    choices: [loaded, unloaded]
    default: loaded
  entry:
    description:
      - The boot entry to stage.
      - V(default) for what the boot loader starts by itself, V(running) for the running kernel with its present
        command line,
        or an entry's id, title or release. Of several with one release, the first in the menu is taken.
      - V(newest) for the highest release of the default's flavour among the boot loader's entries. The flavour is what
        a release says beside its numbers, such as C(uek), C(cloud), C(rt), C(debug) or C(generic). Entries for rescue
        and those that cannot be staged are left out. A release candidate is older than its release.
      - The default is V(default), unless O(kernel) is given.
    type: str
  kernel:
    description: A kernel file on the host to stage instead of an entry.
    type: path
  initrd:
    description: The initial RAM disks that go with O(kernel), in the order in which the kernel is to read them.
    type: list
    elements: path
  cmdline:
    description:
      - The whole command line, instead of O(append) and O(remove). The default is the entry's, and with O(kernel) the
        running kernel's. It is one text.
      - Words that a boot loader or an earlier staging adds (such as C(BOOT_IMAGE=)) are left out of any command line.
    type: raw
  append:
    description:
      - Words to put at the end of the command line, where they are not in it already.
      - A text such as V(quiet console=ttyS0,115200n8), or a list of texts.
    type: raw
  remove:
    description:
      - Words to take out of the command line.
      - V(quiet) is that word, V(console=ttyS0) that value, V(console=) every value of that parameter.
      - A text, or a list of texts.
    type: raw
  panic_seconds:
    description:
      - Seconds after which the staged kernel resets the machine when it panics, so that the firmware and the boot
        loader take over. An initramfs made by initramfs-tools also heeds this when it does not find the root file
        system.
      - V(0) leaves the command line's own C(panic=) in force.
    type: int
    default: 30
  rollback:
    description:
      - Whether to have the boot loader start the running kernel once, should the machine come back through its
        firmware instead of with a staged kernel that works. A kexec bypasses the boot loader and leaves that as it is.
      - V(auto) does so where it can, and says in RV(net.reason) why it could not. V(true) fails then, with nothing
        staged. V(false) does without, and takes down the net of an earlier run.
      - It can with GRUB (C(next_entry), by C(grub-editenv)) and systemd-boot (C(LoaderEntryOneShot), by C(bootctl)) on
        hosts with systemd, where the running kernel has an entry, and where it is proven that the boot loader's
        configuration heeds an entry for one start. What somebody else has set for one start is not overwritten.
    type: str
    choices: ["auto", "true", "false"]
    default: auto
  rollback_seconds:
    description:
      - After so many seconds the host takes the net down by itself, unless M(fleetops.kexec.kexec_commit) has done so.
        They count from the staging and again from the start of each boot. A staged image that was not started by then
        is unloaded.
      - It must be long enough for what happens between this task and M(fleetops.kexec.kexec_reboot), and from there to
        M(fleetops.kexec.kexec_commit).
      - Where the time is over before the kernel is staged, the task fails and nothing is staged.
    type: int
    default: 3600
  force:
    description:
      - Whether to stage also what is recorded as staged already. If somebody has loaded another image since, only this
        makes sure of it, because the kernel does not tell what is loaded.
    type: bool
    default: false
  syscall:
    description:
      - V(file) makes the C(kexec_file_load) call, V(tools) runs the C(kexec) program,
        V(auto) runs the program only where the kernel lacks the call.
    type: str
    choices: [auto, file, tools]
    default: auto
attributes:
  check_mode:
    support: full
    description: The files, the entry and the command line are examined as in a real run.
  diff_mode:
    support: full
    description: Shows kernel, initial RAM disks, command line and net before and after.
notes:
  - Needs root.
  - The staged command line carries a one-time token, C(fleetops.boot=), by which M(fleetops.kexec.kexec_reboot)
    proves that this image has booted. Tokens of earlier stagings are left out.
  - Idempotent by a record in C(/run/fleetops-kexec), valid for this boot and for the very files that were staged. The
    kernel itself does not tell what is loaded.
  - An initial RAM disk that has modules for other kernels only is warned of, by its content where Python can unpack it
    (not C(zstd), C(lz4) and C(lzo)), else by its name.
  - An armed net is on record in C(/var/lib/fleetops-kexec). Its guard is the timer C(fleetops-kexec-net.timer) with its
    service, and C(fleetops-kexec-net-shutdown.service), which takes the net down at every shutdown in good order that
    is no kexec. So it is there for panics, resets and power cuts, and an ordinary reboot starts the boot loader's
    default.
  - GRUB cannot write to every disk, such as on LVM, RAID by software or btrfs. There the entry for one start stays set
    after its use, until the guard removes it.
  - The hardware watchdog is kept running through the kexec where systemd feeds it and the running kernel was started
    with C(watchdog.stop_on_reboot=0). That word is not put onto the staged command line by itself, because it would
    have the machine reset at a later power-off or halt too; O(append) can put it there for the kexec after this one.
seealso:
  - module: fleetops.kexec.kexec_commit
  - module: fleetops.kexec.kexec_info
  - module: fleetops.kexec.kexec_reboot
"""

EXAMPLES = r"""
- name: Stage what the boot loader would start
  fleetops.kexec.kexec_load:

- name: Stage a certain release, with a serial console
  fleetops.kexec.kexec_load:
    entry: 6.1.0-56-cloud-amd64
    append: [console=ttyS0]

- name: Stage a kernel that no boot loader knows
  fleetops.kexec.kexec_load:
    kernel: /opt/kernels/vmlinuz-6.12.0
    initrd: [/opt/kernels/initrd-6.12.0.img]

- name: Stage nothing without a way back
  fleetops.kexec.kexec_load:
    rollback: true

- name: Call it off
  fleetops.kexec.kexec_load:
    state: unloaded
"""

RETURN = r"""
staged:
  description: What is staged after this task, or null. In check mode, what would be.
  returned: success
  type: dict
  contains:
    entry:
      description: The id of the boot entry, or null for files.
      type: str
    release:
      description: What C(uname -r) will say, or null where neither the image nor its name tells.
      type: str
      sample: 6.1.0-56-cloud-amd64
    build:
      description: What C(uname -v) will say, or null where the image does not tell, which it does on x86 only.
      type: str
      sample: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-30)'
    kernel:
      description: The kernel file.
      type: str
      sample: /boot/vmlinuz-6.1.0-56-cloud-amd64
    initrds:
      description: The initial RAM disks.
      type: list
      elements: str
      sample: [/boot/initrd.img-6.1.0-56-cloud-amd64]
    cmdline:
      description: The command line, in check mode without the token.
      type: str
    token:
      description: The one-time token on the command line. Null in check mode when something would be staged.
      type: str
    call:
      description: How it was staged, V(file) or V(tools). Null in check mode when something would be staged.
      type: str
net:
  description: The rollback net after this task. In check mode, what would be.
  returned: success
  type: dict
  contains:
    armed:
      description: Whether the boot loader is to start RV(net.entry) once.
      type: bool
    reason:
      description: Why there is no net, or null where there is one.
      type: str
    entry:
      description: The boot loader's entry of the running kernel, or null.
      type: str
      sample: debian-6.1.0-55-cloud-amd64
    release:
      description: The release of the running kernel, to which the host would return, or null.
      type: str
      sample: 6.1.0-55-cloud-amd64
    seconds:
      description: As O(rollback_seconds), or null.
      type: int
    watchdog:
      description: The machine's hardware watchdog, or null where it has none, or there is no net.
      type: dict
      contains:
        identity:
          description: Its name.
          type: str
          sample: i6300ESB timer
        kept:
          description: Whether it goes on through the kexec, and resets a machine whose new kernel hangs.
          type: bool
        reason:
          description: Why it does not, or null.
          type: str
known_entries:
  description: The ids of the entries that exist.
  returned: when O(entry) names none
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, machine_of, shown
from ansible_collections.fleetops.kexec.plugins.module_utils._net import load
from ansible_collections.fleetops.kexec.plugins.module_utils._staging import Request


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["loaded", "unloaded"], "default": "loaded"},
            "entry": {"type": "str"},
            "kernel": {"type": "path"},
            "initrd": {"type": "list", "elements": "path"},
            "cmdline": {"type": "raw"},
            "append": {"type": "raw"},
            "remove": {"type": "raw"},
            "panic_seconds": {"type": "int", "default": 30},
            "rollback": {"type": "str", "choices": ["auto", "true", "false"], "default": "auto"},
            "rollback_seconds": {"type": "int", "default": 3600},
            "force": {"type": "bool", "default": False},
            "syscall": {"type": "str", "choices": ["auto", "file", "tools"], "default": "auto"},
        },
        mutually_exclusive=[("entry", "kernel"), ("cmdline", "append"), ("cmdline", "remove")],
        required_by={"initrd": ("kernel",)},
        supports_check_mode=True,
    )
    machine = machine_of(module)
    try:
        plan = load.plan_for(machine, Request.of(module.params), load.Request.of(module.params))
        if module.check_mode:
            result = plan.preview()
        else:
            result = plan.apply(machine, module.params["syscall"], load.guard_program)
    except KexecError as error:
        module.fail_json(msg=shown(str(error)), **shown(error.facts))
    for warning in plan.warnings():
        module.warn(shown(warning))
    module.exit_json(changed=plan.changed, diff=shown(plan.diff()), **shown(result))


if __name__ == "__main__":
    main()
