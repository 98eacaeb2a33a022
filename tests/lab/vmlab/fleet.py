# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: the fleet of machines, kept in one folder between commands."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from .access import Access, inventory, is_free, known_hosts
from .errors import LabError
from .image import Image, cached_images, get_image
from .machine import MAX_POST_SECONDS, Machine, Settings, Status, accelerator
from .recipe import RECIPES, recipe_digest
from .requirements import TO_BUILD, TO_RUN, require, require_space
from .system import Progress, Say, locked, run, write

FIRST_PORT = 2201
# More of them booting at once, and each takes so long under emulation that none is ready sooner.
BOOTING_AT_ONCE = 3
MAX_MACHINES = 99
_MACHINE_SPACE = 400_000_000
_CHECKOUT = Path(__file__).resolve().parents[3]


def default_cache() -> Path:
    """Where images and machines are kept: FLEETOPS_LAB_CACHE, or .cache/lab in the checkout."""
    return Path(os.environ.get("FLEETOPS_LAB_CACHE") or _CHECKOUT / ".cache" / "lab").absolute()


class Lab:
    """The lab in a folder. Any number of these objects, in any number of processes, see the same machines.

    :param cache: the folder.
    :param say: gets a line whenever something begins that takes a while.
    :param images: the images' folder, where several labs share it.
    """

    def __init__(self, cache: Path | None = None, say: Say | None = None, images: Path | None = None) -> None:
        self.cache = cache or default_cache()
        self._images = images or self.cache / "images"
        self._say: Say = say or Progress()
        try:
            for folder in (self._images, self._machines):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(
                f"The lab's folder cannot be made: {error}. FLEETOPS_LAB_CACHE names another one."
            ) from error

    @property
    def _machines(self) -> Path:
        return self.cache / "machines"

    @property
    def access(self) -> Access:
        """The private key that opens every machine, and the file with their host keys."""
        return Access(self.cache / "id_ed25519", self.cache / "known_hosts")

    @property
    def inventory_path(self) -> Path:
        """The Ansible inventory, always up to date with the machines that there are."""
        return self.cache / "inventory.yml"

    def inventory(self) -> str:
        return inventory({machine.name: machine.port for machine in self.machines()}, self.access)

    def machines(self) -> list[Machine]:
        """All machines, running or not, in the order of their numbers."""
        found = [Machine(path.parent, self.access) for path in self._machines.glob("*/machine.json")]
        return sorted(found, key=lambda machine: machine.settings.number)

    def machine(self, name: str) -> Machine:
        """:raises LabError: where there is no machine of that name."""
        machines = {machine.name: machine for machine in self.machines()}
        if name not in machines:
            there = f"There are: {', '.join(machines)}." if machines else "There are none: `lab.py up 2` makes two."
            raise LabError(f"The lab has no machine {name}. {there}")
        return machines[name]

    def image(self, variant: str = "grub", *, newest: bool = False) -> Image:
        """The base image, built where there is none; with ``newest``, where the archive has newer kernels."""
        return get_image(RECIPES[variant], self._images, self._say, newest=newest)

    def up(
        self,
        count: int,
        *,
        memory: int = 768,
        post_seconds: int = 0,
        variant: str = "grub",
        timeout_seconds: float = 300.0,
    ) -> list[Machine]:
        """Brings up machines lab1 to lab<count> and waits until each runs a command over SSH.

        Machines that are running stay as they are; those that have ended are started with their disk as it is.

        :param memory: in MiB, of each machine that is started.
        :param post_seconds: how long the firmware of each machine that is started takes.
        :param timeout_seconds: for one machine, from its start to SSH, not counting ``post_seconds``.
        """
        if not 1 <= count <= MAX_MACHINES or not 0 <= post_seconds <= MAX_POST_SECONDS or memory < 256:
            raise LabError(
                f"The lab has 1 to {MAX_MACHINES} machines, of 256 MiB of memory at least, and its firmware takes "
                f"0 to {MAX_POST_SECONDS} s longer than usual."
            )
        self._require_programs(variant)
        accelerator()  # refuses a bad choice before anything is made
        machines = self._prepare(count, memory, post_seconds, variant)
        stop = threading.Event()

        def bring_up(machine: Machine) -> None:
            if stop.is_set():
                return
            self._start(machine)
            machine.wait(timeout_seconds + machine.settings.post_seconds, stop=stop)
            self._say(f"{machine.name}: answering on port {machine.port}")

        _each(bring_up, machines, stop)
        return machines

    def _start(self, machine: Machine) -> None:
        """Starts a machine that is not running; of two commands that want it at once, one does."""
        with locked(self.cache / "lock"):
            if machine.pid is None:
                self._say(f"{machine.name}: starting{_slowly(machine)}")
                machine.start()

    def _require_programs(self, variant: str) -> None:
        """Names all that is missing at once, whether to build the image or to run it."""
        there = cached_images(self._images, recipe_digest(RECIPES[variant]))
        require(TO_RUN if there else {**TO_BUILD, **TO_RUN})

    def _prepare(self, count: int, memory: int, post_seconds: int, variant: str) -> list[Machine]:
        """Makes the machines that are missing, and settles the settings of those that are not running."""
        with locked(self.cache / "lock", self._tell_of_wait):
            self._make_key()
            there = {machine.settings.number: machine for machine in self.machines()}
            numbers = range(1, count + 1)
            for number in numbers:
                if number in there:
                    self._settle(there[number], memory, post_seconds)
            missing = [number for number in numbers if number not in there]
            if missing:
                image = self.image(variant)
                require_space(self._machines, len(missing) * _MACHINE_SPACE, f"Making {len(missing)} machine(s)")
            for number in missing:
                name = f"lab{number}"
                uuid, port = Machine.new_uuid(), self._free_port()
                settings = Settings(name, number, uuid, port, variant, image.digest, memory, post_seconds)
                there[number] = Machine.create(self._machines / name, settings, image, self.access)
            self._write_files()
            return [there[number] for number in numbers]

    def _settle(self, machine: Machine, memory: int, post_seconds: int) -> None:
        if machine.pid is None:
            port = machine.port if is_free(machine.port) else self._free_port()
            machine.configure(port=port, memory=memory, post_seconds=post_seconds)
        elif (memory, post_seconds) != (machine.settings.memory, machine.settings.post_seconds):
            self._say(f"{machine.name} is running and keeps its memory and firmware (`down {machine.name}` first)")

    def _free_port(self) -> int:
        """A port that no machine of this lab has, running or not, and that nothing else listens on."""
        taken = {machine.port for machine in self.machines()}
        for port in range(FIRST_PORT, FIRST_PORT + 1000):
            if port not in taken and is_free(port):
                return port
        raise LabError(f"None of the ports from {FIRST_PORT} to {FIRST_PORT + 999} of 127.0.0.1 is free.")

    def _tell_of_wait(self) -> None:
        self._say("waiting for another command that is changing the lab's machines")

    def _make_key(self) -> None:
        if not self.access.key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", self.access.key])

    def _write_files(self) -> None:
        write(self.access.known_hosts, known_hosts({machine.port: machine.host_key for machine in self.machines()}))
        write(self.inventory_path, self.inventory())

    def reset(self, name: str, *, wait: bool = True, timeout_seconds: float = 300.0) -> Machine:
        """Presses a machine's reset button and waits until another boot of it answers."""
        machine = self.machine(name)
        before = machine.boot_id()
        machine.reset()
        if wait:
            self._say(f"{name}: reset; waiting for firmware, boot loader and kernel")
            machine.wait(timeout_seconds + machine.settings.post_seconds, other_than=before)
            self._say(f"{name}: answering")
        return machine

    def update(self, names: Sequence[str]) -> None:
        """Makes the newest kernel the default of these machines, as a package update would."""

        def update(machine: Machine) -> None:
            self._say(f"{machine.name}: the newest kernel becomes the default")
            machine.update()

        machines = [self.machine(name) for name in names]
        _each(update, machines, threading.Event())

    def status(self) -> list[Status]:
        with ThreadPoolExecutor(max_workers=BOOTING_AT_ONCE) as pool:
            return list(pool.map(Machine.status, self.machines()))

    def down(self, names: Sequence[str] | None = None) -> None:
        """Ends machines (all, unless some are named) and removes their disks. Images stay in the cache."""
        machines = self.machines() if names is None else [self.machine(name) for name in names]
        with locked(self.cache / "lock", self._tell_of_wait):
            for machine in machines:
                machine.remove()
                self._say(f"{machine.name}: gone")
            self._write_files()


def _each(action: Callable[[Machine], None], machines: Sequence[Machine], stop: threading.Event) -> None:
    """Does something to several machines at once; the first failure ends the others' waiting and is raised."""
    with ThreadPoolExecutor(max_workers=BOOTING_AT_ONCE) as pool:
        try:
            for done in as_completed([pool.submit(action, machine) for machine in machines]):
                done.result()
        except BaseException:
            stop.set()
            raise


def _slowly(machine: Machine) -> str:
    seconds = machine.settings.post_seconds
    return f", {seconds} s of which in its firmware" if seconds else ""
