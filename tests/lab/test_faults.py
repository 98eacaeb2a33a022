# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a reboot, done to a real machine: what was injected, what is expected, what was seen.

Each fault begins on the older kernel, with the newer one as the default and nothing armed. conftest.py prints a table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import one_machine
import pytest
from ansible_run import Run
from one_machine import HANGS, HOST, folder_of
from table import FAULT

pytestmark = pytest.mark.soak

PURPOSE = "faults"
# Where nothing is going to answer; and where something is, longer than a boot on a busy computer takes.
LOST_AFTER = 150
BOOTED_AFTER = 400

# A power cycle, as somebody's BMC would do it.
CYCLE = "from pathlib import Path; from vmlab import Lab; Lab(Path(%r)).reset(%r, wait=False)" % (
    str(folder_of(PURPOSE)),
    HOST,
)

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

# Where the command line says so, another SSH server with another host key comes first, for those seconds or (0) for
# ever, and only then the host's own: as from an initramfs whose dropbear waits for a passphrase.
OTHER_SERVER_FIRST = """
[Unit]
ConditionKernelCommandLine=lab.other_sshd
Before=ssh.service
[Service]
Type=oneshot
ExecStart=-/bin/sh /root/other_sshd
[Install]
WantedBy=multi-user.target
"""
OTHER_SERVER = r"""
mkdir -p /run/sshd
exec timeout $(sed "s/.*lab.other_sshd=\([0-9]*\).*/\1/" /proc/cmdline) /usr/sbin/sshd -D -o HostKey=/root/other_key
"""


@dataclass(frozen=True)
class Site(one_machine.Site):
    """The machine, with what the faults need."""

    hook: Path
    """A task file that cycles the machine's power."""

    def python(self, program: str, argument: str) -> None:
        self.write("/root/program.py", program)
        self.ssh("python3 /root/program.py '%s'" % argument)

    def write(self, path: str, text: str) -> None:
        self.ssh("cat >%s <<'END'\n%sEND" % (path, text))

    def enable(self, name: str, text: str) -> None:
        self.write("/etc/systemd/system/%s.service" % name, text)
        self.ssh("systemctl enable %s 2>&1" % name)

    def disable(self, name: str) -> None:
        self.ssh("systemctl disable %s 2>&1 && rm /etc/systemd/system/%s.service" % (name, name))

    def roll(self, *arguments: str, **variables: Any) -> Run:
        return self.fleet.playbook("--limit", HOST, *arguments, **variables)

    def rolled(self, **variables: Any) -> str:
        """The outcome of the playbook."""
        return self.roll(**variables).outcomes()[HOST]

    def rescued(self, word: str, seconds: int = LOST_AFTER) -> str:
        """What became of the reboot with that word on the staged command line, and of the rescue, by the playbook."""
        limits = {"fast_reboot_timeout": seconds, "fast_reboot_rescue_timeout": 900}
        run = self.roll(fast_reboot_append=[word], fast_reboot_rescue_host=str(self.hook), **limits)
        first = run.of("kexec_reboot")[0].result
        is_other = "another SSH server answers" in first["msg"]
        seen = first["msg"] if not first["lost"] else "lost to another SSH server" if is_other else "lost"
        return "%s, then %s" % (seen, run.outcomes()[HOST])


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp(PURPOSE)
    hook = folder / "cycle.yml"
    command = {"argv": [sys.executable, "-c", CYCLE]}
    task = {"name": "Cycle", "ansible.builtin.command": command, "delegate_to": "localhost", "become": False}
    hook.write_text(json.dumps([{**task, "environment": {"PYTHONPATH": str(Path(__file__).parent)}, "vars": LOCAL}]))
    with one_machine.one_machine(PURPOSE, folder) as fleet:
        yield Site.of(fleet, hook=hook)


@pytest.fixture
def site(machine: Site) -> Site:
    machine.begin()
    return machine


def _told(result: dict[str, Any]) -> str:
    """The outcome of a reboot that was asked for by the module, in a word and a sentence."""
    if not result["failed"]:
        return "rebooted by %s" % result["method"]
    names = [name for name in ("rolled_back", "lost") if result.get(name)] or ["failed"]
    return "%s in %s: %s" % (names[0], result["phase"], result["msg"])


def _panics(site: Site) -> str:
    files = {"fast_reboot_kernel": "/boot/vmlinuz-" + site.newer, "fast_reboot_initrd": []}
    return site.rolled(**files, fast_reboot_panic_seconds=5)


def _finds_no_root(site: Site) -> str:
    edit = {"fast_reboot_remove": ["root="], "fast_reboot_append": ["root=LABEL=nowhere"]}
    return site.rolled(**edit, fast_reboot_panic_seconds=5)


def _never_answers(word: str) -> Callable[[Site], str]:
    """With a word on its command line with which the new kernel never answers."""
    return lambda site: site.rescued(word)


def _add_other_server(site: Site) -> None:
    site.write("/root/other_sshd", OTHER_SERVER)
    site.ssh("test -e /root/other_key || ssh-keygen -q -t ed25519 -N '' -f /root/other_key")
    site.enable("other_sshd", OTHER_SERVER_FIRST)


def _other_server_first(site: Site) -> str:
    _add_other_server(site)
    run = site.roll("-vv", fast_reboot_append=["lab.other_sshd=45"])
    site.disable("other_sshd")
    seen = "waited out" if "another SSH server answers" in run.output else "not seen"
    return "the other one was %s, %s" % (seen, run.outcomes()[HOST])


def _other_host_key(site: Site) -> str:
    _add_other_server(site)
    seen = site.rescued("lab.other_sshd=0", seconds=BOOTED_AFTER)
    site.disable("other_sshd")
    return seen


def _foreign_before(site: Site) -> str:
    site.python(LOAD, site.older)
    return site.rolled()


def _foreign_between(site: Site) -> str:
    site.module("kexec_load")
    site.python(LOAD, site.older)
    seen = _told(site.module("kexec_reboot", method="kexec"))
    site.module("kexec_commit")
    return seen.replace(site.older, "the older kernel")


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
    site.enable("slow", SLOW)
    site.ssh("systemctl start slow")
    run = site.roll()
    site.disable("slow")
    (reboot,) = run.of("kexec_reboot")
    assert reboot.result["timeline"]["ready"] > 60
    return run.outcomes()[HOST]


def _inhibited(site: Site) -> str:
    site.ssh(
        "systemd-run --quiet --collect --unit=busy "
        "systemd-inhibit --what=shutdown --mode=block --who=backup --why=running sleep infinity"
    )
    site.module("kexec_load")
    seen = _told(site.module("kexec_reboot", method="kexec"))
    site.module("kexec_load", state="unloaded")
    site.ssh("systemctl stop busy")
    return seen


def _controller_is_killed(site: Site) -> str:
    """The next run has nothing but the host: what the net has on record, and what the kernel was started with."""
    before = site.boot()["boot_id"]
    token = site.module("kexec_load")["staged"]["token"]
    site.fleet.killed(HOST, "kexec_reboot", moment="waiting for it to come back", method="kexec")
    site.fleet.machine(HOST).wait(900, other_than=before)
    assert "fleetops.boot=" + token in site.survey()["running"]["cmdline"].split()
    pending, committed = site.modules("kexec_commit", [{"state": "pending"}, {}])
    assert (pending["net"]["token"], pending["net"]["staged_release"]) == (token, site.release())
    assert (committed["changed"], committed["rolled_back"]) == (True, False)
    assert site.is_clean()
    return "%s, proven by the token, accepted" % ("the newer" if site.release() == site.newer else "the older")


def _clock_jumps(site: Site) -> str:
    site.ssh("date -s '+5 years'")
    return site.rolled()


class Fault(NamedTuple):
    injected: str
    expected: str
    inject: Callable[[Site], str]


FAULTS = {
    "panic": Fault("the new kernel panics at once (no initrd)", "rolled_back", _panics),
    "root": Fault("its initrd cannot find the root file system", "rolled_back", _finds_no_root),
    "hang": Fault("it hangs; rescue hook", "lost, then rolled_back", _never_answers(HANGS)),
    "network": Fault(
        "it comes up without network; rescue hook",
        "lost, then rolled_back",
        _never_answers("systemd.mask=systemd-networkd.service"),
    ),
    "sshd": Fault(
        "it comes up without sshd; rescue hook", "lost, then rolled_back", _never_answers("systemd.mask=ssh.service")
    ),
    "other-server": Fault(
        "another SSH server answers first, for 45 s", "the other one was waited out, rebooted", _other_server_first
    ),
    "host-key": Fault(
        "an SSH server with another host key answers; rescue hook",
        "lost to another SSH server, then rolled_back",
        _other_host_key,
    ),
    "foreign-before": Fault("a foreign image was loaded before", "rebooted", _foreign_before),
    "foreign-between": Fault(
        "a foreign image is loaded between staging and reboot",
        "failed in proof: the host came back with the older kernel, but not from the staged image: its token is not on "
        "the command line",
        _foreign_between,
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
    "killed": Fault(
        "the controller is killed when the host has gone down",
        "the newer, proven by the token, accepted",
        _controller_is_killed,
    ),
    "clock": Fault("the host's clock is set by five years before the roll", "rebooted", _clock_jumps),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_as_it_should(site: Site, name: str, record_property: Callable[[str, object], None]) -> None:
    fault = FAULTS[name]
    seen = fault.inject(site)
    record_property(FAULT, [fault.injected, fault.expected, seen])
    assert seen == fault.expected
