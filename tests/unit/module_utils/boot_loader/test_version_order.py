# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import itertools

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.version_order import (
    compare_blscfg,
    compare_like_rpm,
    compare_like_systemd,
    compare_releases,
    flavour,
    newest,
)
from hypothesis import given, settings
from hypothesis import strategies as st

MACHINE = "3c1f0d8e2b8a4f3d9a6e5b7c2d1e0f34"
VERSIONS = st.text(alphabet="01a9bz.-~^+_ \0ä", max_size=12)


def sign(number):
    return (number > 0) - (number < 0)


@pytest.mark.parametrize(
    ("compare", "ascending"),
    [
        # The list in the comment above strverscmp_improved in systemd.
        (
            compare_like_systemd,
            "122.1 123~rc1-1 123 123-a 123-a.1 123-1 123-1.1 123^post1 123.a-1 123.1-1 123a-1 124-1".split(),
        ),
        (compare_like_rpm, "1~~ 1~rc1 1 1+1 1.a 1.0 1.0.1 1.1 1.9 1.10 1.10a 2".split()),
        (
            compare_blscfg,
            [
                MACHINE + "-0-rescue",
                MACHINE + "-4.18.0-553.16.1.el8_10.x86_64",
                MACHINE + "-5.14.0-427.13.1.el9_4.x86_64",
                MACHINE + "-5.14.0-503.11.1.el9_5.x86_64",
                MACHINE + "-5.14.0-503.11.1.el9_5.x86_64+debug",
                MACHINE + "-5.15.0-206.153.7.el8uek.x86_64",
                MACHINE + "-5.15.0-300.163.18.1.el8uek.x86_64",
                # The name is cut at the last two dashes, so that the version becomes part of the machine's.
                MACHINE + "-5.14.0-503.11.1.el9_5.x86_64+rt-debug",
            ],
        ),
        (
            compare_releases,
            "6.1.0-9-amd64 6.1.0-10-amd64 6.12-rc1-amd64 6.12.1-amd64 6.13.0-rc7 6.13.0".split()
            + ["6.14.0-0.rc5.44.fc42.x86_64", "6.14.0-63.fc42.x86_64"],
        ),
    ],
)
def test_versions_are_in_order(compare, ascending):
    for (low, first), (high, second) in itertools.product(enumerate(ascending), repeat=2):
        assert sign(compare(first, second)) == sign(low - high), (first, second)


@pytest.mark.parametrize("compare", [compare_like_systemd, compare_like_rpm, compare_blscfg, compare_releases])
@settings(max_examples=300, deadline=None)
@given(VERSIONS, VERSIONS)
def test_the_comparison_is_the_same_from_both_sides(compare, first, second):
    assert sign(compare(first, second)) == -sign(compare(second, first))
    assert compare(first, first) == 0


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("6.1.0-55-amd64", ()),
        ("6.1.0-55-cloud-amd64", ("cloud",)),
        ("6.1.0-55-rt-amd64", ("rt",)),
        ("6.12.48+deb13-amd64", ()),
        ("6.12.48+deb13-cloud-arm64", ("cloud",)),
        ("6.1.0-0.deb11.5-amd64", ()),
        ("6.1.0-10-686-pae", ("pae",)),
        ("6.8.0-45-generic", ("generic",)),
        ("6.4.0-150600.23.7-default", ("default",)),
        ("5.14.0-503.el9_5.x86_64", ()),
        ("5.14.0-503.el9_5.x86_64+debug", ("debug",)),
        ("5.14.0-503.el9_5.aarch64+64k", ("64k",)),
        ("5.14.0-503.el9_5.x86_64+rt-debug", ("debug", "rt")),
        ("4.18.0-553.rt7.342.el8_10.x86_64", ("rt",)),
        ("5.15.0-206.153.7.el8uek.x86_64", ("uek",)),
        ("2.6.39-400.297.3.el5uek", ("uek",)),
        ("2.6.18-419.el5PAE", ("pae",)),
        ("6.14.0-63.fc42.x86_64", ()),
        ("6.9.0-0.rc5.20240423git71b1543c83d6.46.fc41.x86_64", ()),
        ("6.1.97-104.177.amzn2023.x86_64", ()),
        ("6.9.7-1.el9.elrepo.x86_64", ("elrepo",)),
        ("6.9.7-arch1-1", ("arch",)),
        ("6.6.36-1-lts", ("lts",)),
        ("6.1.0-rc5-gabc1234", ()),
    ],
)
def test_the_flavour_is_what_a_release_says_beside_numbers(release, words):
    assert flavour(release) == words


@pytest.mark.parametrize(
    ("releases", "like", "index"),
    [
        (["5.15.0-206.el8uek.x86_64", "5.15.0-300.el8uek.x86_64", "6.0.0-1.el8.x86_64"], "5.15.0-206.el8uek.x86_64", 1),
        (["6.1.0-55-amd64", "6.1.0-56-cloud-amd64", None], "6.1.0-49-amd64", 0),
        (["6.13.0-rc1", "6.12.9", "6.12.10"], "6.12.9", 0),
        (["6.13.0-rc1", "6.13.0", "6.13.0"], "6.12.9", 1),
        (["6.1.0-55-rt-amd64"], "6.1.0-55-amd64", None),
        ([], "6.1.0", None),
    ],
)
def test_the_newest_is_of_the_same_flavour(releases, like, index):
    assert newest(releases, like) == index
