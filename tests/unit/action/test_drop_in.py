# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kexec_reboot against ansible.builtin.reboot of the ansible-core that is here: options and return values."""

from __future__ import annotations

import pytest
import yaml
from ansible.modules import reboot as theirs
from ansible.plugins.action.reboot import ActionModule as TheirAction
from ansible_collections.fleetops.kexec.plugins.modules import kexec_reboot as ours

SAME = ("type", "elements", "default", "choices", "aliases", "required")
OPTIONS = {module: yaml.safe_load(module.DOCUMENTATION)["options"] for module in (theirs, ours)}
RETURNED = {module: yaml.safe_load(module.RETURN) for module in (theirs, ours)}

# What is meant to differ, and how the documentation of kexec_reboot says so. A name that is not here is the same.
DIFFERENT = {
    # Fractions of a second count.
    "pre_reboot_delay": {"type": ("int", "float")},
    "post_reboot_delay": {"type": ("int", "float")},
    "reboot_timeout": {"type": ("int", "float")},
    # The boot id is always compared, and the command by which the host tells it is test enough.
    "test_command": {"default": ("whoami", None)},
    "boot_time_command": {"default": ("cat /proc/sys/kernel/random/boot_id", None)},
    # Theirs is no command but a remark.
    "reboot_command": {"default": ("[determined based on target OS]", None)},
}


def differences(name, documented):
    their, our = (documented[module][name] for module in (theirs, ours))
    return {aspect: (their.get(aspect), our.get(aspect)) for aspect in SAME if their.get(aspect) != our.get(aspect)}


@pytest.mark.parametrize("name", OPTIONS[theirs])
def test_every_option_is_there_and_the_same(name):
    assert differences(name, OPTIONS) == DIFFERENT.get(name, {})


@pytest.mark.parametrize("name", RETURNED[theirs])
def test_every_return_value_is_there_and_the_same(name):
    assert differences(name, RETURNED) == {}
    assert RETURNED[ours][name]["returned"] == "always"


def test_their_action_takes_nothing_else():
    """It also looks for connect_timeout_sec and the like, but refuses them before: they are no options any more."""
    assert set(OPTIONS[theirs]) == TheirAction._VALID_ARGS
    assert TheirAction.DEPRECATED_ARGS == {}


def test_what_is_said_to_differ_is_an_option():
    assert set(DIFFERENT) <= set(OPTIONS[theirs])
