# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollback net on real machines: it catches what does not come up, and leaves nothing behind.

The tests of a boot loader build on each other. Each begins on the older kernel, with the newer one as the default.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from one_machine import HOST, KEXEC, Site, one_machine

pytestmark = pytest.mark.soak

SECONDS = 900.0
ARMED = {"armed": True, "reason": None, "watchdog": None}


def wait_until_clean(site: Site) -> None:
    deadline = time.monotonic() + SECONDS
    while site.traces():
        assert time.monotonic() < deadline, site.ssh("systemctl status 'fleetops-kexec-net*' || true")
        time.sleep(5)
    assert site.is_clean()


@pytest.fixture(scope="module", params=["grub", "systemd-boot"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with one_machine("rollback", tmp_path_factory.mktemp(request.param), variant=request.param) as fleet:
        site = Site.of(fleet)
        site.keep_journal()
        yield site


def test_the_net_is_armed_once_and_called_off(site: Site) -> None:
    armed, again, undone, nothing = site.modules(
        "kexec_load", [{"rollback": "true"}, {"rollback": "true"}, {"state": "unloaded"}, {"state": "unloaded"}]
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
    boot = site.boot()
    assert (boot["release"], boot["loader_type"] != KEXEC) == (site.older, True)

    (pending,) = site.modules("kexec_commit", [{"state": "pending"}])
    assert (pending["changed"], pending["rolled_back"]) == (False, True)
    assert pending["net"].items() >= {"armed": False, "staged_release": site.newer}.items()
    assert site.module("kexec_commit")["changed"] is True
    assert site.is_clean()
    site.reset()
    assert site.release() == site.newer


def test_what_an_administrator_has_set_for_one_start_is_left_to_him(site: Site) -> None:
    site.start_older_once()
    once = site.survey()["one_shot_entry"]
    staged, refused, _undone = site.modules("kexec_load", [{}, {"rollback": "true"}, {"state": "unloaded"}])
    assert (staged["failed"], staged["net"]["armed"]) == (False, False)
    assert "told by somebody else to start the entry" in staged["net"]["reason"]
    assert refused["failed"] is True
    assert site.survey()["one_shot_entry"] == once
    site.reset()
    assert site.release() == site.older


def test_an_accepted_kernel_is_what_every_start_brings(site: Site) -> None:
    assert site.is_clean()
    staged = site.module("kexec_load")
    assert staged["net"].items() >= {**ARMED, "release": site.older}.items()
    result = site.module("kexec_reboot")
    assert (result["failed"], result["method"], result["release"]["after"]) == (False, "kexec", site.newer)
    assert site.survey()["net"]["armed"] is True
    assert site.ssh("systemctl is-active fleetops-kexec-net.timer") == "active"
    assert site.ssh("sysctl -n kernel.panic") == "30"

    committed, again = site.modules("kexec_commit", [{}, {}])
    assert (committed["failed"], committed["changed"], again["changed"]) == (False, True, False)
    assert committed["kernel_panic"] == {"before": 30, "after": 0}
    assert site.ssh("sysctl -n kernel.panic") == "0"
    assert site.is_clean()
    # Still armed, it would be the older one.
    site.reset()
    assert site.release() == site.newer


def test_a_net_that_nobody_needs_goes_by_itself_with_its_image(site: Site) -> None:
    site.begin()
    staged = site.module("kexec_load", rollback="true", rollback_seconds=60)
    assert staged["net"]["seconds"] == 60
    wait_until_clean(site)
    said = site.ssh("journalctl --no-pager -o cat -u fleetops-kexec-net.service")
    assert "the rollback net is down, because its time is over" in said
    site.fleet.type(HOST, "systemctl reboot")
    assert site.release() == site.newer


def test_the_time_counts_in_the_new_boot_too(site: Site) -> None:
    site.begin()
    site.module("kexec_load", rollback="true", rollback_seconds=180)
    assert site.module("kexec_reboot")["method"] == "kexec"
    wait_until_clean(site)
    assert site.release() == site.newer
    assert site.ssh("sysctl -n kernel.panic") == "0"
    site.reset()
    assert site.release() == site.newer


@pytest.mark.parametrize("command", ["SYSTEMCTL_SKIP_AUTO_KEXEC=1 systemctl reboot", "reboot"])
def test_an_ordinary_reboot_starts_the_default_whatever_is_armed(site: Site, command: str) -> None:
    """The second finds the staged image, and is a kexec into it: the net waits for that one as well."""
    site.begin()
    assert site.module("kexec_load", rollback="true", rollback_seconds=300)["failed"] is False
    site.fleet.type(HOST, command)
    assert site.release() == site.newer
    if site.boot()["loader_type"] == KEXEC:
        assert site.survey()["net"]["armed"] is True
        site.fleet.type(HOST, "systemctl reboot")
        assert site.release() == site.newer
    assert site.is_clean()


def test_a_host_that_loses_its_power_before_it_is_accepted_has_its_old_kernel(site: Site) -> None:
    site.begin()
    site.module("kexec_load", rollback="true", rollback_seconds=180)
    assert site.module("kexec_reboot")["release"]["after"] == site.newer
    site.reset()
    assert site.release() == site.older
    wait_until_clean(site)
    site.fleet.type(HOST, "systemctl reboot")
    assert site.release() == site.newer
