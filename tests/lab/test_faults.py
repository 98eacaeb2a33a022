# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a reboot, done to a real machine: what was injected, what is expected, what was seen.

Each fault begins on the older kernel, with the newer one as the default and nothing armed, and leaves it so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from driver import Fleet
from vmlab import Lab
from vmlab.fleet import default_cache

pytestmark = pytest.mark.soak

HOST = "lab1"
CACHE = default_cache() / "faults"
# Longer than a boot on a busy machine takes.
LOST_AFTER = 150

# A power cycle, as somebody's BMC would do it.
CYCLE = "from pathlib import Path; from vmlab import Lab; Lab(Path(%r)).reset(%r, wait=False)" % (str(CACHE), HOST)

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}

# Loads a kernel by hand, or where none is named unloads what there is (kexec_file_load's KEXEC_FILE_UNLOAD).
LOAD = """
import ctypes, os, sys
release = sys.argv[1]
paths = ["/boot/vmlinuz-" + release, "/boot/initrd.img-" + release]
files = [os.open(path, os.O_RDONLY) for path in paths] if release else [-1, -1]
line = open("/proc/cmdline", "rb").read().split(b"fleetops")[0].strip() + b"\\0"
call = ctypes.CDLL(None, use_errno=True).syscall
flags = 0 if release else 1
numbers = [ctypes.c_long(one) for one in (320, *files, len(line))]
assert call(*numbers, ctypes.c_char_p(line), ctypes.c_long(flags)) == 0, os.strerror(ctypes.get_errno())
"""

SLOW = """
[Service]
ExecStart=/bin/sleep infinity
ExecStop=/bin/sleep 60
TimeoutStopSec=120
[Install]
WantedBy=multi-user.target
"""


class Site(NamedTuple):
    """A machine, and its two kernels."""

    fleet: Fleet
    older: str
    newer: str
    hook: Path
    """A task file that cycles the machine's power."""

    def ssh(self, command: str) -> str:
        return self.fleet.ssh(HOST, command)

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        return self.fleet.module(HOST, name, **arguments)

    def python(self, program: str, argument: str) -> None:
        self.ssh("cat >/root/program.py <<'END'\n%sEND\npython3 /root/program.py '%s'" % (program, argument))

    def unit(self, name: str, text: str) -> None:
        self.ssh("cat >/etc/systemd/system/%s.service <<'END'\n%sEND\nsystemctl enable --now %s" % (name, text, name))

    def roll(self, **variables: Any) -> str:
        """The outcome of the playbook for the host."""
        return self.fleet.playbook("--limit", HOST, **variables).outcomes()[HOST]

    def begin(self) -> None:
        """Bring the machine to where each fault begins."""
        survey = self.module("kexec_info")["kexec"]
        if survey["running"]["release"] != self.older or survey["running"]["booted_by"] != "firmware":
            entry = next(entry["id"] for entry in survey["entries"] if entry["release"] == self.older)
            self.ssh("grub-reboot '%s' && sync" % entry)
            self.fleet.lab.reset(HOST)
            survey = self.module("kexec_info")["kexec"]
        assert survey["running"]["release"] == self.older
        assert survey["default_entry"]["release"] == self.newer
        assert (survey["net"], survey["one_shot_entry"], survey["loaded"]["image"]) == (None, None, False)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("faults")
    lab = Lab(CACHE, images=default_cache() / "images")
    lab.down()
    lab.up(1)
    fleet = Fleet(lab, folder)
    older, newer = fleet.kernels(HOST)
    lab.update([HOST])
    hook = folder / "cycle.yml"
    command = {"argv": [sys.executable, "-c", CYCLE]}
    task = {"name": "Cycle", "ansible.builtin.command": command, "delegate_to": "localhost", "become": False}
    hook.write_text(json.dumps([{**task, "environment": {"PYTHONPATH": str(Path(__file__).parent)}, "vars": LOCAL}]))
    yield Site(fleet, older, newer, hook)
    lab.down()


@pytest.fixture
def site(machine: Site) -> Site:
    machine.begin()
    return machine


def _told(result: dict[str, Any]) -> str:
    """The outcome of a reboot that was asked for by the module, in a word and a sentence."""
    if not result["failed"]:
        return "%s into %s" % (result["method"], result["release"]["after"])
    names = [name for name in ("rolled_back", "lost") if result.get(name)] or ["failed"]
    return "%s in %s: %s" % (names[0], result["phase"], result["msg"])


def _panics(site: Site) -> str:
    files = {"fast_reboot_kernel": "/boot/vmlinuz-" + site.newer, "fast_reboot_initrd": []}
    return site.roll(**files, fast_reboot_panic_seconds=5)


def _finds_no_root(site: Site) -> str:
    edit = {"fast_reboot_remove": ["root="], "fast_reboot_append": ["root=LABEL=nowhere"]}
    return site.roll(**edit, fast_reboot_panic_seconds=5)


def _needs_rescue(word: str) -> Callable[[Site], str]:
    """A word on the command line with which the new kernel never answers."""

    def inject(site: Site) -> str:
        limits = {"fast_reboot_timeout": LOST_AFTER, "fast_reboot_rescue_timeout": 300}
        return site.roll(fast_reboot_append=[word], fast_reboot_rescue_host=str(site.hook), **limits)

    return inject


def _foreign_before(site: Site) -> str:
    site.python(LOAD, site.older)
    return site.roll()


def _foreign_between(site: Site) -> str:
    site.module("kexec_load")
    site.python(LOAD, site.older)
    seen = _told(site.module("kexec_reboot", method="kexec"))
    site.module("kexec_load", state="unloaded")
    return seen.split(":")[0]


def _unloaded_between(site: Site) -> str:
    site.module("kexec_load")
    site.python(LOAD, "")
    seen = _told(site.module("kexec_reboot", method="kexec"))
    site.module("kexec_load", state="unloaded")
    return seen


def _damaged(site: Site) -> str:
    kernel = "/boot/vmlinuz-" + site.newer
    site.ssh("cp %s /root/kernel && truncate -s 1000000 %s" % (kernel, kernel))
    seen = site.module("kexec_load")
    site.ssh("cp /root/kernel %s" % kernel)
    return "refused" if seen["failed"] and kernel in seen["msg"] else str(seen)


def _stops_slowly(site: Site) -> str:
    site.unit("slow", SLOW)
    run = site.fleet.playbook("--limit", HOST)
    site.ssh("systemctl disable slow && rm /etc/systemd/system/slow.service")
    (reboot,) = run.of("kexec_reboot")
    assert reboot.result["timeline"]["ready"] > 60
    return run.outcomes()[HOST]


def _inhibited(site: Site) -> str:
    site.ssh(
        "systemd-run --collect --unit=busy "
        "systemd-inhibit --what=shutdown --mode=block --who=backup --why=running sleep infinity"
    )
    site.module("kexec_load")
    seen = _told(site.module("kexec_reboot", method="kexec"))
    site.module("kexec_load", state="unloaded")
    site.ssh("systemctl stop busy")
    return seen


class Fault(NamedTuple):
    injected: str
    expected: str
    inject: Callable[[Site], str]


FAULTS = {
    "panic": Fault("the new kernel panics at once (no initrd)", "rolled_back", _panics),
    "root": Fault("its initrd cannot find the root file system", "rolled_back", _finds_no_root),
    "hang": Fault("it hangs in its initrd; rescue hook", "rolled_back", _needs_rescue("break=top")),
    "network": Fault(
        "it comes up without network; rescue hook",
        "rolled_back",
        _needs_rescue("systemd.mask=systemd-networkd.service"),
    ),
    "sshd": Fault("it comes up without sshd; rescue hook", "rolled_back", _needs_rescue("systemd.mask=ssh.service")),
    "foreign-before": Fault("a foreign image was loaded before", "rebooted", _foreign_before),
    "foreign-between": Fault(
        "a foreign image is loaded between staging and reboot", "failed in proof", _foreign_between
    ),
    "unloaded": Fault(
        "the image is unloaded between staging and reboot",
        "failed in check: no image is staged; run kexec_load first",
        _unloaded_between,
    ),
    "damaged": Fault("the kernel is damaged between survey and staging", "refused", _damaged),
    "slow": Fault("a service takes 60 s to stop", "rebooted", _stops_slowly),
    "inhibitor": Fault(
        "a block inhibitor",
        "failed in check: a shutdown is inhibited by backup (running); wait for it, or set ignore_inhibitors: true",
        _inhibited,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_as_it_should(site: Site, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    fault = FAULTS[name]
    seen = fault.inject(site)
    with capsys.disabled():
        print("\n%s | %s | %s" % (fault.injected, fault.expected, seen))
    assert seen == fault.expected
