# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine in a temporary folder: the seam's fake, shared by the tests of target-side code."""

import os

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import (
    KEXEC_FILE_UNLOAD,
    Machine,
    SystemCalls,
)
from parserfuzz.images import BUILD, NEW, OLD, bzimage, cpio, signed

BOOT_ID = "0cdfa0ad-9b1d-4a5d-9e0d-3c1cd2b2f0b5"


def _content(descriptor):
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


class FakeCalls(SystemCalls):
    """Keeps what was loaded, and says so in the machine's /sys as the kernel does."""

    def __init__(self, root):
        self.root = root
        self.loaded = None
        self.errno = None
        self.count = 0
        self.flags = []
        self.after_load = lambda: None
        self.spaces = {}

    def statvfs(self, path):
        """Free and all bytes of a file system, plenty unless a test says so; a third word stands for read-only."""
        free, total, *flags = self.spaces.get(
            "/" + os.path.relpath(path, str(self.root)).strip("."), (9 << 30, 10 << 30)
        )
        flag = os.ST_RDONLY if flags else 0
        return os.statvfs_result((4096, 1, total, free, free, 9, 9, 9, flag, 255))

    def kexec_file_load(self, kernel_fd, initrd_fd, cmdline, flags):
        self.count += 1
        self.flags.append(flags)
        if self.errno is not None:
            raise OSError(self.errno, os.strerror(self.errno))
        if flags & KEXEC_FILE_UNLOAD:
            self.loaded = None
        else:
            self.loaded = {
                "kernel": _content(kernel_fd),
                "initrd": None if initrd_fd < 0 else _content(initrd_fd),
                "cmdline": cmdline.decode("utf-8", "surrogateescape"),
                "flags": flags,
            }
            self.after_load()
        (self.root / "sys/kernel/kexec_loaded").write_text("1\n" if self.loaded else "0\n")


class FakeHost:
    """A Debian host with systemd, GRUB and two kernels, the newer one its default."""

    def __init__(self, root):
        self.root = root
        self.commands = {}
        self.ran = []
        self.calls = FakeCalls(root)
        self.write("proc/sys/kernel/osrelease", OLD + "\n")
        self.write("proc/sys/kernel/version", BUILD + "\n")
        self.write("proc/sys/kernel/random/boot_id", BOOT_ID + "\n")
        self.write("proc/sys/kernel/bootloader_type", "114\n")
        self.write("proc/sys/kernel/kexec_load_disabled", "0\n")
        self.write("proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz-%s root=LABEL=root ro quiet\n" % OLD)
        self.write("proc/1/comm", "systemd\n")
        self.write("proc/1/environ", "HOME=/\0TERM=linux\0")
        self.write("proc/self/mountinfo", "22 1 254:2 / / rw,relatime shared:1 - ext4 /dev/vda2 rw\n")
        self.write("sys/kernel/kexec_loaded", "0\n")
        self.write("sys/kernel/kexec_crash_loaded", "0\n")
        (root / "run/systemd/system").mkdir(parents=True)
        menu = []
        for release in (NEW, OLD):
            self.write("boot/vmlinuz-" + release, bzimage(release))
            self.write("boot/initrd.img-" + release, cpio(("init", release.encode())))
            self.write("boot/config-" + release, "CONFIG_KEXEC=y\nCONFIG_KEXEC_FILE=y\n")
            menu.append(
                "menuentry 'Debian, %s' --id 'debian-%s' {\n"
                "  linux /boot/vmlinuz-%s root=LABEL=root ro quiet\n"
                "  initrd /boot/initrd.img-%s\n"
                "}\n" % (release, release, release, release)
            )
        self.write("boot/grub/grub.cfg", "set default=0\n" + "".join(menu))

    def write(self, path, content):
        """Put a file in place; returns its path here."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content)
        return file

    def program(self, path, answer):
        """Install a program; *answer* takes its arguments and returns rc, stdout, stderr."""
        self.write(path, "#!/bin/sh\n").chmod(0o755)
        self.commands[path] = answer

    def pci(self, address, driver, pci_class="20000", ids="8086:1521", subsystem="8086:0001"):
        """Put in a PCI device; see pci_uevent in the kernel's drivers/pci/pci-driver.c."""
        lines = "DRIVER=%s\nPCI_CLASS=%s\nPCI_ID=%s\nPCI_SUBSYS_ID=%s\n" % (driver, pci_class, ids, subsystem)
        self.write("sys/bus/pci/devices/%s/uevent" % address, lines if driver else lines.partition("\n")[2])

    def systemd(self, **properties):
        """Let systemd's manager answer."""
        text = "".join("%s=%s\n" % item for item in properties.items())
        self.program("/usr/bin/systemctl", lambda argv: (0, text, ""))

    def _run(self, argv):
        self.ran.append(argv)
        if argv[0] not in self.commands:
            raise FileNotFoundError(2, "No such file or directory")
        return self.commands[argv[0]](argv[1:])

    def machine(self, euid=0, arch="x86_64"):
        """The seam over this host."""
        return Machine(str(self.root), self._run, calls=self.calls, euid=euid, arch=arch)


@pytest.fixture
def host(tmp_path):
    return FakeHost(tmp_path)


@pytest.fixture
def make():
    """Files as a kernel's build and an initramfs' make them."""

    class Make:
        bzimage = staticmethod(bzimage)
        cpio = staticmethod(cpio)
        signed = staticmethod(signed)

    return Make
