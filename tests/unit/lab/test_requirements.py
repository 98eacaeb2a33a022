# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from pathlib import Path

import pytest
from vmlab.errors import LabError
from vmlab.recipe import GUEST
from vmlab.requirements import TO_BUILD, TO_RUN, missing_sentence, require, require_space, space_refusal


def test_what_is_missing_is_named_with_the_one_command_that_installs_it():
    assert missing_sentence({"qemu-img": "qemu-utils", "mcopy": "mtools", "mmd": "mtools"}) == (
        "The lab needs qemu-img, mcopy, mmd, not found here. Install: apt-get install mtools qemu-utils"
    )


def test_missing_programs_and_files_are_refused_together():
    with pytest.raises(LabError, match=r"needs no-such-program, /no/such/file, .* install one two"):
        require({"no-such-program": "one", "/no/such/file": "two", "sh": "dash"})


def test_packages_txt_has_the_packages_that_refusals_name():
    lines = (GUEST.parent / "packages.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == sorted({*TO_BUILD.values(), *TO_RUN.values()})


@pytest.mark.parametrize(
    ("free", "needed", "refused"),
    [
        (3_000_000_000, 2_500_000_000, False),
        (2_500_000_000, 2_500_000_000, False),
        (2_499_999_999, 2_500_000_000, True),
        (0, 1, True),
    ],
)
def test_too_little_disk_space_is_refused(free, needed, refused):
    assert (space_refusal(Path("/lab"), free, needed, "Building the image") is not None) is refused


def test_the_refusal_has_the_numbers_and_the_folder():
    assert space_refusal(Path("/lab"), 1_200_000_000, 2_500_000_000, "Building the image") == (
        "Building the image needs 2.5 GB of disk space in /lab, and 1.2 GB are free. "
        "Make room there, or set FLEETOPS_LAB_CACHE to a folder on a larger disk."
    )


def test_a_real_folder_is_measured(tmp_path):
    require_space(tmp_path, 1, "A test")
    with pytest.raises(LabError, match="A test needs 1000000000000"):
        require_space(tmp_path, 10**21, "A test")
