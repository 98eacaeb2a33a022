#!/usr/bin/python
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: await_health
short_description: Wait until a host is healthy, and not only answering
version_added: 1.0.0
description:
  - Asks all checks again and again, until all of them hold in the same look, O(consecutive) times in a row.
  - A check that is bad by itself, such as a JMESPath expression that cannot be read, is refused before anything is
    asked. In check mode nothing else is done, and the host is not connected to, so that checks can be tried before
    anything is drained.
  - A host that is unreachable, and a server that does not answer, are not healthy yet, and are asked again until the
    time is up.
  - Commands, units, failed units and ports as seen from the host are asked together, by one shell command over the
    connection of the task, with its C(become).
extends_documentation_fragment:
  - fleetops.kexec.attributes
  - fleetops.kexec.attributes.control_node
options:
  checks:
    description:
      - What has to hold. Each check has exactly one of O(checks[].url), O(checks[].command), O(checks[].port),
        O(checks[].unit) and O(checks[].no_new_failed_units).
      - The list may also be given as text in YAML or JSON, as it comes from a survey of AWX. An option that is empty
        counts as not given.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - What the check is called in results.
          - The default is the URL, without user and query, the command, the port or the unit.
        type: str
      timeout:
        description:
          - Seconds that one answer may take. A server that accepts and says nothing is asked again after them.
          - Never more than what is left of O(timeout).
        type: float
        default: 5.0
      url:
        description:
          - A URL that is requested, with C(http) or C(https).
          - From the controller, proxies are taken from the environment, as E(https_proxy) and E(no_proxy).
        type: str
      method:
        description: The request's method.
        type: str
        default: GET
      headers:
        description: The request's headers.
        type: dict
        default: {}
      body:
        description: What is sent. What is not text is sent as JSON, with the header for that.
        type: raw
      status:
        description: The status codes that are right.
        type: list
        elements: int
        default: [200]
      expect:
        description:
          - A JMESPath expression over the JSON answer that must give V(true).
          - An expression that gives anything else, such as a text or a number, does not hold.
        type: str
      contains:
        description: Text that the answer must contain.
        type: str
      follow_redirects:
        description:
          - Whether redirects are followed, for C(GET) and C(HEAD). The headers C(Authorization) and C(Cookie) are not
            sent on to another server, and with O(checks[].from=host) after no redirect at all.
        type: bool
        default: true
      validate_certs:
        description: Whether the server's certificate has to be valid.
        type: bool
        default: true
      ca_path:
        description:
          - A file with the certificates of the authorities that are trusted, instead of the system's.
          - It is where the request comes from, on the controller or on the host.
        type: str
      client_cert:
        description: A file with our own certificate in PEM form, as O(checks[].ca_path).
        type: str
      client_key:
        description: A file with its key, where that is not in the same file. It must not need a passphrase.
        type: str
      url_username:
        description:
          - A user for basic authentication, which is sent with the first request. The URL may also have it in it.
        type: str
      url_password:
        description: The password of O(checks[].url_username).
        type: str
      from:
        description:
          - With O(checks[].url) and O(checks[].port), who asks. V(host) asks from the host itself.
          - A URL from the host is requested by M(ansible.builtin.uri) there, so its headers are on no command line and
            in no log. That takes a module's time and work, so it is asked only where all else holds.
        type: str
        choices: [controller, host]
        default: controller
      command:
        description:
          - A command on the host, as a list of words, or as text that is split into words as a shell would.
          - No shell reads it. Where one is needed, write V([sh, -c, '...']). Its standard input is empty.
          - It is shown by C(-vvv) and in the host's list of processes. Leave secrets out of it.
        type: raw
      rc:
        description: The return code that is right.
        type: int
        default: 0
      port:
        description: A TCP port that has to accept a connection.
        type: int
      host:
        description:
          - Whose port it is. The default is the host itself, by the address of its connection, or C(localhost) with
            O(checks[].from=host).
        type: str
      unit:
        description:
          - A systemd unit that has to be active. While it is activating it is waited for, and also when it has failed,
            because something may start it again. The result says so.
        type: str
      no_new_failed_units:
        description:
          - V(true) for that the boot has come to its end, and no systemd unit has failed that is not in
            O(failed_units_before).
        type: bool
  timeout:
    description: Seconds for the whole.
    type: float
    default: 300.0
  consecutive:
    description: How many looks in a row all checks have to hold.
    type: int
    default: 1
  interval:
    description:
      - Seconds from the start of one look to the start of the next. A check that becomes true is noticed so late at
        most, and by the time that its answer takes. At least V(0.1).
    type: float
    default: 0.5
  failed_units_before:
    description:
      - The units that had failed before, as RV(fleetops.kexec.kexec_reboot#module:failed_units.before) has them.
      - By default no unit may have failed.
    type: list
    elements: str
    default: []
attributes:
  async:
    support: none
    description: It waits by itself.
  check_mode:
    support: full
    description: The options are checked, and the files on the controller that they name. Nothing is asked.
  diff_mode:
    support: none
    description: It never changes anything.
notes:
  - Needs the Python package jmespath on the control node.
  - What is in headers, the user and password of a URL, and its query do not appear in results or in the output of
    C(-vvv), not even where a server sends them back. For what else is secret in an answer, use C(no_log).
  - The host needs C(timeout), which is part of GNU coreutils and of BusyBox, and Python for ports.
  - With C(-vv) it tells which check is waited for.
seealso:
  - module: fleetops.kexec.kexec_reboot
  - module: ansible.builtin.uri
  - name: JMESPath
    description: The language of O(checks[].expect).
    link: https://jmespath.org/
"""

EXAMPLES = r"""
- name: Wait until the service answers, and nothing has failed
  fleetops.kexec.await_health:
    timeout: 180
    consecutive: 3
    checks:
      - unit: nginx
      - port: 443
      - url: https://{{ inventory_hostname }}/health
        expect: status == 'green'
        headers:
          Authorization: Bearer {{ health_token }}
      - url: http://localhost:9200/_cluster/health
        from: host
        expect: status != 'red' && relocating_shards == `0`
      - command: [pg_isready, --quiet]
      - no_new_failed_units: true
    failed_units_before: "{{ rebooted.failed_units.before }}"

- name: Wait until monitoring has no alert for the host
  fleetops.kexec.await_health:
    checks:
      - name: no alerts
        url: https://monitoring.example.com/api/v1/alerts?host={{ inventory_hostname }}
        expect: length(data.alerts) == `0`

- name: See that the checks can be read, before anything is drained
  fleetops.kexec.await_health:
    checks: "{{ health_checks }}"
  check_mode: true
  run_once: true
"""

RETURN = r"""
held_out:
  description:
    - The check that held out at the last look at which one did, or null where all held at once. Of several the first,
      in the order of O(checks).
  returned: when checks were asked
  type: dict
  contains:
    name:
      description: What it is called.
      type: str
    why:
      description: Why it did not hold.
      type: str
      sample: expect (status == 'green') gives False
    answer:
      description: What was answered, as RV(checks[].answer).
      type: str
checks:
  description: Every check as it stood at the last look, in their order.
  returned: when checks were asked
  type: list
  elements: dict
  contains:
    name:
      description: What it is called.
      type: str
    holds:
      description: Whether it held.
      type: bool
    why:
      description: Why it did not hold, or empty.
      type: str
    answer:
      description:
        - What was answered last, cut to 500 characters. The content behind a URL, the output of a command, the state of
          a unit, or the failed units.
      type: str
looks:
  description: How often all was asked.
  returned: when checks were asked
  type: int
elapsed:
  description: Seconds that it took.
  returned: when checks were asked
  type: float
at:
  description: When it ended, in ISO 8601 and UTC by the control node's clock.
  returned: when checks were asked
  type: str
"""
