#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: haproxy_server
short_description: Take a server of HAProxy out of service and put it back
version_added: 1.0.0
description:
  - Talks to HAProxy's runtime socket. It runs on the load balancer, by C(delegate_to) for instance.
  - Out of service means that the server gets no new sessions, that those it has have come to their end, and that it is
    in maintenance then, so that its health check does not report it as down while it reboots.
  - In service means that it gets requests. A server that has a health check gets them only when a check has passed,
    which by itself HAProxy does not wait for after a maintenance.
extends_documentation_fragment:
  - fleetops.kexec.attributes
options:
  state:
    description:
      - V(drained) waits until the server has no sessions any more, and puts it into maintenance.
      - V(ready) puts it into service, and waits until it gets requests.
    type: str
    choices: [drained, ready]
    required: true
  name:
    description: The name of the server, as in C(server web1 192.0.2.11:80) of C(haproxy.cfg).
    type: str
    required: true
  backends:
    description:
      - The backends to do that in. By default all that have a server of that name.
      - It is an error where one of these has no such server.
    type: list
    elements: str
    default: []
  socket:
    description:
      - The path of HAProxy's runtime socket, or C(HOST:PORT) where it listens on TCP.
      - The socket needs C(level admin), as in C(stats socket /run/haproxy/admin.sock mode 660 level admin).
    type: str
    default: /run/haproxy/admin.sock
  drain_timeout:
    description: Seconds for the sessions to come to their end.
    type: int
    default: 300
  on_drain_timeout:
    description:
      - What becomes of a server that still has sessions then.
      - V(fail) puts the server back as it was, and fails.
      - V(proceed) puts it into maintenance with its sessions, and warns.
    type: str
    choices: [fail, proceed]
    default: fail
  ready_timeout:
    description: Seconds for the health check to bring the server up.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Asks HAProxy, and waits for nothing.
  diff_mode:
    support: full
    description: Shows what is asked of the server, in each backend, before and after.
notes:
  - Tried with HAProxy 2.6.
  - HAProxy forgets what it was told here when it is reloaded or restarted, unless it is configured with
    C(load-server-state-from-file).
  - A server that tracks another one (C(track)) is brought up by the other one's check.
  - Whether other servers of the backend are left to take over is not looked at.
"""

EXAMPLES = r"""
- name: Take the host out of service
  fleetops.kexec.haproxy_server:
    name: "{{ inventory_hostname }}"
    state: drained
    drain_timeout: 600
  delegate_to: lb1

- name: Put the host back into service
  fleetops.kexec.haproxy_server:
    name: "{{ inventory_hostname }}"
    state: ready
  delegate_to: lb1
"""

RETURN = r"""
servers:
  description: The server in each backend, as it was found.
  returned: always, once HAProxy has answered
  type: list
  elements: dict
  contains:
    backend:
      description: The backend.
      type: str
      sample: web
    server:
      description: The server's name.
      type: str
      sample: web1
    state:
      description: What was asked of it, V(ready), V(drain) or V(maint).
      type: str
      sample: ready
    status:
      description: What HAProxy's statistics say of it.
      type: str
      sample: 'UP (last check: L7OK OK)'
    sessions:
      description: Sessions at the server and in its queue.
      type: int
      sample: 12
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fleetops.kexec.plugins.module_utils._haproxy import Plan
from ansible_collections.fleetops.kexec.plugins.module_utils._haproxy_socket import runtime_at
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, shown


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["drained", "ready"], "required": True},
            "name": {"type": "str", "required": True},
            "backends": {"type": "list", "elements": "str", "default": []},
            "socket": {"type": "str", "default": "/run/haproxy/admin.sock"},
            "drain_timeout": {"type": "int", "default": 300},
            "on_drain_timeout": {"type": "str", "choices": ["fail", "proceed"], "default": "fail"},
            "ready_timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    options = module.params
    facts = {}
    try:
        plan = Plan(runtime_at(options["socket"]), options["name"], options["backends"], options["state"])
        facts = plan.result()
        if not module.check_mode:
            if options["state"] == "ready":
                plan.make_ready(options["ready_timeout"])
            else:
                for warning in plan.drain(options["drain_timeout"], options["on_drain_timeout"] == "proceed"):
                    module.warn(shown(warning))
    except KexecError as error:
        module.fail_json(msg=shown(str(error)), **shown(facts))
    module.exit_json(changed=plan.changed, diff=shown(plan.diff()), **shown(facts))


if __name__ == "__main__":
    main()
