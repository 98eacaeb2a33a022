# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages of dnf and zypper the role kernel_update takes for kernels. tests/services has apt's, with apt."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest
import yaml

VARIABLES = yaml.safe_load((Path(__file__).parents[3] / "roles/kernel_update/vars/main.yml").read_text())

KERNELS = {
    "dnf": """
        kernel kernel-core kernel-modules kernel-modules-core kernel-modules-extra kernel-devel kernel-devel-matched
        kernel-debug kernel-debug-core kernel-rt kernel-rt-core kernel-rt-modules-extra kernel-64k kernel-64k-core
        kernel-64k-debug-core kernel-uki-virt kernel-uek kernel-uek-core kernel-uek-modules kernel-uek-modules-extra
        kernel-uek-devel kernel-uek64k-core kernel6.12 kernel6.12-modules-extra kernel-ml kernel-lt-core
    """,
    "zypper": """
        kernel-default kernel-default-base kernel-default-devel kernel-default-extra kernel-default-optional
        kernel-azure kernel-rt kernel-rt_debug kernel-64kb kernel-preempt kernel-longterm kernel-coco
    """,
}
OTHERS = {
    "dnf": """
        kernel-headers kernel-tools kernel-tools-libs kernel-srpm-macros kernel-doc kernel-abi-stablelists kernelshark
        kernel-livepatch-6.1.102-108.177 kernel-rpm-macros kernel-uek-tools kernel-cross-headers
    """,
    "zypper": """
        kernel-firmware kernel-firmware-all kernel-firmware-network kernel-macros kernel-source kernel-devel
        kernel-default-livepatch kernel-livepatch-6_4_0-150600_21-default kernel-docs kernel-install-tools
    """,
}


@pytest.mark.parametrize(("manager", "name"), [(key, name) for key, names in KERNELS.items() for name in names.split()])
def test_what_brings_a_kernel_is_updated(manager, name):
    assert re.match(VARIABLES["kernel_update_%s_names" % manager], name)


@pytest.mark.parametrize(("manager", "name"), [(key, name) for key, names in OTHERS.items() for name in names.split()])
def test_what_only_has_kernel_in_its_name_is_not(manager, name):
    assert not re.match(VARIABLES["kernel_update_%s_names" % manager], name)


@pytest.mark.parametrize(
    ("release", "package"),
    [
        ("5.14.0-570.12.1.el9_6.x86_64", "kernel"),
        ("5.14.0-570.12.1.el9_6.x86_64+debug", "kernel-debug"),
        ("5.14.0-570.12.1.el9_6.x86_64+rt", "kernel-rt"),
        ("5.14.0-570.12.1.el9_6.aarch64+64k", "kernel-64k"),
        ("4.18.0-553.16.1.rt7.357.el8_10.x86_64", "kernel-rt"),
        ("5.15.0-310.184.5.2.el9uek.x86_64", "kernel-uek"),
    ],
)
def test_the_package_of_a_release_has_its_flavour(release, package):
    environment = jinja2.Environment()
    environment.tests["search"] = lambda text, pattern: bool(re.search(pattern, text))
    template = environment.from_string(VARIABLES["kernel_update_dnf_flavour"])
    assert template.render(kernel_update_release=release) == package
