# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that boots and shuts down: disks stay, /run and the kernel's slot go, boot loaders use up what is theirs."""

import os
import shutil
import uuid

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils import _staging
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import grub, grubenv, systemd_boot
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine, SystemCalls
from ansible_collections.fleetops.kexec.plugins.module_utils._net import commit, guard, load, program, state

OLD, NEW = "6.1.0-55-cloud-amd64", "6.1.0-56-cloud-amd64"
ONE_SHOT = "sys/firmware/efi/efivars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

# What grub-mkconfig puts at the head of a grub.cfg (util/grub.d/00_header.in).
HEADER = """\
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="0"
fi
"""

STAGING = {
    "state": "loaded",
    "entry": None,
    "kernel": None,
    "initrd": None,
    "cmdline": None,
    "append": None,
    "remove": None,
    "panic_seconds": 30,
    "force": True,
}


class Died(BaseException):
    """The process is gone: nothing of it cleans up."""


def block(variables):
    """An environment block as grub-editenv writes it."""
    lines = "".join("%s=%s\n" % item for item in variables.items())
    return ("# GRUB Environment Block\n" + lines).ljust(1024, "#")


class _Calls(SystemCalls):
    def __init__(self, sim):
        self._sim = sim

    def kexec_file_load(self, *arguments):
        self._sim.step()
        self._sim.host.calls.kexec_file_load(*arguments)


class _Machine(Machine):
    """Each change is a moment in which the process may die."""

    def __init__(self, sim):
        super().__init__(str(sim.host.root), sim.run, calls=_Calls(sim), euid=0, arch="x86_64")
        self._sim = sim

    def write_atomically(self, path, content, mode=0o600):
        self._sim.step()
        super().write_atomically(path, content, mode)

    def remove(self, path):
        self._sim.step()
        super().remove(path)

    def set_value(self, path, text):
        self._sim.step()
        super().set_value(path, text)


class Sim:
    """The host over time.

    :param grub_writes: whether GRUB can write to the disk, and so use an entry up by itself.
    """

    def __init__(self, host, grub_writes=True):
        self.host = host
        self.grub_writes = grub_writes
        self.loader = "grub"
        self.active = set()
        self.jobs = ""
        self.did = []
        self.left = None
        host.write("proc/sys/kernel/panic", "0\n")
        host.program("/usr/bin/systemctl", self.systemctl)
        if (host.root / "boot/grub/grub.cfg").exists():
            menu = (host.root / "boot/grub/grub.cfg").read_text()
            host.write("boot/grub/grub.cfg", menu.replace("set default=0\n", HEADER))
            host.write("boot/grub/grubenv", block({}))
            host.program("/usr/bin/grub-editenv", self.editenv)

    def machine(self):
        return _Machine(self)

    def begin_anew(self):
        """As on the first day: the older kernel runs, and nobody has armed anything."""
        for folder in ("var", "etc"):
            shutil.rmtree(str(self.host.root / folder), ignore_errors=True)
        if self.loader == "grub":
            self.host.write("boot/grub/grubenv", block({}))
        else:
            self.bootctl(["set-oneshot", ""])
        self._start(OLD, "root=LABEL=root ro quiet", "114", True)

    # Dying

    def step(self):
        """Something is about to be changed."""
        if self.left is not None:
            if self.left == 0:
                raise Died
            self.left -= 1

    def dies_after(self, steps, action):
        """Let *action* die after so many changes; False where it had come to its end by then."""
        self.left = steps
        try:
            action()
        except Died:
            return True
        finally:
            self.left = None
        return False

    # Programs

    def run(self, argv):
        reads = argv[1] in ("show", "list", "list-jobs", "get-property") or argv[-1] == "list"
        if not reads:
            self.step()
            self.did.append(" ".join(argv))
        return self.host._run(argv)

    def editenv(self, argv):
        file, verb, words = ("/boot/grub/grubenv", argv[0], argv[1:]) if argv[0] == "list" else (*argv[:2], argv[2:])
        path = self.host.root / file.lstrip("/")
        variables = grubenv.parse(path.read_text(), file)
        if verb == "list":
            return 0, "".join("%s=%s\n" % item for item in variables.items()), ""
        for word in words:
            name, _sign, value = word.partition("=")
            variables.pop(name, None)
            if verb == "set":
                variables[name] = value
        if len(block(variables)) > 1024:
            return 1, "", "error: environment block too small.\n"
        path.write_text(block(variables))
        return 0, "", ""

    def bootctl(self, argv):
        if argv[0] != "set-oneshot":
            return 1, "", "no JSON in this version\n"
        if argv[1]:
            self.host.write(ONE_SHOT, b"\7\0\0\0" + (argv[1] + "\0").encode("utf-16-le"))
        elif (self.host.root / ONE_SHOT).exists():
            (self.host.root / ONE_SHOT).unlink()
        return 0, "", ""

    def systemctl(self, argv):
        words = [word for word in argv if not word.startswith("-")]
        verb, units = words[0], words[1:]
        wants = self.host.root / "etc/systemd/system/timers.target.wants"
        if verb == "list-jobs":
            return 0, self.jobs, ""
        if verb == "show":
            return 0, "Virtualization=kvm\n", ""
        for unit in units:
            if verb in ("enable", "restart") and not (wants.parent / unit).exists():
                return 1, "", "Failed to %s unit: Unit file %s does not exist.\n" % (verb, unit)
            if verb in ("enable", "disable") and os.path.lexists(str(wants / unit)):
                (wants / unit).unlink()
            if verb == "enable":
                wants.mkdir(parents=True, exist_ok=True)
                (wants / unit).symlink_to(wants.parent / unit)
            elif verb == "restart":
                self._start_guard()
            elif verb == "stop":
                self.stop(unit)
        return 0, "", ""

    def _start_guard(self):
        """The timer wants the service that waits for a shutdown."""
        self.active.add(guard.TIMER)
        if (self.host.root / "etc/systemd/system" / guard.SHUTDOWN).exists():
            self.active.add(guard.SHUTDOWN)

    def stop(self, unit):
        """As the unit's ExecStop has it."""
        if unit not in self.active:
            return
        self.active.discard(unit)
        if unit != guard.SHUTDOWN or not self.machine().exists(state.STATE) or "kexec.target" in self.jobs:
            return
        if self.machine().exists(guard.PROGRAM):
            program.main(["shutdown"], self.machine())

    # Ends and beginnings

    def _start(self, release, cmdline, loader_type, comes_up):
        """A kernel starts; nothing of /run and of the kernel's slot is left."""
        shutil.rmtree(str(self.host.root / "run"))
        (self.host.root / "run/systemd/system").mkdir(parents=True)
        self.active = set()
        self.jobs = ""
        self.host.calls.loaded = None
        panics = [word[6:] for word in cmdline.split() if word.startswith("panic=")]
        for path, text in {
            "sys/kernel/kexec_loaded": "0",
            "proc/sys/kernel/random/boot_id": str(uuid.uuid4()),
            "proc/sys/kernel/osrelease": release,
            "proc/sys/kernel/bootloader_type": loader_type,
            "proc/sys/kernel/panic": (["0"] + panics)[-1],
            "proc/cmdline": cmdline,
        }.items():
            self.host.write(path, text + "\n")
        wants = self.host.root / "etc/systemd/system/timers.target.wants"
        if comes_up and (wants / guard.TIMER).exists():
            self._start_guard()

    def reset(self):
        """A power cut, the reset button, or a panic: firmware and boot loader."""
        machine = Machine(str(self.host.root), self.host._run, euid=0, arch="x86_64")
        config = read_boot_loader(machine)
        entry = config.default
        if config.one_shot is not None and self.loader == "grub":
            entry = grub.would_start(machine, config.path, config.one_shot).entry
            if self.grub_writes:
                self.editenv([one_shot_place(config), "set", "next_entry="])
        elif config.one_shot is not None:
            entry = systemd_boot.would_start(machine, config.one_shot)
            self.bootctl(["set-oneshot", ""])
        assert entry is not None
        release = entry.kernel.rpartition("vmlinuz-")[2]
        self._start(release, "BOOT_IMAGE=%s %s" % (entry.kernel, entry.cmdline), "114", True)

    def goes_down(self, target):
        """Services are stopped in good order."""
        self.jobs = "  70 %s start waiting\n" % target
        self.stop(guard.SHUTDOWN)
        self.active = set()

    def reboot(self):
        """systemctl reboot: through the firmware."""
        self.goes_down("reboot.target")
        self.reset()

    def kexec(self, comes_up=True):
        """systemctl kexec."""
        self.goes_down("kexec.target")
        self.jump(comes_up)

    def jump(self, comes_up=True):
        """The staged kernel starts, in whatever state the services are."""
        loaded = self.host.calls.loaded
        release = loaded["kernel"][0x300:].split(b" ")[0].decode()
        self._start(release, loaded["cmdline"], "208", comes_up)

    def time_passes(self):
        """Weeks: the timer comes to its end, where it runs; its service is started again until it succeeds."""
        if not self.active.isdisjoint([guard.TIMER, guard.SERVICE]):
            self.active.discard(guard.TIMER)
            self.active.add(guard.SERVICE)
            if program.main(["expire"], self.machine()) == 0:
                self.active.discard(guard.SERVICE)

    # What operators do

    def plan(self, rollback="auto", seconds=3600, **staging):
        wanted = _staging.Request.of(dict(STAGING, **staging))
        return load.plan_for(
            self.machine(), wanted, load.Request.of({"rollback": rollback, "rollback_seconds": seconds})
        )

    def load(self, **arguments):
        return self.plan(**arguments).apply(self.machine(), "auto", lambda: b"the program\0")

    def unload(self):
        return self.load(state="unloaded")

    def commit(self):
        plan = commit.plan_for(self.machine(), True)
        plan.apply(self.machine())
        return plan

    # What is seen

    @property
    def running(self):
        return (self.host.root / "proc/sys/kernel/osrelease").read_text().strip()

    @property
    def once(self):
        """What the boot loader is to start once."""
        return read_boot_loader(Machine(str(self.host.root), self.host._run, euid=0, arch="x86_64")).one_shot

    def traces(self):
        """Whatever a net leaves on disk or in memory."""
        found = []
        for folder, _folders, names in os.walk(str(self.host.root)):
            found += [os.path.join(folder, name) for name in names if "fleetops" in folder + name]
        return sorted(found) + sorted(self.active) + ([self.once] if self.once else [])

    def dangers(self):
        """Traces, but for files of the guard that nothing starts any more."""
        units = [guard.TIMER, guard.SERVICE, guard.SHUTDOWN]
        inert = [str(self.host.root) + "/etc/systemd/system/" + name for name in units]
        return [trace for trace in self.traces() if trace not in [*inert, str(self.host.root) + guard.PROGRAM]]


def one_shot_place(config):
    return os.path.join(os.path.dirname(config.path), "grubenv")


@pytest.fixture(params=["GRUB", "GRUB that cannot write", "systemd-boot"])
def sim(request, host):
    """Each boot loader that can be told to start an entry once, its default the newer kernel, the older one running."""
    if request.param != "systemd-boot":
        return Sim(host, grub_writes=request.param == "GRUB")
    shutil.rmtree(str(host.root / "boot/grub"))
    sim = Sim(host)
    sim.loader = "systemd-boot"
    host.write("efi/loader/loader.conf", "timeout 1\n")
    host.write("efi/EFI/systemd/systemd-bootx64.efi", b"MZ")
    info = "systemd-boot 252\0".encode("utf-16-le")
    host.write("sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", b"\6\0\0\0" + info)
    for release in (OLD, NEW):
        for file in ("vmlinuz-", "initrd.img-"):
            content = (host.root / "boot" / (file + release)).read_bytes()
            host.write("efi/debian/" + file + release, content)
        host.write(
            "efi/loader/entries/debian-%s.conf" % release,
            "title Debian\nversion %s\nsort-key debian\nlinux /debian/vmlinuz-%s\ninitrd /debian/initrd.img-%s\n"
            "options root=LABEL=root ro quiet\n" % (release, release, release),
        )
    host.program("/usr/bin/bootctl", sim.bootctl)
    return sim


@pytest.fixture
def grub_sim(host):
    """One that is enough where the boot loader makes no difference."""
    return Sim(host)
