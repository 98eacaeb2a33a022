# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose SSH answers after the reboot."""

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostUnreachable
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.fake_host import (
    KEY,
    OTHER_KEY,
    reboot,
)


def test_the_host_key_is_read_once_before_and_once_after():
    outcome, host = reboot(down=3.0, answering=20.0, ready=30.0)
    assert not outcome.failed
    assert outcome.host_key == {"before": str(KEY), "after": str(KEY)}
    assert len(host.keys_read) == 2
    assert not outcome.warnings


def test_another_ssh_server_is_not_the_host():
    """A dropbear that waits for a passphrase, and then the host itself."""
    outcome, host = reboot(down=3.0, stranger=(8.0, 60.0), answering=70.0, ready=70.0, timeout=300.0)
    assert not outcome.failed
    fired = host.fired - 1000.0
    assert fired + 70.0 <= outcome.timeline["answering"] <= fired + 71.0
    assert outcome.timeline["ready"] <= fired + 71.5
    assert outcome.host_key["after"] == str(KEY)
    in_between = [moment for moment in host.keys_read if 8.0 <= moment < 60.0]
    assert 2 <= len(in_between) <= 12


def test_the_host_itself_is_seen_when_it_follows_the_other_server_at_once():
    outcome, host = reboot(down=3.0, stranger=(8.0, 30.0), answering=30.0, ready=30.0, timeout=300.0)
    assert not outcome.failed
    assert outcome.timeline["ready"] <= host.fired - 1000.0 + 36.5


@pytest.mark.parametrize("refuses", [True, False])
@pytest.mark.parametrize("banner_takes", [0.3, 0.7, 2.0])
def test_a_slow_host_is_seen_as_soon_as_it_shows_its_banner(banner_takes, refuses):
    outcome, host = reboot(answering=20.0, ready=20.0, banner_takes=banner_takes, refuses=refuses)
    assert not outcome.failed
    assert outcome.timeline["ready"] <= host.fired - 1000.0 + 21.5 + banner_takes


@pytest.mark.parametrize("refuses", [True, False])
def test_of_a_server_that_has_gone_for_good_nothing_is_remembered(refuses):
    outcome, _host = reboot(down=3.0, stranger=(8.0, 60.0), answering=None, refuses=refuses)
    assert (outcome.lost, outcome.timeline["answering"], outcome.host_key["after"]) == (True, None, None)
    assert "another SSH server" not in outcome.msg


@pytest.mark.parametrize("banner_takes", [0.05, 0.3, 0.7, 2.0])
def test_another_host_key_until_the_deadline_is_the_reason(banner_takes):
    """However long a banner takes: the last look before the deadline is a short one."""
    outcome, _host = reboot(down=3.0, stranger=(8.0, 999.0), answering=None, banner_takes=banner_takes)
    assert (outcome.failed, outcome.lost, outcome.phase) == (True, True, "return")
    assert outcome.msg == (
        "the host is not back within 120 s: another SSH server answers: its host key is %s, and the host's was %s"
        % (OTHER_KEY, KEY)
    )
    assert outcome.timeline["answering"] is None


def test_a_command_that_works_on_another_server_does_not_count():
    outcome, _host = reboot(key_after=OTHER_KEY)
    assert (outcome.failed, outcome.rebooted, outcome.lost) == (True, False, True)
    assert "another SSH server answers" in outcome.msg
    assert outcome.timeline["ready"] is None


def test_a_changed_key_is_borne_where_it_may_change():
    outcome, host = reboot(key_after=OTHER_KEY, require_same_host_key=False)
    assert not outcome.failed
    assert outcome.host_key == {"before": None, "after": None}
    assert host.keys_read == []


@pytest.mark.parametrize("down", [3.0, None], ids=["seen to go down", "between two looks"])
def test_the_key_is_waited_for_beside_the_command(down):
    facts = {"down": 3.0, "answering": 20.0} if down else {"down": 3.0, "answering": 3.01, "ready": 3.01}
    outcome, host = reboot(key_takes=4.0, **facts)
    assert not outcome.failed
    assert outcome.host_key["after"] == str(KEY)
    assert len(host.keys_read) == 2
    # The command took 0.3 s, the exchange 4 s, and they went on side by side.
    assert 3.5 <= outcome.elapsed - outcome.timeline["ready"] <= 4.5


def test_a_key_that_cannot_be_read_before_is_a_warning():
    outcome, _host = reboot(key_before=HostUnreachable("its SSH server did not show a host key: no common cipher"))
    assert not outcome.failed
    (warning,) = outcome.warnings
    assert warning.startswith(
        "the host key after the reboot could not be compared, because it was not seen before: its"
    )


def test_a_key_that_cannot_be_read_again_is_no_proof():
    outcome, host = reboot(key_after=HostUnreachable("its SSH server did not show a host key: no common cipher"))
    assert outcome.failed
    assert "not back within 120 s: its SSH server did not show a host key: no common cipher" in outcome.msg
    assert len(host.keys_read) < 120 / 2


def test_behind_a_jump_host_there_is_no_key_to_read():
    outcome, _host = reboot(key_before=None, key_after=None)
    assert not outcome.failed
    assert not outcome.warnings
