# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came back, as a table."""

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._boot import Boot, Staged
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import Before
from ansible_collections.fleetops.kexec.plugins.plugin_utils._proof import judge
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request

OLD, NEW = "6.1.0-55", "6.1.0-56"
B1, B2 = "#1 SMP Debian 6.1.1", "#1 SMP Debian 6.1.2"


def boot(release, build, token=None, by_kexec=False, staged=None):
    return Boot("id", release, build, token, by_kexec, staged is not None, False, staged, "systemd", None)


def before(asked="kexec", release=NEW, build=None):
    return Before(boot(OLD, B1, staged=Staged("T", release, build)), None, asked)


WHY = {
    "has rolled back": "rolled back",
    "the kexec did not happen": "no kexec",
    "not from the staged image": "other image",
    "another build of kernel": "other build",
    "came back with kernel": "other kernel",
    "through the firmware was asked for": "kexec",
}


def seen(verdict):
    why = [word for sentence, word in WHY.items() if sentence in verdict.failure] if verdict.failure else [""]
    return (verdict.method, verdict.fell_back, verdict.rolled_back, *why)


KEXEC = Request(method="kexec")
AUTO = Request(method="auto")


@pytest.mark.parametrize(
    ("request_", "before_", "after", "verdict"),
    [
        (KEXEC, before(), boot(NEW, B2, "T", True), ("kexec", False, False, "")),
        (KEXEC, before("kexec_now"), boot(NEW, B2, "T", True), ("kexec_now", False, False, "")),
        (KEXEC, before(), boot(NEW, B2, "T", None), ("kexec", False, False, "")),
        (KEXEC, before(), boot("6.6", B2, "T", True), ("kexec", False, False, "other kernel")),
        # Somebody else's image.
        (KEXEC, before(), boot(NEW, B2, "U", True), ("kexec", False, False, "other image")),
        (KEXEC, before(), boot(OLD, B1, None, True), ("kexec", False, False, "other image")),
        (KEXEC, before(), boot(NEW, B2, None, None), (None, False, False, "other image")),
        # Through the firmware.
        (KEXEC, before(), boot(NEW, B2), ("firmware", True, False, "no kexec")),
        (AUTO, before(), boot(NEW, B2), ("firmware", True, False, "")),
        (Request(fallback="fail"), before(), boot(NEW, B2), ("firmware", True, False, "no kexec")),
        (AUTO, before(), boot("6.6", B2), ("firmware", True, False, "other kernel")),
        # The old kernel, where it can be told from the one that was staged.
        (KEXEC, before(), boot(OLD, B1), ("firmware", True, True, "rolled back")),
        (AUTO, before(), boot(OLD, B1), ("firmware", True, True, "rolled back")),
        (AUTO, before(), boot(OLD, None), ("firmware", True, True, "rolled back")),
        (AUTO, before(), boot(OLD, B1, None, None), (None, False, True, "rolled back")),
        (AUTO, before(), boot(OLD, B2), ("firmware", True, False, "other kernel")),
        (AUTO, before(release=OLD), boot(OLD, B1), ("firmware", True, False, "")),
        (AUTO, before(release=None), boot(OLD, B1), ("firmware", True, False, "")),
        (Request(expect_release=NEW), before(release=None), boot(OLD, B1), ("firmware", True, True, "rolled back")),
        # Two builds of one release.
        (KEXEC, before(release=OLD, build=B2), boot(OLD, B2, "T", True), ("kexec", False, False, "")),
        (KEXEC, before(release=OLD, build=B2), boot(OLD, B1), ("firmware", True, True, "rolled back")),
        (AUTO, before(release=OLD, build=B2), boot(OLD, B1), ("firmware", True, True, "rolled back")),
        (AUTO, before(release=OLD, build=B2), boot(OLD, B2), ("firmware", True, False, "")),
        (AUTO, before(release=OLD, build=B2), boot(OLD, "#3"), ("firmware", True, False, "other build")),
        (AUTO, before(release=OLD, build=B2), boot(OLD, None), ("firmware", True, False, "")),
        (AUTO, before(release=OLD, build=B1), boot(OLD, B1), ("firmware", True, False, "")),
        (AUTO, before(release=NEW, build=B2), boot(NEW, "#3"), ("firmware", True, False, "other build")),
        (Request(expect_release=NEW), before(release=OLD, build=B1), boot(NEW, B2), ("firmware", True, False, "")),
        (Request(expect_build="#3"), before(), boot(NEW, B2), ("firmware", True, False, "other build")),
        (Request(expect_build=B2), before("firmware"), boot(OLD, B1), ("firmware", False, False, "other build")),
        # The firmware was asked for.
        (AUTO, before("firmware"), boot(OLD, B1), ("firmware", False, False, "")),
        (AUTO, before("firmware"), boot(NEW, B2, None, True), ("kexec", False, False, "kexec")),
        (Request(expect_release=NEW), before("firmware"), boot(OLD, B1), ("firmware", False, False, "other kernel")),
        # A command of the user's own.
        (AUTO, before("command"), boot(OLD, B1), ("firmware", False, False, "")),
        (AUTO, before("command"), boot(NEW, B2, "T", True), ("kexec", False, False, "")),
        (AUTO, before("command"), boot(NEW, B2, None, None), (None, False, False, "")),
    ],
)
def test_what_came_back(request_, before_, after, verdict):
    assert seen(judge(request_, before_, after)) == verdict


def test_two_builds_of_one_release_are_told_apart():
    verdict = judge(AUTO, before(release=OLD, build=B2), boot(OLD, B1))
    assert "it runs its old kernel %s (%s) again, and its build %s did not come up" % (OLD, B1, B2) in verdict.failure
