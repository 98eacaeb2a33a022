# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os

import pytest
from vmlab.image import cached_images, esp_size
from vmlab.recipe import GUEST, RECIPES, Kernels, image_digest, recipe_digest

GRUB = RECIPES["grub"]


@pytest.fixture
def guest(tmp_path):
    folder = tmp_path / "guest"
    for part in ("common", "systemd", "sysvinit", "grub"):
        (folder / part).mkdir(parents=True)
        (folder / part / "customize").write_text(part)
    (folder / "fstab").write_text("LABEL=root / ext4\n")
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"packages": (*GRUB.packages, "less")},
        {"boot_modules": GRUB.boot_modules[1:]},
        {"release": "trixie"},
        {"kernels": Kernels(series="6.12", flavour="cloud-amd64", number=2)},
        {"parts": ("common", "sysvinit", "grub")},
    ],
)
def test_an_ingredient_changes_the_digest(guest, changes):
    assert recipe_digest(GRUB._replace(**changes), guest) != recipe_digest(GRUB, guest)


def test_a_file_of_the_guest_changes_the_digest_its_time_does_not(guest):
    before = recipe_digest(GRUB, guest)
    os.utime(guest / "fstab", (1, 1))
    assert recipe_digest(GRUB, guest) == before
    (guest / "fstab").chmod(0o755)
    executable = recipe_digest(GRUB, guest)
    (guest / "fstab").write_text("LABEL=other / ext4\n")
    assert len({before, executable, recipe_digest(GRUB, guest)}) == 3


def test_a_file_of_a_part_changes_the_digests_of_those_that_have_it(guest):
    recipes = [GRUB, GRUB._replace(parts=("common", "sysvinit", "grub"))]
    before = [recipe_digest(recipe, guest) for recipe in recipes]
    (guest / "sysvinit" / "customize").write_text("changed")
    after = [recipe_digest(recipe, guest) for recipe in recipes]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_names_parts_that_are_there(recipe):
    assert [part for part in recipe.parts if not (GUEST / part / "customize").is_file()] == []


def test_images_of_different_recipes_are_not_taken_for_each_other():
    assert len({recipe_digest(recipe) for recipe in RECIPES.values()}) == len(RECIPES)


def test_kernel_releases_change_the_image_and_not_the_recipe():
    assert image_digest("r", ["6.1.0-1", "6.1.0-2"]) != image_digest("r", ["6.1.0-2", "6.1.0-3"])


def test_any_image_of_the_recipe_is_found_and_the_last_built_comes_last(tmp_path):
    for digest, recipe, kernels in [
        ("b0", "wanted", ["1", "2"]),
        ("a0", "wanted", ["2", "3"]),
        ("c0", "another", ["2", "3"]),
    ]:
        folder = tmp_path / digest
        folder.mkdir()
        (folder / "base.raw").touch()
        (folder / "image.json").write_text(json.dumps({"recipe": recipe, "kernels": kernels}))
    (tmp_path / "build-x").mkdir()
    os.utime(tmp_path / "b0" / "base.raw", (1, 1))
    os.utime(tmp_path / "a0" / "base.raw", (2, 2))
    found = cached_images(tmp_path, "wanted")
    assert [(image.digest, image.kernels) for image in found] == [("b0", ("1", "2")), ("a0", ("2", "3"))]


@pytest.mark.parametrize(("content", "mebibytes"), [(0, 12), (1, 13), (1 << 20, 13), ((1 << 20) + 1, 14)])
def test_the_system_partition_takes_its_content_in_whole_mebibytes(tmp_path, content, mebibytes):
    (tmp_path / "EFI").mkdir()
    (tmp_path / "EFI" / "file").write_bytes(bytes(content))
    assert esp_size(tmp_path) == mebibytes << 20
