# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base image that all machines of a lab share: found in the cache, or built.

No loop device and no mount is needed: file systems are made from folders, and put into a sparse file.
"""

import json
import os
import shlex
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .archive import archive_packages, debian_sources, host_sources, newest_kernels
from .errors import LabError
from .recipe import GUEST, Recipe, image_digest, recipe_digest
from .requirements import TO_BUILD, program, require, require_space
from .system import Say, locked, remove_tree, run, write

_MIB = 1024 * 1024
_ESP_START = 1 * _MIB
# For the file system itself, and for what a test may add.
_ESP_SPARE = 12 * _MIB
_ROOT_SIZE = 2000 * _MIB
# The system's folder, the packages on their way into it, and the image.
_BUILD_SPACE = 2_500_000_000

# mmdebstrap does not heed signals and mounts file systems. Like this, all that it started dies with us, however we
# die, and its mounts with it.
_CONFINED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)

# GRUB's whole first configuration: everything else stands in the grub.cfg of the machine itself. Without the
# prefix, load_env and save_env would look for grubenv inside GRUB's own file.
_GRUB_EARLY = """\
search --no-floppy --label root --set=root
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
"""


class Image(NamedTuple):
    """A base image in the cache.

    :param kernels: the releases in it, oldest first; the first one runs at first boot.
    """

    digest: str
    recipe: str
    disk: Path
    kernels: tuple[str, ...]


def esp_size(folder: Path) -> int:
    """The size in bytes, in whole MiB, of an EFI system partition that takes the files of a folder."""
    content = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return -(-(content + _ESP_SPARE) // _MIB) * _MIB


def cached_images(folder: Path, recipe: str) -> list[Image]:
    """Complete images of a recipe, given by its digest; the one with the newest kernels comes last."""
    found = [_read_image(path) for path in folder.glob("[0-9a-f]*/image.json")]
    # The time of building, not the releases' names, says which knew the newer archive.
    return sorted((image for image in found if image.recipe == recipe), key=lambda image: image.disk.stat().st_mtime)


def _read_image(path: Path) -> Image:
    stored = json.loads(path.read_text())
    return Image(path.parent.name, stored["recipe"], path.parent / "base.raw", tuple(stored["kernels"]))


def get_image(recipe: Recipe, folder: Path, say: Say, *, newest: bool = False) -> Image:
    """The recipe's image, built where the cache has none.

    Any image of the recipe will do, whichever kernel releases it has: with one in the cache, the archive is
    not asked, and the lab works without a network.

    :param folder: the cache's folder of images.
    :param newest: ask the archive, and build where it has newer kernels.
    """
    digest = recipe_digest(recipe)
    # A build removes what an interrupted one left: one at a time, then.
    with locked(folder / "lock", lambda: say("waiting for another command that is building an image")):
        cached = cached_images(folder, digest)
        if cached and not newest:
            say(f"image {cached[-1].digest} from the cache, kernels {' and '.join(cached[-1].kernels)}")
            return cached[-1]
        return _Build(recipe, digest, folder, say).image()


class _Build:
    """One build, in a temporary folder that becomes the image's folder by one rename when all is done."""

    def __init__(self, recipe: Recipe, digest: str, folder: Path, say: Say) -> None:
        self._recipe = recipe
        self._digest = digest
        self._folder = folder
        self._say = say
        self._log = folder / "build.log"

    def image(self) -> Image:
        _require_root()
        require(TO_BUILD)
        require_space(self._folder, _BUILD_SPACE, "Building the image")
        for left in self._folder.glob("build-*"):
            remove_tree(left)
        self._log.unlink(missing_ok=True)
        with self._scratch() as scratch:
            return self._image_in(scratch)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        scratch = Path(tempfile.mkdtemp(prefix="build-", dir=self._folder))
        try:
            yield scratch
        finally:
            remove_tree(scratch)

    def _image_in(self, scratch: Path) -> Image:
        sources = debian_sources(host_sources(), self._recipe.release)
        kernels = self._choose_kernels(sources, scratch)
        digest = image_digest(self._digest, kernels)
        target = self._folder / digest
        if (target / "image.json").exists():
            self._say(f"image {digest} from the cache has the newest kernels already: {' and '.join(kernels)}")
            return _read_image(target / "image.json")

        root_uuid = str(uuid.uuid5(uuid.NAMESPACE_OID, digest))
        result = scratch / "image"
        result.mkdir()
        esp = scratch / "esp"
        esp.mkdir()
        system = self._install(scratch, sources, kernels, root_uuid, esp)
        self._say("making the disk: GPT, EFI system partition, ext4")
        disk = result / "base.raw"
        if self._recipe.boot_modules:
            self._make_grub(esp, scratch)
        size = esp_size(esp)
        self._partition(disk, size)
        self._fill_esp(disk, esp, size, scratch)
        self._fill_root(disk, system, root_uuid, _ESP_START + size)
        write(result / "image.json", json.dumps({"recipe": self._digest, "kernels": kernels}, indent=2) + "\n")
        os.rename(result, target)
        image = _read_image(target / "image.json")
        self._say(f"image {digest} is complete ({image.disk.stat().st_blocks * 512 / 1e6:.0f} MB)")
        return image

    def _choose_kernels(self, sources: list[str], scratch: Path) -> list[str]:
        wanted = self._recipe.kernels
        self._say(f"asking the archive for the newest {wanted.series} kernels")
        pattern = f"^linux-image-{wanted.series}\\..*-{wanted.flavour}$"
        names = archive_packages(sources, pattern, scratch / "apt")
        kernels = newest_kernels(names, wanted.series, wanted.flavour, wanted.number)
        self._say(f"  {' and '.join(kernels)}")
        return kernels

    def _install(self, scratch: Path, sources: list[str], kernels: list[str], root_uuid: str, esp: Path) -> Path:
        self._say(f"installing Debian {self._recipe.release} and the kernels (one to three minutes; {self._log})")
        system = scratch / "system"
        packages = [*self._recipe.packages, *(f"linux-image-{kernel}" for kernel in kernels)]
        omit = [f"path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info")]
        given = {
            "LAB_PARTS": " ".join(self._recipe.parts),
            "LAB_ROOT_UUID": root_uuid,
            "LAB_DEFAULT_KERNEL": kernels[0],
            "LAB_ESP": str(esp),
        }
        run(
            [
                *_CONFINED,
                "mmdebstrap",
                "--variant=minbase",
                "--architectures=amd64",
                f"--include={','.join(packages)}",
                *(f"--dpkgopt={option}" for option in (*omit, "force-unsafe-io")),
                f'--customize-hook={shlex.quote(str(GUEST / "customize"))} "$1"',
                self._recipe.release,
                system,
                self._sources_file(scratch, sources),
            ],
            log=self._log,
            env={**given, "DEBIAN_FRONTEND": "noninteractive"},
        )
        return system

    @staticmethod
    def _sources_file(scratch: Path, sources: list[str]) -> Path:
        path = scratch / "guest.list"
        path.write_text("".join(f"{line}\n" for line in sources))
        return path

    def _partition(self, disk: Path, size: int) -> None:
        """:param size: of the EFI system partition."""
        root = _ESP_START + size
        with disk.open("wb") as stream:
            stream.truncate(root + _ROOT_SIZE + _MIB)
        table = disk.with_suffix(".sfdisk")
        table.write_text(
            "label: gpt\n"
            f"start={_ESP_START // 512}, size={size // 512}, type=uefi, name=esp\n"
            f"start={root // 512}, size={_ROOT_SIZE // 512}, type=linux, name=root\n"
        )
        # sfdisk reads its script from standard input only.
        run(["sh", "-c", '"$0" --quiet "$1" < "$2"', program("sfdisk"), disk, table], log=self._log)
        table.unlink()

    def _make_grub(self, esp: Path, scratch: Path) -> None:
        """GRUB as one file, where the firmware looks for a boot loader that nobody has told it of."""
        loader, early = esp / "EFI" / "BOOT" / "BOOTX64.EFI", scratch / "grub.cfg"
        loader.parent.mkdir(parents=True)
        early.write_text(_GRUB_EARLY)
        modules = " ".join(self._recipe.boot_modules)
        run(
            [
                "grub-mkstandalone",
                "--format=x86_64-efi",
                f"--output={loader}",
                f"--modules={modules}",
                f"--install-modules={modules}",
                "--locales=",
                "--fonts=",
                "--themes=",
                f"/boot/grub/grub.cfg={early}",
            ],
            log=self._log,
        )

    def _fill_esp(self, disk: Path, folder: Path, size: int, scratch: Path) -> None:
        esp = scratch / "esp.fat"
        with esp.open("wb") as stream:
            stream.truncate(size)
        run([program("mkfs.vfat"), "-n", "ESP", esp], log=self._log)
        run(["mcopy", "-s", "-i", esp, *sorted(folder.iterdir()), "::/"], log=self._log)
        place = ["bs=1M", f"seek={_ESP_START // _MIB}", "conv=notrunc,sparse"]
        run(["dd", f"if={esp}", f"of={disk}", *place], log=self._log)

    def _fill_root(self, disk: Path, system: Path, root_uuid: str, start: int) -> None:
        run(
            [
                program("mke2fs"),
                *("-q", "-t", "ext4", "-L", "root", "-U", root_uuid, "-d", system),
                # The guest's own GRUB and e2fsck know neither feature of newer e2fsprogs.
                *("-O", "^metadata_csum_seed,^orphan_file", "-E", f"offset={start}"),
                *("-F", disk, f"{_ROOT_SIZE // 1024}k"),
            ],
            log=self._log,
        )


def _require_root() -> None:
    if os.geteuid() != 0:
        raise LabError(
            "Building the image needs root, because its files belong to root and to system users. Build it once with "
            "`sudo python3 tests/lab/lab.py image` (FLEETOPS_LAB_CACHE names the folder); after that any user who may "
            "write to that folder can run machines from it."
        )
