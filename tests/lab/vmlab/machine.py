# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One virtual machine: its folder, its QEMU, and what can be done to it."""

import json
import os
import subprocess
import threading
import time
import uuid
from pathlib import Path
from shutil import copyfile
from typing import Any, NamedTuple

from . import process, qmp
from .access import ADDRESS, Access, banner, ssh_command
from .errors import LabError
from .image import Image
from .recipe import RECIPES
from .requirements import program
from .system import remove_tree, run, write

# OVMF keeps the time in milliseconds, in 16 bits.
MAX_POST_SECONDS = 65

_ACCELERATORS = {
    # Two processors and no five-level paging: the fastest of what was tried under emulation.
    "tcg": ("-accel", "tcg,tb-size=512", "-cpu", "max,la57=off"),
    "kvm": ("-accel", "kvm", "-cpu", "host"),
}


class Settings(NamedTuple):
    """What a machine is started with.

    :param uuid: names the machine for ever: systemd makes it the machine id, and it marks QEMU's process.
    :param memory: in MiB.
    :param post_seconds: how long the firmware waits before it boots, as a server's power-on self test would.
    """

    name: str
    number: int
    uuid: str
    port: int
    variant: str
    image: str
    memory: int
    post_seconds: int


class Status(NamedTuple):
    """A machine as it was seen. ``state`` is one of stopped, running (no SSH yet) and answering.

    :param kernel: the running release, or empty.
    :param uptime_seconds: since that kernel started, or None.
    """

    name: str
    port: int
    pid: int | None
    state: str
    kernel: str
    uptime_seconds: int | None
    settings: Settings


def accelerator() -> str:
    """Emulation, unless the user wants KVM: its device file may be there and the machine hang all the same."""
    chosen = os.environ.get("FLEETOPS_LAB_ACCEL", "tcg")
    if chosen not in _ACCELERATORS:
        raise LabError(f"FLEETOPS_LAB_ACCEL is {chosen!r}: it may be {' or '.join(_ACCELERATORS)}.")
    return chosen


# What OVMF's build for Secure Boot needs, by edk2's OvmfPkg/README: only System Management Mode may write to its
# variables.
_SECURE = (
    *("-global", "driver=cfi.pflash01,property=secure,value=on"),
    *("-global", "ICH9-LPC.disable_s3=1"),
)

# What the machines of a variant have beside the others'.
_DEVICES = {"watchdog": ("-device", "i6300esb", "-action", "watchdog=reset")}


def qemu_arguments(settings: Settings, accel: str) -> list[str]:
    """QEMU's arguments (pure). Files are named without a folder: QEMU is started in the machine's own."""
    identity = {
        "hostname": f"string={settings.name}",
        "authorized_keys": "file=authorized_keys",
        "ssh_host_key": "file=ssh_host_key",
        "ssh_host_key.pub": "file=ssh_host_key.pub",
    }
    secure = RECIPES[settings.variant].firmware.secure
    forward = f"hostfwd=tcp:{ADDRESS}:{settings.port}-:22"
    arguments = [
        *("-name", settings.name, "-uuid", settings.uuid, *_ACCELERATORS[accel]),
        *("-M", "q35,smm=on" if secure else "q35", *(_SECURE if secure else ())),
        *("-smp", "2", "-m", str(settings.memory), "-nodefaults", "-display", "none"),
        *("-chardev", "file,id=console,path=console.log,append=on", "-serial", "chardev:console"),
        *("-qmp", "unix:qmp.sock,server=on,wait=off", "-pidfile", "qemu.pid", "-daemonize"),
        *("-drive", "if=pflash,format=raw,readonly=on,file=firmware-code.fd"),
        *("-drive", "if=pflash,format=raw,file=firmware-variables.fd"),
        # The lab does not outlive a crash of this machine: no write needs to wait for the disk.
        *("-drive", "if=virtio,format=qcow2,cache=unsafe,discard=unmap,file=disk.qcow2"),
        *("-netdev", f"user,id=net,{forward}"),
        *("-device", f"virtio-net-pci,netdev=net,romfile=,mac=52:54:00:4c:41:{settings.number:02x}"),
        *("-device", "virtio-rng-pci"),
        *_DEVICES.get(settings.variant, ()),
    ]
    for name, value in identity.items():
        arguments += ["-fw_cfg", f"name=opt/org.fleetops/{name},{value}"]
    if settings.post_seconds:
        arguments += ["-boot", f"menu=on,splash-time={settings.post_seconds * 1000}"]
    return arguments


class Machine:
    """A machine in its folder; it may be running or not.

    :param folder: has everything of the machine's own: settings, disk, firmware variables, keys, console log.
    :param access: the lab's key and known_hosts.
    """

    def __init__(self, folder: Path, access: Access) -> None:
        self.folder = folder
        self.settings = Settings(**json.loads((folder / "machine.json").read_text()))
        self.access = access

    @staticmethod
    def create(folder: Path, settings: Settings, image: Image, access: Access) -> "Machine":
        """Makes a machine from a base image: copy-on-write disk, firmware variables and host key of its own."""
        if folder.exists():  # left by a command that was interrupted before it wrote machine.json
            remove_tree(folder)
        folder.mkdir(parents=True)
        firmware = RECIPES[settings.variant].firmware
        (folder / "firmware-code.fd").symlink_to(firmware.code)
        copyfile(firmware.variables, folder / "firmware-variables.fd")
        copyfile(access.key.with_suffix(".pub"), folder / "authorized_keys")
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", settings.name, "-f", folder / "ssh_host_key"])
        # Relative, so that the whole cache may be moved.
        base = os.path.relpath(image.disk, folder)
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", folder / "disk.qcow2"])
        write(folder / "machine.json", json.dumps(settings._asdict(), indent=2) + "\n")
        return Machine(folder, access)

    @staticmethod
    def new_uuid() -> str:
        return str(uuid.uuid4())

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def port(self) -> int:
        """Of 127.0.0.1, forwarded to the machine's SSH."""
        return self.settings.port

    @property
    def pid(self) -> int | None:
        """QEMU's process, or None where the machine is not running."""
        return process.find(self.folder / "qemu.pid", self.settings.uuid)

    @property
    def console_log(self) -> Path:
        """All that the machine wrote on its serial console, since it was made."""
        return self.folder / "console.log"

    @property
    def host_key(self) -> str:
        """The public half, as in a .pub file."""
        return (self.folder / "ssh_host_key.pub").read_text()

    def configure(self, **changes: Any) -> None:
        """Changes settings for the next start."""
        self.settings = self.settings._replace(**changes)
        write(self.folder / "machine.json", json.dumps(self.settings._asdict(), indent=2) + "\n")

    def start(self) -> None:
        """Starts QEMU, which lives on when this process ends."""
        argv = [program("qemu-system-x86_64"), *qemu_arguments(self.settings, accelerator())]
        try:
            done = subprocess.run(
                argv, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise LabError(f"QEMU could not be started for {self.name}: {error}.") from error
        if done.returncode != 0:
            raise LabError(f"QEMU did not start {self.name}: {(done.stderr or done.stdout).strip()}")

    def stop(self) -> None:
        """Pulls the plug; the disk is kept."""
        if self.pid is not None:
            try:
                self.qmp("quit")
            except LabError:
                pass  # a QEMU that does not listen is ended by signals
            process.end(self.folder / "qemu.pid", self.settings.uuid)

    def remove(self) -> None:
        """Pulls the plug and forgets the machine with its disk."""
        self.stop()
        remove_tree(self.folder)

    def reset(self) -> None:
        """Presses the reset button: the machine goes through firmware and boot loader, whatever it was doing."""
        self.qmp("system_reset")

    def pause(self) -> None:
        """Freezes the machine, as a hung one would be: its port accepts connections and says nothing."""
        self.qmp("stop")

    def resume(self) -> None:
        self.qmp("cont")

    def qmp(self, command: str, **arguments: Any) -> Any:
        """One command of QEMU's machine protocol, for example ``inject-nmi``."""
        if self.pid is None:
            raise LabError(f"{self.name} is not running. `lab.py up` starts it.")
        return qmp.command(self.folder / "qmp.sock", command, **arguments)

    def ssh_command(self, *words: str) -> list[str]:
        """The argument list of an ssh to this machine; the words are a command line for its shell."""
        return ssh_command(self.access, self.port, words)

    def ssh(self, *words: str, seconds: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """Runs a command line in the machine, whatever its exit code (ssh's own failures are 255).

        :raises LabError: when it takes longer than ``seconds``.
        """
        argv = self.ssh_command(*words)
        argv[1:1] = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        try:
            return subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name} did not finish in {seconds:.0f} s: {' '.join(words)}") from error

    def boot_id(self) -> str | None:
        """The running kernel's boot id, or None where the machine does not answer."""
        return self._ask("cat /proc/sys/kernel/random/boot_id")

    def _ask(self, words: str) -> str | None:
        if not banner(self.port):
            return None
        try:
            done = self.ssh(words)
        except LabError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def wait(self, seconds: float, *, other_than: str | None = None, stop: threading.Event | None = None) -> str:
        """Waits until a command over SSH succeeds, and returns the boot id.

        :param other_than: a boot id that does not count: of the boot that is about to end.
        :param stop: gives up when set (another machine has failed).
        :raises LabError: when QEMU ends, or the time is over.
        """
        deadline = time.monotonic() + seconds
        pause = stop or threading.Event()
        while time.monotonic() < deadline and not pause.is_set():
            if self.pid is None:
                raise LabError(
                    f"QEMU of {self.name} has ended while it booted, by itself or by another command's `down`. "
                    f"Its console, if the machine is still there: {self.console_log}"
                )
            boot_id = self.boot_id()
            if boot_id and boot_id != other_than:
                return boot_id
            pause.wait(0.5)
        raise LabError(f"{self.name} did not answer over SSH within {seconds:.0f} s. Its console: {self.console_log}")

    def status(self) -> Status:
        pid = self.pid
        seen = self._ask("uname -r; cut -d. -f1 /proc/uptime") if pid else None
        state = "answering" if seen else "running" if pid else "stopped"
        kernel, uptime = seen.split() if seen else ("", None)
        return Status(self.name, self.port, pid, state, kernel, int(uptime) if uptime else None, self.settings)

    def update(self) -> str:
        """Makes the newest kernel the default of the boot loader, as a package update would.

        :returns: what its tools said.
        """
        # Written out at once: whoever tests an update may reset the machine next.
        done = self.ssh("/usr/local/sbin/lab-update 2>&1 && sync", seconds=180)
        if done.returncode != 0:
            raise LabError(f"lab-update failed on {self.name}: {(done.stdout + done.stderr).strip()}")
        return done.stdout
