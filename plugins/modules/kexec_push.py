#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kexec_push
short_description: Bring a kernel and its initial RAM disks to a host, to be staged there
version_added: 1.0.0
description:
  - Copies a kernel and its initial RAM disks from the controller to the host, for machines whose boot loader has no
    entry for them.
  - Looks first what is there and how much room there is. A file is compared with what was sent before it is put in
    place under its name, so no name ever has a part of a content.
  - What was pushed before and is not wanted any more is removed after the new files are in place.
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.control_node
options:
  kernel:
    description: The kernel file on the controller. A relative path is looked for as M(ansible.builtin.copy) does.
    type: str
    required: true
  initrd:
    description: The initial RAM disks on the controller that go with it, in the order in which the kernel reads them.
    type: list
    elements: str
    default: []
  directory:
    description: Where the files are kept on the host, a path without blanks. It is made where it is missing.
    type: str
    default: /var/lib/fleetops-kexec/pushed
attributes:
  check_mode:
    support: full
    description: The files and the room are compared as in a real run.
  diff_mode:
    support: none
    description: The files are not text.
notes:
  - Needs root, or a directory that the user may write to.
  - The command line is that of the running kernel unless M(fleetops.kexec.kexec_load) is told another.
seealso:
  - module: fleetops.kexec.kexec_load
"""

EXAMPLES = r"""
- name: Bring a kernel of our own
  fleetops.kexec.kexec_push:
    kernel: kernels/vmlinuz-6.12.0
    initrd: [kernels/initrd-6.12.0.img]
  register: pushed

- name: Stage it
  fleetops.kexec.kexec_load:
    kernel: "{{ pushed.kernel }}"
    initrd: "{{ pushed.initrd }}"
"""

RETURN = r"""
kernel:
  description: The path of the kernel on the host, whose name is the SHA-256 of its content.
  returned: unless the file on the controller cannot be read
  type: str
initrd:
  description: The paths of the initial RAM disks on the host.
  returned: unless a file on the controller cannot be read
  type: list
  elements: str
"""
