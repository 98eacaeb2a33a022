# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fleetops.kexec.plugins.modules.kexec_reboot import ARGUMENT_SPEC
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Outcome
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import BadRequest, Request, request_from
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.fake_host import STARTED, reboot

LOST = reboot(answering=None)[0].as_result(STARTED)


def request(**arguments):
    return request_from(validated(ARGUMENT_SPEC, arguments), 30.0, "own id")


def test_nothing_has_to_be_given():
    assert request() == Request(
        announcement="Reboot initiated by Ansible",
        own_boot_id="own id",
        search_paths=("/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin"),
    )


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        # As ansible.builtin.reboot takes them.
        ({"reboot_timeout": "600"}, "timeout", 600.0),
        ({"reboot_timeout": 1.5}, "timeout", 1.5),
        ({"pre_reboot_delay": "30"}, "pre_reboot_delay", 30.0),
        ({"post_reboot_delay": 5.0}, "post_reboot_delay", 5.0),
        ({"search_paths": "/opt/bin"}, "search_paths", ("/opt/bin",)),
        ({"search_paths": ["/a", "/b"]}, "search_paths", ("/a", "/b")),
        ({"msg": 'it\'s; $(x)\n"y"'}, "announcement", 'it\'s; $(x)\n"y"'),
        ({"reboot_command": "shutdown -r now"}, "reboot_command", "shutdown -r now"),
        ({"test_command": ""}, "test_command", None),
        ({"boot_time_command": ""}, "boot_time_command", None),
    ],
)
def test_what_is_given_arrives(arguments, field, value):
    assert getattr(request(**arguments), field) == value


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"reboot_timeout": 0}, "reboot_timeout is 0; it must be more than 0 seconds"),
        ({"reboot_timeout": -1}, "reboot_timeout is -1; it must be more than 0 seconds"),
        ({"reboot_timeout": "nan"}, "reboot_timeout is nan; it must be a number of seconds"),
        ({"reboot_timeout": "inf"}, "reboot_timeout is inf; it must be a number of seconds"),
        ({"connect_timeout": 0}, "connect_timeout is 0; it must be more than 0 seconds"),
        ({"pre_reboot_delay": -1}, "pre_reboot_delay is -1; it must be 0 seconds or more"),
        ({"post_reboot_delay": -0.5}, "post_reboot_delay is -0.5; it must be 0 seconds or more"),
        ({"settle_timeout": -1}, "settle_timeout is -1; it must be 0 seconds or more"),
        ({"poll_interval": 0.1}, "poll_interval is 0.1; it must be 0.5 seconds or more"),
        ({"reboot_command": "  "}, "reboot_command is empty"),
        ({"reboot_command": "reboot", "method": "kexec"}, "leave out method, which is 'kexec'"),
        ({"resume": {}}, "it is no result of kexec_reboot: 'lost' is missing"),
        ({"resume": Outcome().as_result(STARTED)}, "resume takes the result of a kexec_reboot that has lost the host"),
        ({"resume": {"lost": True, "asked": None}}, "it is no result of kexec_reboot"),
        ({"resume": {**LOST, "started": "yesterday"}}, "it is no result of kexec_reboot: Invalid isoformat string"),
        ({"resume": {**LOST, "started": 5}}, "it is no result of kexec_reboot"),
        ({"resume": {**LOST, "timeline": None}}, "it is no result of kexec_reboot"),
        ({"resume": {**LOST, "timeline": {"requested": "soon", "down": 1}}}, "it is no result of kexec_reboot"),
    ],
)
def test_what_cannot_be_meant_is_told(arguments, sentence):
    with pytest.raises(BadRequest) as raised:
        request(**arguments)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"reboot_timeout": "soon"}, "cannot be converted to a float"),
        ({"connect_timeout": 1.5}, "cannot be converted to an int"),
        ({"method": "magic"}, "value of method must be one of"),
        ({"fallback": "hope"}, "value of fallback must be one of"),
        ({"rebot_timeout": 5}, "Unsupported parameters"),
        ({"search_paths": {"a": 1}}, "search_paths"),
        ({"resume": "yes"}, "resume"),
        ({"require_same_host_key": "perhaps"}, "not a valid boolean"),
    ],
)
def test_what_is_of_another_type_is_told(arguments, sentence):
    with pytest.raises(AnsibleActionFail, match=sentence):
        request(**arguments)
