# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils import _watchdog
from ansible_collections.fleetops.kexec.plugins.module_utils._watchdog import Watchdog, read_watchdog

CLASS = "sys/class/watchdog/"
STOP = "sys/module/watchdog/parameters/stop_on_reboot"
NAME = "i6300ESB timer"


class Busctl:
    """systemd's manager, as busctl shows it."""

    def __init__(self, host, **properties):
        self.properties = properties
        host.program("/usr/bin/busctl", self)

    def __call__(self, argv):
        name = argv[4]
        if argv[0] == "set-property":
            assert argv[5] == "t"
            self.properties[name] = int(argv[6])
        elif name not in self.properties:
            return 1, "", "Failed to get property %s: Unknown property or interface.\n" % name
        return 0, "t %d\n" % self.properties[name], ""


def put_watchdog(host, name="watchdog0", state="active", identity=NAME, most="2046"):
    values = {"state": state, "identity": identity, "max_timeout": most}
    for file, value in values.items():
        host.write(CLASS + name + "/" + file, value + "\n")


@pytest.fixture
def kept(host):
    """A host that keeps its watchdog."""
    put_watchdog(host)
    host.write(STOP, "0\n")
    return Busctl(host, RuntimeWatchdogUSec=20000000, KExecWatchdogUSec=0)


def test_a_machine_without_one_has_none(host):
    assert read_watchdog(host.machine()) is None


def test_it_is_kept_where_systemd_and_the_kernel_allow(host, kept):
    found = read_watchdog(host.machine())
    assert found == Watchdog(NAME, True, None, 600)
    _watchdog.keep_at_kexec(host.machine(), found.seconds)
    assert kept.properties["KExecWatchdogUSec"] == 600000000
    assert read_watchdog(host.machine()) == Watchdog(NAME, True, None, 0)


def test_the_active_one_of_several_counts(host, kept):
    put_watchdog(host, "watchdog0", state="inactive", identity="iTCO_wdt")
    put_watchdog(host, "watchdog1")
    assert read_watchdog(host.machine()).identity == NAME


@pytest.mark.parametrize(("most", "seconds"), [("2046", 600), ("255", 255)])
def test_it_is_not_told_to_wait_longer_than_it_can(host, kept, most, seconds):
    put_watchdog(host, most=most)
    assert read_watchdog(host.machine()).seconds == seconds


def stopped(host):
    put_watchdog(host, state="inactive")


def fed_by_another(host):
    Busctl(host, RuntimeWatchdogUSec=0, KExecWatchdogUSec=0)


def old_systemd(host):
    Busctl(host, RuntimeWatchdogUSec=20000000)


def no_busctl(host):
    (host.root / "usr/bin/busctl").unlink()


def stopped_by_the_kernel(host):
    host.write(STOP, "-1\n")


def short_one(host):
    put_watchdog(host, most="63")


def helped_by_the_kernel(host):
    put_watchdog(host, most="0")


def known_for_trouble(host):
    driver = host.root / "sys/bus/pci/drivers/hpwdt"
    driver.mkdir(parents=True)
    (host.root / CLASS / "watchdog0/device").mkdir()
    (host.root / CLASS / "watchdog0/device/driver").symlink_to(driver)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (stopped, "it is not running; RuntimeWatchdogSec="),
        (fed_by_another, "it is fed by another program than systemd"),
        (old_systemd, "older than version 247"),
        (no_busctl, "busctl is missing"),
        (stopped_by_the_kernel, "watchdog.stop_on_reboot=0"),
        (short_one, "it cannot wait for longer than 63 seconds"),
        (helped_by_the_kernel, "its driver needs the kernel's help"),
        (known_for_trouble, "the watchdog under hpwdt is not stopped at shutdown"),
    ],
)
def test_why_it_would_not_reset_a_kernel_that_hangs(host, kept, trouble, reason):
    trouble(host)
    found = read_watchdog(host.machine())
    assert (found.kept, found.seconds) == (False, 0)
    assert reason in found.reason
