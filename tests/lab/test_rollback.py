# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollback net on real machines: it catches what does not come up, and leaves nothing behind.

The tests of a boot loader build on each other. Each begins on the older kernel, with the newer one as the default.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from driver import Fleet
from vmlab import Lab
from vmlab.fleet import default_cache

pytestmark = pytest.mark.soak

HOST = "lab1"
KEXEC = "208"
SECONDS = 300.0
TRACES = (
    "find /var/lib/fleetops-kexec /etc/systemd/system -name '*net*' -not -path '*network*' 2>/dev/null; "
    "systemctl list-units --all --plain --no-legend 'fleetops-kexec-net*'"
)
ARMED = {"armed": True, "reason": None, "watchdog": None}


class Site(NamedTuple):
    """A machine, and its two kernels."""

    fleet: Fleet
    older: str
    newer: str

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        return self.fleet.module(HOST, name, **arguments)

    def survey(self) -> dict[str, Any]:
        survey: dict[str, Any] = self.module("kexec_info")["kexec"]
        return survey

    def release(self) -> str:
        return self.fleet.boot(HOST)["release"]

    def start_older_once(self) -> None:
        """As an administrator does it, so that the older kernel runs and the newer one stays the default."""
        survey = self.survey()
        entry = next(entry["id"] for entry in survey["entries"] if entry["release"] == self.older)
        command = "grub-reboot" if survey["boot_loader"] == "grub" else "bootctl set-oneshot"
        self.fleet.ssh(HOST, "%s '%s' && sync" % (command, entry))

    def begin(self) -> None:
        """The older kernel runs, the newer one is the default, and nothing is armed."""
        self.start_older_once()
        self.fleet.lab.reset(HOST)
        assert self.release() == self.older
        assert self.is_clean()

    def is_clean(self) -> bool:
        survey = self.survey()
        found = (self.fleet.ssh(HOST, TRACES), survey["one_shot_entry"], survey["net"], survey["loaded"]["image"])
        print(found)
        return found == ("", None, None, False)

    def wait_until_clean(self) -> None:
        deadline = time.monotonic() + SECONDS
        while self.fleet.ssh(HOST, TRACES):
            assert time.monotonic() < deadline, self.fleet.ssh(HOST, "systemctl status 'fleetops-kexec-net*' || true")
            time.sleep(5)
        assert self.is_clean()


@pytest.fixture(scope="module", params=["grub", "systemd-boot"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    lab = Lab(default_cache() / "rollback", images=default_cache() / "images")
    lab.down()
    lab.up(1, variant=request.param)
    fleet = Fleet(lab, tmp_path_factory.mktemp(request.param))
    older, newer = fleet.kernels(HOST)
    assert fleet.boot(HOST)["release"] == older
    lab.update([HOST])
    # What is said at a shutdown is to be read in the next boot.
    fleet.ssh(HOST, "mkdir -p /var/log/journal && systemctl restart systemd-journald && journalctl --flush")
    yield Site(fleet, older, newer)
    lab.down()


def test_the_net_is_armed_once_and_called_off(site: Site) -> None:
    armed, again, undone, nothing = site.fleet.modules(
        HOST, "kexec_load", [{"rollback": "true"}, {"rollback": "true"}, {"state": "unloaded"}, {"state": "unloaded"}]
    )
    assert [result["failed"] for result in (armed, again, undone, nothing)] == [False] * 4
    assert [result["changed"] for result in (armed, again, undone, nothing)] == [True, False, True, False]
    assert armed["net"].items() >= {**ARMED, "release": site.older, "seconds": 3600}.items()
    assert again["net"] == armed["net"]
    assert site.is_clean()


def test_a_kernel_that_finds_no_root_leads_back_and_the_default_is_untouched(site: Site) -> None:
    staged = site.module(
        "kexec_load", rollback="true", remove=["root="], append=["root=LABEL=nowhere"], panic_seconds=5
    )
    assert (staged["failed"], staged["staged"]["release"]) == (False, site.newer)
    assert site.survey()["net"].items() >= {"armed": True, "token": staged["staged"]["token"]}.items()
    result = site.module("kexec_reboot", reboot_timeout=600)
    assert (result["failed"], result["rebooted"]) == (True, True)
    boot = site.fleet.boot(HOST)
    assert (boot["release"], boot["loader_type"] != KEXEC) == (site.older, True)

    (pending,) = site.fleet.modules(HOST, "kexec_commit", [{"state": "pending"}])
    assert (pending["changed"], pending["rolled_back"]) == (False, True)
    assert pending["net"].items() >= {"armed": False, "staged_release": site.newer}.items()
    assert site.module("kexec_commit")["changed"] is True
    assert site.is_clean()
    site.fleet.lab.reset(HOST)
    assert site.release() == site.newer


def test_what_an_administrator_has_set_for_one_start_is_left_to_him(site: Site) -> None:
    site.start_older_once()
    once = site.survey()["one_shot_entry"]
    staged, refused, _undone = site.fleet.modules(HOST, "kexec_load", [{}, {"rollback": "true"}, {"state": "unloaded"}])
    assert (staged["failed"], staged["net"]["armed"]) == (False, False)
    assert "told by somebody else to start the entry" in staged["net"]["reason"]
    assert refused["failed"] is True
    assert site.survey()["one_shot_entry"] == once
    site.fleet.lab.reset(HOST)
    assert site.release() == site.older


def test_an_accepted_kernel_is_what_every_start_brings(site: Site) -> None:
    assert site.is_clean()
    staged = site.module("kexec_load")
    assert staged["net"].items() >= {**ARMED, "release": site.older}.items()
    result = site.module("kexec_reboot")
    assert (result["failed"], result["method"], result["release"]["after"]) == (False, "kexec", site.newer)
    assert site.survey()["net"]["armed"] is True
    assert site.fleet.ssh(HOST, "systemctl is-active fleetops-kexec-net.timer") == "active"
    assert site.fleet.ssh(HOST, "sysctl -n kernel.panic") == "30"

    committed, again = site.fleet.modules(HOST, "kexec_commit", [{}, {}])
    assert (committed["failed"], committed["changed"], again["changed"]) == (False, True, False)
    assert committed["kernel_panic"] == {"before": 30, "after": 0}
    assert site.fleet.ssh(HOST, "sysctl -n kernel.panic") == "0"
    assert site.is_clean()
    # Still armed, it would be the older one.
    site.fleet.lab.reset(HOST)
    assert site.release() == site.newer


def test_a_net_that_nobody_needs_goes_by_itself_with_its_image(site: Site) -> None:
    site.begin()
    staged = site.module("kexec_load", rollback="true", rollback_seconds=20)
    assert staged["net"]["seconds"] == 20
    site.wait_until_clean()
    said = site.fleet.ssh(HOST, "journalctl --no-pager -o cat -u fleetops-kexec-net.service")
    assert "the rollback net is down, because its time is over" in said
    site.fleet.type(HOST, "systemctl reboot")
    assert site.release() == site.newer


def test_the_time_counts_in_the_new_boot_too(site: Site) -> None:
    site.begin()
    site.module("kexec_load", rollback="true", rollback_seconds=60)
    assert site.module("kexec_reboot")["method"] == "kexec"
    site.wait_until_clean()
    assert site.release() == site.newer
    assert site.fleet.ssh(HOST, "sysctl -n kernel.panic") == "0"
    site.fleet.lab.reset(HOST)
    assert site.release() == site.newer


@pytest.mark.parametrize("command", ["SYSTEMCTL_SKIP_AUTO_KEXEC=1 systemctl reboot", "reboot"])
def test_an_ordinary_reboot_starts_the_default_whatever_is_armed(site: Site, command: str) -> None:
    """The second finds the staged image, and is a kexec into it: the net waits for that one as well."""
    site.begin()
    assert site.module("kexec_load", rollback="true", rollback_seconds=120)["failed"] is False
    site.fleet.type(HOST, command)
    assert site.release() == site.newer
    if site.fleet.boot(HOST)["loader_type"] == KEXEC:
        assert site.survey()["net"]["armed"] is True
        site.fleet.type(HOST, "systemctl reboot")
        assert site.release() == site.newer
    assert site.is_clean()


def test_a_host_that_loses_its_power_before_it_is_accepted_has_its_old_kernel(site: Site) -> None:
    site.begin()
    site.module("kexec_load", rollback="true", rollback_seconds=60)
    assert site.module("kexec_reboot")["release"]["after"] == site.newer
    site.fleet.lab.reset(HOST)
    assert site.release() == site.older
    site.wait_until_clean()
    site.fleet.type(HOST, "systemctl reboot")
    assert site.release() == site.newer
