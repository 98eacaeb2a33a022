# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import QUESTION, Staged, parse_boot

BOOT_ID = "0cdfa0ad-9b1d-4a5d-9e0d-3c1cd2b2f0b5"
ANSWER = {
    "/proc/sys/kernel/random/boot_id": BOOT_ID,
    "/proc/sys/kernel/osrelease": "6.1.0-56-cloud-amd64",
    "/proc/cmdline": "root=LABEL=root ro panic=30 fleetops.boot=T",
    "/proc/sys/kernel/bootloader_type": "208",
    "/sys/kernel/kexec_loaded": "0",
    "/sys/kernel/kexec_crash_loaded": "1",
    "/proc/1/comm": "systemd",
}


def answered(**changes):
    values = {**ANSWER, **changes}
    return "".join("%s:%s\n" % item for item in values.items() if item[1] is not None)


def test_every_file_is_asked_for_by_one_command():
    assert all(path in QUESTION for path in ANSWER)


def test_a_whole_answer():
    boot = parse_boot("Welcome to web1\n" + answered())
    assert boot is not None
    assert (boot.boot_id, boot.release, boot.token) == (BOOT_ID, "6.1.0-56-cloud-amd64", "T")
    assert (boot.by_kexec, boot.image_loaded, boot.staged, boot.init) == (True, False, None, "systemd")


@pytest.mark.parametrize(
    "changes",
    [
        {"/proc/sys/kernel/random/boot_id": None},
        {"/proc/sys/kernel/random/boot_id": "Permission denied"},
        {"/proc/sys/kernel/random/boot_id": BOOT_ID[:-1]},
        {"/proc/sys/kernel/random/boot_id": BOOT_ID.upper() + " "},
        {"/proc/sys/kernel/osrelease": ""},
        {"/proc/cmdline": None},
    ],
)
def test_an_answer_that_is_not_whole_is_none(changes):
    assert parse_boot(answered(**changes)) is None


@pytest.mark.parametrize(("value", "by_kexec"), [("208", True), ("114", False), (None, None)])
def test_how_it_was_started(value, by_kexec):
    boot = parse_boot(answered(**{"/proc/sys/kernel/bootloader_type": value}))
    assert boot is not None
    assert boot.by_kexec is by_kexec


def _record(boot_id):
    text = json.dumps(
        {"boot_id": boot_id, "token": "T2", "release": "6.1.0-57", "build": "#2", "more": "later"}, indent=1
    )
    return "\n".join("/run/fleetops-kexec/staged.json:" + line for line in text.splitlines())


@pytest.mark.parametrize(
    ("record", "staged"),
    [
        (_record(BOOT_ID), Staged("T2", "6.1.0-57", "#2")),
        (_record("11111111-9b1d-4a5d-9e0d-3c1cd2b2f0b5"), None),
        ("/run/fleetops-kexec/staged.json:{", None),
        ("/run/fleetops-kexec/staged.json:[]", None),
        ("", None),
    ],
)
def test_only_a_record_of_this_boot_counts(record, staged):
    boot = parse_boot(answered() + record)
    assert boot is not None
    assert boot.staged == staged


@pytest.mark.parametrize(("value", "loaded"), [("1", True), ("0", False), (None, False)])
def test_whether_a_crash_kernel_is_loaded(value, loaded):
    boot = parse_boot(answered(**{"/sys/kernel/kexec_crash_loaded": value}))
    assert boot is not None
    assert boot.crash_loaded is loaded


def test_no_image_is_seen_where_the_kernel_has_no_kexec():
    boot = parse_boot(answered(**{"/sys/kernel/kexec_loaded": None}))
    assert boot is not None
    assert boot.image_loaded is False
