# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from table import FAULT, Result, fault_table, variant_table

NODE = "tests/lab/test_variants.py::test_%s[%s]"


def test_each_variant_has_a_line_with_its_steps_and_all_of_its_time():
    assert variant_table(
        [
            Result(NODE % ("info", "grub"), "", 40.0),
            Result(NODE % ("info", "grub"), "passed", 2.4),
            Result(NODE % ("signatures", "grub"), "skipped", 0.0),
            Result(NODE % ("info", "secure-boot"), "passed", 9.0),
            Result(NODE % ("signatures", "secure-boot"), "failed", 3.0),
        ]
    ) == [
        "variant      info  signatures  seconds",
        "grub         ok    -           42",
        "secure-boot  ok    FAILED      12",
    ]


def test_what_failed_stays_so_whatever_else_is_reported_of_it():
    for outcomes in (("passed", "error"), ("error", "passed")):
        lines = variant_table([Result(NODE % ("unload", "grub"), outcome, 1.0) for outcome in outcomes])
        assert lines[1].split() == ["grub", "FAILED", "2"]


def test_tests_of_other_modules_are_not_in_it():
    assert variant_table([Result("tests/lab/test_roll.py::test_info[grub]", "passed", 1.0)]) == []


def test_each_fault_has_a_line_as_it_was_recorded():
    rows = [["no initrd", "rolled_back", "rolled_back"], ["a hang", "lost", "rebooted"]]
    assert fault_table([(FAULT, rows[0]), ("other", "property"), (FAULT, rows[1])]) == [
        "injected   expected     seen",
        "no initrd  rolled_back  rolled_back",
        "a hang     lost         rebooted",
    ]
    assert fault_table([("other", "property")]) == []
