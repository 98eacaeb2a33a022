# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's inputs for all hosts, judged by its argument specs."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.role_inputs import BadInput, check_inputs

ROLE = "fleetops.kexec.fast_reboot"
HOSTS = ["web%d" % number for number in range(1, 9)]


def check(given, role=ROLE):
    def look(host, name):
        return given[host, name]

    check_inputs(role, HOSTS, look, look)


def test_inputs_that_can_be_meant_say_nothing():
    check({("web1", "fast_reboot_method"): "auto", ("web2", "fast_reboot_timeout"): "900", ("web3", "other"): object()})


def test_each_fault_is_told_once_with_the_hosts_that_have_it():
    given = {(host, "fast_reboot_method"): "kexek" for host in HOSTS}
    given["web2", "fast_reboot_panic_seconds"] = "soon"
    with pytest.raises(BadInput) as raised:
        check(given)
    method, panic = sorted(str(raised.value).split("; "), reverse=True)
    assert re.search(r"fast_reboot_method .* got: kexek \(on web1, web2, web3, web4, web5 and 3 more\)", method)
    assert "fast_reboot_panic_seconds" in panic
    assert panic.endswith("(on web2)")


def test_a_template_that_cannot_be_filled_in_is_a_fault_of_that_input():
    def value(host, name):
        if (host, name) == ("web4", "fast_reboot_append"):
            raise AnsibleError("'nowhere' is undefined")
        raise KeyError(name)

    with pytest.raises(BadInput, match=re.escape("fast_reboot_append: 'nowhere' is undefined (on web4)")):
        check_inputs(ROLE, HOSTS, value, value)


def test_a_role_that_does_not_exist_is_named():
    with pytest.raises(BadInput, match=re.escape("fleetops.kexec.slow_reboot is no role of this collection")):
        check({}, "fleetops.kexec.slow_reboot")


def test_a_host_whose_inputs_seem_bad_is_looked_at_in_full():
    """hostvars does not know what the play and the role's defaults say."""
    asked = set()

    def at_first(host, name):
        if (host, name) == ("web4", "fast_reboot_rescue_timeout"):
            raise AnsibleError("'fast_reboot_timeout' is undefined")
        raise KeyError(name)

    def in_full(host, name):
        asked.add(host)
        return {"fast_reboot_rescue_timeout": 600}[name]

    check_inputs(ROLE, HOSTS, at_first, in_full)
    assert asked == {"web4"}
