# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role kernel_update with the real apt, dnf and zypper, on hosts that have package databases and sources too.

tests/lab has apt once more, on a virtual machine that then runs what was installed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible_run import CHECKOUT, Run, run_playbook
from package_host import MACHINE, NEEDED, RUNNING, Deb, PackageHost, apt_repository, rpm_repository

PLUGINS = CHECKOUT / ".cache/dnf-plugins/usr/lib/python3/dist-packages"

pytestmark = [
    pytest.mark.services,
    *(
        pytest.mark.skipif(not shutil.which(name), reason="%s is not installed (tools/setup services)" % name)
        for name in NEEDED
    ),
    pytest.mark.skipif(not PLUGINS.exists(), reason="dnf's versionlock is not there (tools/setup services)"),
]

RED_HAT_SPEC = """
Name: kernel
Version: 5.14.0
Release: %{number}.el9
Summary: A kernel
License: none
Provides: installonlypkg(kernel)
Requires: kernel-core = %{version}-%{release}
%description
Brings the others.
%package core
Summary: The image
Provides: installonlypkg(kernel)
%description core
The image.
%package devel
Summary: The headers
Provides: installonlypkg(kernel)
%description devel
The headers.
%install
mkdir -p %{buildroot}/boot
echo > %{buildroot}/boot/vmlinuz-%{uname}
%files
%files core
/boot/*
%files devel
"""

SUSE_SPEC = """
Name: kernel-default
Version: 6.4.0
Release: %{number}.1
Summary: A kernel
License: none
Provides: multiversion(kernel)
%description
The image.
%install
mkdir -p %{buildroot}/boot
echo > %{buildroot}/boot/vmlinuz-%{uname}
%files
/boot/*
"""

RED_HAT_FILES = {
    "etc/os-release": 'ID="rhel"\nNAME="Red Hat Enterprise Linux"\nVERSION_ID="9.4"\n',
    "etc/redhat-release": "Red Hat Enterprise Linux release 9.4 (Plow)\n",
    "etc/dnf/vars/releasever": "9",
    # As RHEL has it, but for the place of the plugins.
    "etc/dnf/dnf.conf": "[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\n"
    "skip_if_unavailable=False\npluginpath=/plugins\n",
    "etc/dnf/plugins/versionlock.conf": "[main]\nenabled=1\nlocklist=/etc/dnf/plugins/versionlock.list\n",
    "etc/dnf/plugins/versionlock.list": "",
    "etc/yum.repos.d/base.repo": "[base]\nname=base\nbaseurl=file:///packages\ngpgcheck=0\n",
}
SUSE_FILES = {
    "etc/os-release": 'ID="sles"\nNAME="SLES"\nVERSION_ID="15.6"\n',
    "etc/zypp/zypp.conf": "[main]\nmultiversion = provides:multiversion(kernel)\n",
    "etc/zypp/repos.d/base.repo": "[base]\nname=base\nenabled=1\nautorefresh=0\nbaseurl=dir:///packages\n"
    "type=rpm-md\ngpgcheck=0\n",
}
UBUNTU_FILES = {
    "etc/os-release": 'ID=ubuntu\nID_LIKE=debian\nNAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n',
    "etc/apt/sources.list": "deb [trusted=yes] file:/packages ./\n",
}

# Of Ubuntu and Debian. The first follow new kernels; the others are one kernel, or none.
FOLLOW = (
    "linux-aws",
    "linux-azure-fde",
    "linux-gcp-6.8",
    "linux-gkeop",
    "linux-headers-amd64",
    "linux-image-amd64",
    "linux-image-aws",
    "linux-image-cloud-amd64",
    "linux-image-generic-hwe-22.04",
    "linux-image-lowlatency-hwe-22.04-edge",
    "linux-image-oem-22.04d",
    "linux-image-raspi",
    "linux-image-rt-amd64",
    "linux-image-virtual",
    "linux-generic-hwe-22.04",
    "linux-intel-iotg",
    "linux-modules-extra-aws",
    "linux-modules-nvidia-550-server-generic",
    "linux-nvidia-64k-hwe-24.04",
    "linux-oracle-lts-22.04",
    "linux-realtime",
    "linux-virtual",
)
STAY = (
    "linux-aws-headers-6.8.0-1029",
    "linux-base",
    "linux-doc",
    "linux-firmware",
    "linux-headers-6.1.0-55-common",
    "linux-headers-6.8.0-60",
    "linux-hwe-6.8-tools-6.8.0-60",
    "linux-image-6.12.48+deb13-amd64",
    "linux-image-6.8.0-1029-aws",
    "linux-image-unsigned-6.8.0-60-lowlatency",
    "linux-libc-dev",
    "linux-modules-6.8.0-60-generic",
    "linux-modules-extra-6.8.0-1029-aws",
    "linux-modules-nvidia-550-server-6.8.0-60-generic",
    "linux-perf",
    "linux-tools-common",
)


def ubuntu_packages() -> list[Deb]:
    """Each of those in two versions, and Ubuntu's generic kernels, 61 of which is the first and 63 the newest."""
    packages = [Deb(name, version) for name in (*FOLLOW, *STAY) for version in ("1", "3")]
    for number in (1, 2, 3):
        release = "6.8.0-6%d-generic" % number
        packages += [Deb("linux-%s-%s" % (kind, release), "1") for kind in ("headers", "image", "modules-extra")]
    for number in (1, 3):
        exactly = " (= %d)" % number
        packages += [
            Deb("linux-generic", str(number), "linux-image-generic%s, linux-headers-generic%s" % (exactly, exactly)),
            Deb("linux-headers-generic", str(number), "linux-headers-6.8.0-6%d-generic" % number),
            Deb(
                "linux-image-generic",
                str(number),
                "linux-image-6.8.0-6%d-generic, linux-modules-extra-6.8.0-6%d-generic" % (number, number),
            ),
        ]
    return packages


class Family(NamedTuple):
    """What differs between the package managers. Kernels have numbers: 1 runs, 3 is the newest that there is."""

    files: dict[str, str]
    release: str
    """As uname -r prints it."""
    packages: tuple[str, ...]
    """As query tells them."""
    given: tuple[str, ...]
    """As the package manager takes them."""
    query: tuple[str, ...]
    install: tuple[str, ...]
    erase: tuple[str, ...]
    lock: tuple[str, ...]


RPM_QUERY = ("rpm", "--query", "--all", "--queryformat", "%{NAME}-%{VERSION}-%{RELEASE}\n")
FAMILIES = {
    "apt": Family(
        files=UBUNTU_FILES,
        release="6.8.0-6%d-generic",
        packages=("linux-image-6.8.0-6%d-generic=1",),
        given=("linux-image-6.8.0-6%d-generic=1",),
        query=("dpkg-query", "--show", "--showformat=${Package}=${Version}\n"),
        install=("apt-get", "--yes", "--quiet", "install"),
        erase=("apt-get", "--yes", "--quiet", "purge", "linux-*"),
        lock=("apt-mark", "hold", "linux-generic", "linux-image-generic", "linux-headers-generic"),
    ),
    "dnf": Family(
        files=RED_HAT_FILES,
        release="5.14.0-%%d.el9.%s" % MACHINE,
        packages=("kernel-5.14.0-%d.el9", "kernel-core-5.14.0-%d.el9"),
        given=("kernel-5.14.0-%d.el9",),
        query=RPM_QUERY,
        install=("dnf", "--assumeyes", "--quiet", "install"),
        erase=("rpm", "--erase", "kernel", "kernel-core"),
        lock=("dnf", "--quiet", "versionlock", "add", "kernel", "kernel-core"),
    ),
    "zypper": Family(
        files=SUSE_FILES,
        release="6.4.0-%d-default",
        packages=("kernel-default-6.4.0-%d.1",),
        given=("kernel-default=6.4.0-%d.1",),
        query=RPM_QUERY,
        install=("zypper", "--non-interactive", "install", "--oldpackage"),
        erase=("rpm", "--erase", "kernel-default"),
        lock=("zypper", "--non-interactive", "addlock", "kernel-def*"),
    ),
}


class Host:
    """A host of a family."""

    def __init__(self, family: Family, host: PackageHost) -> None:
        self.family = family
        self.host = host
        self.variables: dict[str, Any] = {}

    def installed(self) -> set[str]:
        return set(self.host.run(*self.family.query).split())

    def kernels(self) -> list[int]:
        """The numbers of those that are whole."""
        installed = self.installed()
        return [number for number in (1, 2, 3) if installed >= {name % number for name in self.family.packages}]

    def install(self, *packages: str) -> None:
        self.host.run(*self.family.install, *packages)

    def install_kernel(self, number: int) -> None:
        self.install(*(name % number for name in self.family.given))

    def erase(self) -> None:
        self.host.run(*self.family.erase)

    def lock(self) -> None:
        self.host.run(*self.family.lock)

    def lose_the_source(self) -> None:
        (self.host.root / "packages").rename(self.host.root / "elsewhere")

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.host.root / name
        path.write_text(path.read_text().replace(old, new))

    def want(self, **inputs: Any) -> None:
        """Inputs of the role, without their prefix."""
        self.variables.update({"kernel_update_" + name: value for name, value in inputs.items()})

    def want_release(self, number: int) -> None:
        self.want(release=self.family.release % number)

    def want_given(self, number: int) -> None:
        self.want(packages=[name % number for name in self.family.given])


def limited(limit: int) -> Callable[[Host], None]:
    """To that many kernels, of which two are there."""

    def prepare(host: Host) -> None:
        host.install_kernel(2)
        host.edit("etc/dnf/dnf.conf", "installonly_limit=3", "installonly_limit=%d" % limit)

    return prepare


def with_all_names(host: Host) -> None:
    host.install(*("%s=1" % name for name in (*FOLLOW, *STAY)))


def with_the_newest_kernel_alone_and_a_release(host: Host) -> None:
    host.erase()
    host.install_kernel(3)
    host.want_release(2)


def with_headers_and_a_release(host: Host) -> None:
    host.install("kernel-devel-5.14.0-1.el9")
    host.want_release(2)


def with_a_lock_and_a_given_package(host: Host) -> None:
    host.lock()
    host.want(packages="kernel-default")


def with_a_release_and_its_package(host: Host) -> None:
    host.want_release(2)
    host.want_given(2)


# Each host has kernel 1, and then this happens to it.
EVERYWHERE: dict[str, Callable[[Host], None]] = {
    "old": lambda host: None,
    "given": lambda host: host.want_given(2),
    "lost": Host.lose_the_source,
    "locked": Host.lock,
    "none": Host.erase,
    "release": lambda host: host.want_release(2),
}
PREPARED: dict[str, Callable[[Host], None]] = {
    **{"%s-%s" % (family, name): prepare for name, prepare in EVERYWHERE.items() for family in FAMILIES},
    "apt-names": with_all_names,
    "dnf-limit1": limited(1),
    "dnf-limit2": limited(2),
    "dnf-devel": with_headers_and_a_release,
    "dnf-newer": with_the_newest_kernel_alone_and_a_release,
    "dnf-nowhere": lambda host: host.want_release(9),
    "zypper-both": with_a_release_and_its_package,
    "zypper-conflict": with_a_lock_and_a_given_package,
    "zypper-single": lambda host: host.edit("etc/zypp/zypp.conf", "multiversion", "# multiversion"),
}


class Site:
    """All the hosts, and ansible-playbook for them."""

    def __init__(self, folder: Path, hosts: dict[str, Host]) -> None:
        self._folder = folder
        self._hosts = hosts

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def update(self, *names: str, check: bool = False, playbook: str = "") -> Run:
        """Run the role alone, or a playbook."""
        inventory = self._folder / "inventory.yml"
        inventory.write_text(
            yaml.safe_dump({"all": {"hosts": {n: {**self[n].host.variables(), **self[n].variables} for n in names}}})
        )
        if not playbook:
            play = {"hosts": "all", "gather_facts": False, "roles": ["fleetops.kexec.kernel_update"]}
            playbook = str(self._folder / "playbook.yml")
            Path(playbook).write_text(yaml.safe_dump([play]))
        arguments = ["--check"] if check else []
        return run_playbook(inventory, playbook, arguments, {}, self._folder / "tasks.jsonl")


def installed_host(folder: Path, name: str) -> Host:
    """A host with kernel 1."""
    family = FAMILIES[name]
    host = PackageHost.made(folder, family.files)
    packages = host.root / "packages"
    if name == "apt":
        apt_repository(packages, ubuntu_packages())
        host.run("apt-get", "--quiet", "update")
    else:
        releases = {1: RUNNING, 2: family.release % 2, 3: family.release % 3}
        rpm_repository(packages, RED_HAT_SPEC if name == "dnf" else SUSE_SPEC, releases)
    if name == "dnf":
        shutil.copytree(PLUGINS / "dnfpluginscore", host.root / "plugins/dnfpluginscore")
        shutil.copy(PLUGINS / "dnf-plugins/versionlock.py", host.root / "plugins")
    installed = Host(family, host)
    if name == "apt":
        installed.install("linux-generic=1", "linux-image-generic=1", "linux-headers-generic=1")
    else:
        installed.install_kernel(1)
    return installed


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    patterns = {name: installed_host(folder / name, name) for name in FAMILIES}
    hosts = {}
    for name, prepare in PREPARED.items():
        pattern = patterns[name.split("-", maxsplit=1)[0]]
        hosts[name] = Host(pattern.family, pattern.host.copy(folder / name))
        prepare(hosts[name])
    return Site(folder, hosts)


@pytest.fixture(scope="module")
def checked(site: Site) -> Run:
    """A run in check mode over the hosts that are to be updated, before anything else."""
    run = site.update(*("%s-old" % family for family in FAMILIES), check=True)
    for family in FAMILIES:
        assert site["%s-old" % family].kernels() == [1]
    return run


@pytest.fixture(scope="module")
def updated(site: Site, checked: Run) -> Run:
    """A run over all hosts, but for those that have lost their source: apt tries that for half a minute."""
    return site.update(*(name for name in PREPARED if not name.endswith("-lost")))


each_family = pytest.mark.parametrize("family", FAMILIES)


def changed(run: Run, name: str) -> list[str]:
    return [task.task for task in run.tasks if task.host == name and task.result.get("changed")]


def error(run: Run, name: str) -> str:
    """All that the failed task of a host said; empty where none failed."""
    return "".join(str(task.result) for task in run.tasks if task.host == name and task.status == "failed")


@each_family
def test_check_mode_tells_of_the_update(checked: Run, family: str) -> None:
    """That it does none is seen by the fixture."""
    assert len(changed(checked, family + "-old")) == 1


@each_family
def test_the_newest_kernel_is_installed_beside_the_running_one(site: Site, updated: Run, family: str) -> None:
    assert not error(updated, family + "-old")
    assert len(changed(updated, family + "-old")) == 1
    assert site[family + "-old"].kernels() == [1, 3]


def test_a_second_run_changes_nothing(site: Site, updated: Run) -> None:
    names = ["%s-old" % family for family in FAMILIES]
    before = {name: site[name].installed() for name in names}
    run = site.update(*names)
    assert run.rc == 0
    assert [task.task for task in run.tasks if task.result.get("changed")] == []
    assert {name: site[name].installed() for name in names} == before


@each_family
def test_what_is_locked_stays_and_is_no_error(site: Site, updated: Run, family: str) -> None:
    name = family + "-locked"
    assert (error(updated, name), changed(updated, name)) == ("", [])
    assert site[name].kernels() == [1]


@pytest.mark.parametrize("family", ["apt", "zypper"])
def test_what_is_locked_is_told(updated: Run, family: str) -> None:
    told = [str(task.result.get("msg")) for task in updated.of("debug", family + "-locked")]
    assert any("and left as they are: " in msg for msg in told)


@each_family
def test_a_package_of_the_operators_choice_is_installed(site: Site, updated: Run, family: str) -> None:
    assert not error(updated, family + "-given")
    assert site[family + "-given"].kernels() == [1, 2]


@each_family
def test_a_host_without_a_kernel_package_is_refused(updated: Run, family: str) -> None:
    assert "no package that brings new kernels" in error(updated, family + "-none")


def test_a_host_whose_source_is_out_of_reach_is_not_rebooted_and_the_report_says_why(site: Site) -> None:
    names = ["%s-lost" % family for family in FAMILIES]
    run = site.update(*names, playbook="playbooks/kernel_update.yml")
    assert run.rc != 0
    assert run.outcomes() == dict.fromkeys(names, "refused")
    (report,) = run.of("rollout_report")
    for name, words in zip(names, ("apt", "repo 'base'", "/packages"), strict=True):
        said = report.result["hosts"][name]["reason"]
        assert "its kernel packages were not updated: " in said
        assert words in said


@pytest.mark.parametrize("family", ["apt", "dnf"])
def test_a_release_is_installed_by_what_uname_prints(site: Site, updated: Run, family: str) -> None:
    assert not error(updated, family + "-release")
    assert site[family + "-release"].kernels() == [1, 2]


def test_apt_installs_a_release_with_what_other_kernels_of_the_flavour_have(site: Site, updated: Run) -> None:
    wanted = {"linux-headers-6.8.0-62-generic=1", "linux-modules-extra-6.8.0-62-generic=1"}
    assert wanted <= site["apt-release"].installed()


def test_apt_updates_what_follows_new_kernels_and_nothing_else(site: Site, updated: Run) -> None:
    assert not error(updated, "apt-names")
    installed = site["apt-names"].installed()
    assert [name for name in FOLLOW if name + "=3" not in installed] == []
    assert [name for name in STAY if name + "=1" not in installed] == []


def test_dnf_installs_an_older_release_than_the_newest(site: Site, updated: Run) -> None:
    assert not error(updated, "dnf-newer")
    assert site["dnf-newer"].kernels() == [2, 3]


def test_dnf_installs_a_release_with_its_headers_where_there_are_some(site: Site, updated: Run) -> None:
    assert "kernel-devel-5.14.0-2.el9" in site["dnf-devel"].installed()


def test_dnf_says_which_release_no_source_has(site: Site, updated: Run) -> None:
    assert "No package kernel-5.14.0-9.el9" in error(updated, "dnf-nowhere")
    assert site["dnf-nowhere"].kernels() == [1]


@pytest.mark.parametrize(("limit", "kernels"), [(1, [1, 2, 3]), (2, [1, 3])])
def test_dnf_keeps_the_running_kernel_and_another(site: Site, updated: Run, limit: int, kernels: list[int]) -> None:
    """dnf takes a limit of 1 as none."""
    assert not error(updated, "dnf-limit%d" % limit)
    assert site["dnf-limit%d" % limit].kernels() == kernels


def test_zypper_wants_a_package_with_a_release(site: Site, updated: Run) -> None:
    assert "beside kernel_update_release give kernel_update_packages" in error(updated, "zypper-release")
    assert site["zypper-release"].kernels() == [1]
    assert not error(updated, "zypper-both")
    assert site["zypper-both"].kernels() == [1, 2]


def test_zypper_may_not_put_a_kernel_in_the_place_of_another(site: Site, updated: Run) -> None:
    assert "zypper would replace or remove kernel-default" in error(updated, "zypper-single")
    assert site["zypper-single"].kernels() == [1]


def test_what_zypper_cannot_solve_is_told(site: Site, updated: Run) -> None:
    said = error(updated, "zypper-conflict")
    assert "zypper cannot update kernel-default on zypper-conflict: " in said
    assert "remove lock to allow installation of kernel-default-6.4.0-3.1" in said
    assert site["zypper-conflict"].kernels() == [1]
