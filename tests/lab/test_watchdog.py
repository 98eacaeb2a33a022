# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hardware watchdog and a kernel that hangs: is what kexec_load says of it true? The tests build on each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from one_machine import HANGS, HOST, KEXEC, Site, one_machine

pytestmark = pytest.mark.soak

SETTINGS = "/etc/systemd/system.conf.d/watchdog.conf"
FED_BY_SYSTEMD = (
    "echo i6300esb >/etc/modules-load.d/watchdog.conf; mkdir -p /etc/systemd/system.conf.d; "
    "printf '[Manager]\\nRuntimeWatchdogSec=60\\n' >%s" % SETTINGS
)
NOT_STOPPED = (
    "sed -i 's/^GRUB_CMDLINE_LINUX=.*/GRUB_CMDLINE_LINUX=\"console=ttyS0 watchdog.stop_on_reboot=0\"/' "
    "/etc/default/grub && update-grub 2>&1"
)
AT_KEXEC = (
    "busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager "
    "KExecWatchdogUSec"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with one_machine("watchdog", tmp_path_factory.mktemp("watchdog"), variant="watchdog") as fleet:
        fleet.ssh(HOST, FED_BY_SYSTEMD)
        site = Site.of(fleet)
        site.start_older_once()
        site.reset()
        yield site


def test_one_that_the_kernel_stops_at_the_kexec_is_told_of(site: Site) -> None:
    staged, _undone = site.modules("kexec_load", [{"rollback": "true"}, {"state": "unloaded"}])
    watchdog = staged["net"]["watchdog"]
    assert (watchdog["identity"], watchdog["kept"]) == ("i6300ESB timer", False)
    assert "watchdog.stop_on_reboot=0" in watchdog["reason"]


def test_one_that_it_does_not_stop_is_kept_while_something_is_staged(site: Site) -> None:
    site.ssh(NOT_STOPPED)
    site.start_older_once()
    site.reset()
    staged = site.module("kexec_load", rollback="true")
    assert staged["net"]["watchdog"] == {"identity": "i6300ESB timer", "kept": True, "reason": None}
    assert site.ssh(AT_KEXEC) == "t 600000000"
    site.module("kexec_load", state="unloaded")
    assert site.ssh(AT_KEXEC) == "t 0"


def test_a_kernel_that_hangs_is_reset_by_it_and_the_old_one_comes_back(site: Site) -> None:
    site.ssh("echo KExecWatchdogSec=90 >>%s && systemctl daemon-reexec" % SETTINGS)
    staged = site.module("kexec_load", rollback="true", append=[HANGS])
    assert staged["net"]["watchdog"]["kept"] is True
    result = site.module("kexec_reboot", method="kexec", reboot_timeout=600)
    assert (result["failed"], result["rolled_back"]) == (True, True)
    boot = site.boot()
    assert (boot["release"], boot["loader_type"] != KEXEC) == (site.older, True)
    assert site.module("kexec_commit")["rolled_back"] is True
    assert site.is_clean()
