# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that have failed, and the end of the boot."""

from __future__ import annotations

from ansible_collections.fleetops.kexec.plugins.plugin_utils._reboot import Reboot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.fake_host import (
    FakeClock,
    FakeHost,
    reboot,
)


def test_units_that_have_failed_anew_are_a_warning():
    outcome, _host = reboot(settled=22.0, failed_before="old.service", failed_after="old.service new.service")
    assert not outcome.failed
    assert outcome.failed_units == {
        "before": ["old.service"],
        "after": ["old.service", "new.service"],
        "new": ["new.service"],
    }
    assert outcome.warnings == ["systemd units have failed that had not before the reboot: new.service"]
    assert outcome.elapsed - outcome.timeline["ready"] < 0.5


def test_or_a_failure_where_that_is_asked_for():
    outcome, _host = reboot(settled=20.0, failed_after="new.service", fail_on_new_failed_units=True)
    assert (outcome.failed, outcome.rebooted, outcome.phase) == (True, True, "test")
    assert "new.service" in outcome.msg


def test_without_systemd_nothing_is_known_of_units():
    outcome, _host = reboot(fail_on_new_failed_units=True, settle_timeout=60.0)
    assert not outcome.failed
    assert outcome.failed_units == {"before": None, "after": None, "new": []}
    assert outcome.elapsed - outcome.timeline["ready"] < 0.5


def test_the_end_of_the_boot_is_waited_for_when_asked():
    outcome, _host = reboot(settled=30.0, settle_timeout=60.0)
    assert not outcome.failed
    assert not outcome.warnings
    assert 8.0 <= outcome.elapsed - outcome.timeline["ready"] <= 12.5


def test_a_boot_that_does_not_end_is_a_warning():
    outcome, _host = reboot(settled=999.0, settle_timeout=5.0)
    assert not outcome.failed
    assert outcome.warnings == ["the boot had not come to its end within settle_timeout (5 s); see systemctl list-jobs"]
    assert 5.0 <= outcome.elapsed - outcome.timeline["ready"] <= 6.0


def test_a_systemd_that_was_too_busy_is_asked_once_more():
    class Busy(FakeHost):
        def describe(self, new):
            said = super().describe(new)
            if not new or self.log.count("asked"):
                return said
            self.log.append("asked")
            return "".join(line for line in said.splitlines(True) if "fleetops-" not in line)

    clock = FakeClock()
    host = Busy(clock, settled=20.0, failed_after="new.service")
    outcome = Reboot(host, clock, Request(method="kexec"), say=lambda line: None).run()
    assert outcome.failed_units["new"] == ["new.service"]
    assert outcome.elapsed - outcome.timeline["ready"] < 0.5
