# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with packages of its own: a root file system in a folder, in which this machine's apt, dnf and zypper work.

bubblewrap makes the view, and Ansible enters it by what it takes for ssh. The programs are Debian's; configuration,
package database, caches and /boot are the host's own, and nothing of this machine can be written from there. Its kernel
is this machine's, so a package that has /boot/vmlinuz-$(uname -r) is that of the running kernel.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

NEEDED = ("apt-get", "bwrap", "createrepo_c", "dnf", "dpkg-deb", "rpm", "rpmbuild", "zypper")
"""Programs; Debian's packages are named in tests/services/packages.txt."""

RUNNING, MACHINE = platform.release(), platform.machine()
"""The kernel of this machine, and so of its hosts, and what RPM calls its processor."""

_FOLDERS = (
    "boot",
    "dev",
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "proc",
    "root",
    "run",
    "tmp",
    "usr",
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial",
    "var/lib/dpkg/info",
    "var/lib/dpkg/triggers",
    "var/lib/dpkg/updates",
    "var/lib/rpm",
    "var/log/apt",
)
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    # There is no other user that it could become.
    "etc/apt/apt.conf": 'APT::Sandbox::User "root";\n',
    # Debian's rpm has its database in the user's home.
    "etc/rpm/macros": "%_dbpath /var/lib/rpm\n",
    "var/lib/dpkg/status": "",
}
# Debian's programs run others through /etc/alternatives, awk for one.
_SYSTEM = ("/usr", "/etc/alternatives", "/etc/ld.so.cache")
_ENVIRONMENT = {
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONPATH": "/plugins",
    "PYTHONDONTWRITEBYTECODE": "1",
}

_ENTER = """#!/bin/sh
# Called as ssh is, with the command to run as the last word.
for command; do :; done
exec %s /bin/sh -c "$command"
"""


class PackageHost:
    """One such host."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._enter = folder / "enter"
        self._enter.write_text(_ENTER % " ".join(self._argv()))
        self._enter.chmod(0o755)

    @classmethod
    def made(cls, folder: Path, files: Mapping[str, str]) -> PackageHost:
        """A new one without packages, with these files beside those that every host has."""
        for name in _FOLDERS:
            (folder / "root" / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (folder / "root" / name).symlink_to("usr/" + name)
        for name, text in {**_FILES, **files}.items():
            path = folder / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return cls(folder)

    def copy(self, folder: Path) -> PackageHost:
        """Another one, which is as this one is now."""
        folder.mkdir()
        shutil.copytree(self.root, folder / "root", symlinks=True)
        return PackageHost(folder)

    def _argv(self) -> list[str]:
        words = ["bwrap", "--unshare-user", "--uid", "0", "--gid", "0", "--cap-drop", "ALL", "--die-with-parent"]
        words += ["--unshare-pid", "--unshare-net", "--bind", str(self.root), "/", "--dev", "/dev", "--proc", "/proc"]
        for path in _SYSTEM:
            words += ["--ro-bind-try", path, path]
        words.append("--clearenv")
        for name, value in _ENVIRONMENT.items():
            words += ["--setenv", name, value]
        return [*words, "--chdir", "/root", "--"]

    def variables(self) -> dict[str, Any]:
        """For the inventory: how Ansible gets there."""
        return {
            "ansible_connection": "ssh",
            "ansible_ssh_executable": str(self._enter),
            "ansible_pipelining": True,
            "ansible_ssh_transfer_method": "piped",
            "ansible_become": False,
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def run(self, *command: str) -> str:
        """What a command prints there; it must succeed."""
        return _run(*self._argv(), *command)


class Deb(NamedTuple):
    """A Debian package with nothing in it."""

    name: str
    version: str
    depends: str = ""


def apt_repository(folder: Path, packages: Iterable[Deb]) -> None:
    """A folder of packages for a line "deb [trusted=yes] file:/… ./" of sources.list."""
    index = []
    for package in packages:
        control = folder / "package/DEBIAN/control"
        control.parent.mkdir(parents=True, exist_ok=True)
        fields = "Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <root@localhost>\n" % package[:2]
        if package.depends:
            fields += "Depends: %s\n" % package.depends
        fields += "Description: stands for the real one\n"
        control.write_text(fields)
        file = folder / ("%s_%s_all.deb" % package[:2])
        _run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(folder / "package"), str(file))
        content = file.read_bytes()
        index.append(
            "%sFilename: ./%s\nSize: %d\nSHA256: %s\n"
            % (fields, file.name, len(content), hashlib.sha256(content).hexdigest())
        )
    shutil.rmtree(folder / "package")
    (folder / "Packages").write_text("\n".join(index))


def rpm_repository(folder: Path, spec: str, releases: Mapping[int, str]) -> None:
    """Build a spec's packages into a repository for dnf and zypper.

    :param releases: for each number that the spec has as %{number}, what it has as %{uname}.
    """
    folder.mkdir()
    (folder / "kernel.spec").write_text(spec)
    for number, uname in releases.items():
        values = {
            "_topdir": "%s/build" % folder,
            # Not this user's.
            "_dbpath": "%s/build/database" % folder,
            "_rpmdir": str(folder),
            "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
            "debug_package": "%{nil}",
            "number": str(number),
            "uname": uname,
        }
        words = [word for name, value in values.items() for word in ("--define", "%s %s" % (name, value))]
        _run("rpmbuild", "-bb", "--quiet", *words, str(folder / "kernel.spec"))
    shutil.rmtree(folder / "build")
    _run("createrepo_c", "--quiet", str(folder))


def _run(*command: str) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, "%s: %s" % (" ".join(command), done.stdout)
    return done.stdout
