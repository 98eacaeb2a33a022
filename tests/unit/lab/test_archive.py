# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from vmlab.archive import (
    KEYRING,
    Source,
    debian_sources,
    host_sources,
    is_debian,
    newest_kernels,
    parse_deb822,
    parse_one_line,
)
from vmlab.errors import LabError

DEB822 = """\
# ours
Types: deb deb-src
URIs: https://mirror.example/debian
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/debian-security
Suites: trixie-security
Components: main
# a comment within
Signed-By:
 /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/off
Suites: trixie
Components: main
Enabled: no

Types: deb-src
URIs: https://mirror.example/source
Suites: trixie
Components: main
"""


def test_deb822_gives_one_source_for_each_suite_that_is_enabled():
    debian = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert parse_deb822(DEB822) == [
        Source("https://mirror.example/debian", "trixie", ("main", "contrib"), debian),
        Source("https://mirror.example/debian", "trixie-updates", ("main", "contrib"), debian),
        Source("https://mirror.example/debian-security", "trixie-security", ("main",), debian),
    ]


@pytest.mark.parametrize(
    ("line", "sources"),
    [
        (
            "deb http://m.example/debian bookworm main # ours",
            [Source("http://m.example/debian", "bookworm", ("main",))],
        ),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://m.example/x bookworm main extra",
            [Source("http://m.example/x", "bookworm", ("main", "extra"), "/k.gpg")],
        ),
        ("deb http://m.example/flat ./", [Source("http://m.example/flat", "./", ())]),
        ("# deb http://m.example/debian bookworm main", []),
        ("deb-src http://m.example/debian bookworm main", []),
        ("", []),
    ],
)
def test_one_line_sources(line, sources):
    assert parse_one_line(line) == sources


@pytest.mark.parametrize(
    ("source", "debian"),
    [
        (Source("http://m.example/debian/", "bookworm", ("main",)), True),
        (
            Source("http://m.example/any/path", "stable", ("main",), "/usr/share/keyrings/debian-archive-keyring.gpg"),
            True,
        ),
        (Source("mirror+file:///etc/apt/mirrors/debian.list", "bookworm", ("main",)), True),
        (Source("http://m.example/debian-security", "bookworm-security", ("main",)), True),
        (Source("http://m.example/security", "buster/updates", ("main",)), True),
        # third parties: a suite, a component, a key or a path of their own
        (Source("https://node.example/node_20.x", "nodistro", ("main",)), False),
        (Source("https://cloud.example/apt", "cloud-sdk-bookworm", ("main",)), False),
        (Source("https://containers.example/linux/debian", "bookworm", ("stable",)), False),
        (Source("https://db.example/pub/repos/apt", "bookworm-pgdg", ("main",)), False),
        (Source("https://tools.example/debian", "bookworm", ("main",), "/etc/apt/keyrings/tools.gpg"), False),
        (Source("https://tools.example/debian/12/prod", "bookworm", ("main",)), False),
        (Source("http://m.example/ubuntu", "noble", ("main",)), False),
    ],
)
def test_debian_itself_is_told_from_third_parties(source, debian):
    assert is_debian(source) is debian


def test_the_guest_gets_its_own_release_from_the_hosts_mirrors():
    assert debian_sources(parse_deb822(DEB822), "bookworm") == [
        f"deb [signed-by={KEYRING}] https://mirror.example/debian bookworm main",
        f"deb [signed-by={KEYRING}] https://mirror.example/debian bookworm-updates main",
        f"deb [signed-by={KEYRING}] https://mirror.example/debian-security bookworm-security main",
    ]


def test_no_debian_entry_is_refused():
    with pytest.raises(LabError, match="No entry for Debian itself"):
        debian_sources([Source("http://m.example/ubuntu", "noble", ("main",))], "bookworm")


def test_all_source_files_of_the_host_are_read(tmp_path):
    (tmp_path / "sources.list").write_text("deb http://one.example/debian bookworm main\n")
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "a.sources").write_text(DEB822)
    (tmp_path / "sources.list.d" / "b.list.disabled").write_text("deb http://two.example/debian bookworm main\n")
    assert [source.uri for source in host_sources(tmp_path)] == [
        "http://one.example/debian",
        "https://mirror.example/debian",
        "https://mirror.example/debian",
        "https://mirror.example/debian-security",
    ]


PACKAGES = [
    "linux-image-6.1.0-9-cloud-amd64",
    "linux-image-6.1.0-10-cloud-amd64",
    "linux-image-6.1.0-10-cloud-amd64-dbg",
    "linux-image-6.1.0-11-amd64",
    "linux-image-6.1.0-11-cloud-amd64-unsigned",
    "linux-image-6.1.0-8-cloud-amd64",
    "linux-image-6.12-cloud-amd64",
    "linux-image-6.12.9+deb12-cloud-amd64",
    "linux-image-6.12.10+deb12-cloud-amd64",
]


@pytest.mark.parametrize(
    ("series", "number", "kernels"),
    [
        ("6.1", 2, ["6.1.0-9-cloud-amd64", "6.1.0-10-cloud-amd64"]),
        ("6.1", 1, ["6.1.0-10-cloud-amd64"]),
        ("6.12", 2, ["6.12.9+deb12-cloud-amd64", "6.12.10+deb12-cloud-amd64"]),
    ],
)
def test_newest_kernels_come_by_version_oldest_first(series, number, kernels):
    assert newest_kernels(PACKAGES, series, "cloud-amd64", number) == kernels


def test_too_few_kernels_are_refused():
    with pytest.raises(LabError, match=r"has 3 kernel\(s\) of the 6.1 series"):
        newest_kernels(PACKAGES, "6.1", "cloud-amd64", 4)
