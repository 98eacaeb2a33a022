# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._services import (
    ASK_SERVICES,
    Services,
    new_failures,
    parse_services,
)


def answered(system, failed):
    state = "NFailedUnits=%d SystemState=%s " % (len(failed.split()), system)
    return "Welcome\r\nfleetops-system:%s\r\nfleetops-failed-units:%s\r\n" % (state, failed)


@pytest.mark.parametrize(
    ("output", "services"),
    [
        (answered("running", ""), Services((), True)),
        (answered("degraded", "a.service b.mount "), Services(("a.service", "b.mount"), True)),
        (answered("starting", "a.service "), Services(("a.service",), False)),
        (answered("initializing", ""), Services((), False)),
        (answered("maintenance", ""), Services((), True)),
        (answered("offline", ""), None),
        (answered("", ""), None),
        ("", None),
        ("fleetops-system:SystemState=running\n", None),
    ],
)
def test_what_systemd_says_of_its_units(output, services):
    assert parse_services(output) == services


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        (Services(("a",), True), Services(("a", "b"), True), ["b"]),
        (Services(("a", "b"), True), Services(("a",), True), []),
        (None, Services(("a",), True), []),
        (Services((), True), None, []),
    ],
)
def test_only_what_had_not_failed_before_is_new(before, after, new):
    assert new_failures(before, after) == new


def ask(tmp_path, systemctl):
    """Ask a shell that has this systemctl."""
    if systemctl is not None:
        program = tmp_path / "systemctl"
        program.write_text("#!/bin/sh\n" + systemctl)
        program.chmod(0o755)
    path = "%s:%s" % (tmp_path, os.environ["PATH"])
    asked = subprocess.run(["sh", "-c", ASK_SERVICES], check=True, capture_output=True, text=True, env={"PATH": path})
    return parse_services(asked.stdout)


UNITS = """case "$*" in
show*) echo NFailedUnits=2; echo SystemState=degraded ;;
*--state=failed*--plain*--no-legend*)
    echo 'apt-daily.service    loaded failed failed Daily apt'
    echo 'systemd-fsck@dev-disk-by\\x2duuid.service loaded failed failed File system check' ;;
esac
"""


def test_the_question_is_answered_as_systemctl_prints_it(tmp_path):
    assert ask(tmp_path, UNITS) == Services(("apt-daily.service", "systemd-fsck@dev-disk-by\\x2duuid.service"), True)


def test_a_machine_without_failed_units_is_asked_once(tmp_path):
    said = ask(
        tmp_path, 'case "$*" in show*) echo SystemState=running; echo NFailedUnits=0 ;; *) echo a.service ;; esac'
    )
    assert said == Services((), True)


def test_a_machine_without_systemd_says_nothing(tmp_path):
    assert ask(tmp_path, "exit 127") is None
