# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import read_host_kind


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"Virtualization": "kvm"}, ("kvm", None)),
        ({"Virtualization": ""}, ("none", None)),
        ({"Virtualization": "lxc"}, ("lxc", "lxc")),
        ({"Virtualization": "container-other"}, ("container-other", "container-other")),
        ({}, ("unknown", None)),
    ],
)
def test_systemd_tells_containers_from_machines(host, properties, expected):
    host.systemd(**properties)
    kind = read_host_kind(host.machine())
    assert (kind.virtualization, kind.container) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [((0, "kvm\n"), ("kvm", None)), ((1, "none\n"), ("none", None)), ((0, "podman\n"), ("podman", "podman"))],
)
def test_without_systemds_answer_its_program_is_asked_once(host, answer, expected):
    host.program("/usr/bin/systemd-detect-virt", lambda argv: answer + ("",))
    kind = read_host_kind(host.machine())
    assert (kind.virtualization, kind.container) == expected
    assert host.ran == [("/usr/bin/systemd-detect-virt",)]


@pytest.mark.parametrize(
    ("path", "content", "container"),
    [
        ("run/.containerenv", "", "podman"),
        (".dockerenv", "", "docker"),
        ("run/systemd/container", "systemd-nspawn\n", "systemd-nspawn"),
        ("proc/1/environ", "HOME=/\0container=lxc\0", "lxc"),
        ("proc/1/environ", "container=\0", "unknown"),
    ],
)
def test_a_container_is_known_by_its_marks_without_any_command(host, path, content, container):
    host.write(path, content)
    kind = read_host_kind(host.machine())
    assert (kind.container, kind.virtualization) == (container, container)
    assert host.ran == []


@pytest.mark.parametrize(
    ("properties", "path", "confidential"),
    [
        ({"Virtualization": "kvm", "ConfidentialVirtualization": "sev-es"}, None, "sev-es"),
        ({"Virtualization": "kvm", "ConfidentialVirtualization": ""}, None, None),
        ({"Virtualization": "kvm"}, "dev/sev-guest", "sev-snp"),
        ({"Virtualization": "kvm"}, "dev/tdx_guest", "tdx"),
        ({"Virtualization": "kvm"}, "sys/firmware/uv/prot_virt_guest", "protvirt"),
        ({"Virtualization": "kvm"}, None, None),
    ],
)
def test_a_confidential_guest(host, properties, path, confidential):
    host.systemd(**properties)
    if path:
        host.write(path, "1\n")
    assert read_host_kind(host.machine()).confidential == confidential


def test_an_answer_that_is_none_leaves_the_times_unknown(host):
    host.systemd(FirmwareTimestampMonotonic="n/a", LoaderTimestampMonotonic="")
    kind = read_host_kind(host.machine())
    assert (kind.before_firmware, kind.before_loader) == (0, 0)
