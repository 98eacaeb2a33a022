# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import json
import os
import subprocess
import sys

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils import _autoload, _autoload_install
from ansible_collections.fleetops.kexec.plugins.module_utils._autoload import COLD, PROGRAM, SETTINGS, STAGED, Settings
from ansible_collections.fleetops.kexec.plugins.module_utils._autoload_install import plan_for, program, with_load_kexec
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

OLD, NEW = "6.1.0-55-cloud-amd64", "6.1.0-56-cloud-amd64"
DEFAULTS = Settings(30, (), ())
REBOOT = "70 reboot.target          start waiting\n71 systemd-reboot.service start waiting\n"
FWUPD = "sys/firmware/efi/efivars/fwupd-0-0abba7dc-e516-4167-bbf5-4d9d1c739416"
OS_INDICATIONS = "sys/firmware/efi/efivars/OsIndications-8be4df61-93ca-11d2-aa0d-00e098032b8c"


class Systemd:
    """Answers as systemctl does, and remembers which units are enabled and active."""

    def __init__(self, host):
        self.jobs = ""
        self.units = {}
        self.did = []
        host.program("/usr/bin/systemctl", self)

    def __call__(self, argv):
        verb = argv[0]
        if verb == "list-jobs":
            return 0, self.jobs, ""
        if verb == "show" and not argv[1].startswith("-"):
            name = argv[2].partition("=")[2]
            return 0, "%s=%s\n" % (name, self.units.get(argv[1], {}).get(name, "")), ""
        if verb == "show":
            return 0, "Virtualization=kvm\n", ""
        self.did.append(" ".join(argv))
        units = [word for word in argv[1:] if not word.startswith("-")]
        for unit in units:
            state = self.units.setdefault(unit, {})
            state.update({"enable": {"UnitFileState": "enabled"}, "start": {"ActiveState": "active"}}.get(verb, {}))
            if verb == "disable":
                del self.units[unit]
        return 0, "", ""


@pytest.fixture
def systemd(host):
    systemd = Systemd(host)
    systemd.jobs = REBOOT
    host.write(SETTINGS, DEFAULTS.as_text())
    return systemd


def install(host, present=True, settings=DEFAULTS):
    machine = host.machine()
    plan = plan_for(machine, present, settings, lambda: b"the program\0")
    plan.apply(machine)
    return plan


def files_of(host):
    return sorted(os.path.join(folder, name) for folder, _folders, names in os.walk(str(host.root)) for name in names)


# At a shutdown


def test_a_reboot_stages_what_is_the_default_at_that_moment(host, systemd):
    said = _autoload.stage(host.machine())
    assert said == "this reboot is a kexec into %s (/boot/vmlinuz-%s)" % (NEW, NEW)
    assert host.calls.loaded["kernel"] == (host.root / ("boot/vmlinuz-" + NEW)).read_bytes()
    assert " panic=30 fleetops.boot=" in host.calls.loaded["cmdline"]
    assert host.machine().exists(STAGED)


def test_what_somebody_else_has_staged_is_replaced(host, systemd):
    host.write("sys/kernel/kexec_loaded", "1\n")
    _autoload.stage(host.machine())
    assert host.calls.loaded["kernel"] == (host.root / ("boot/vmlinuz-" + NEW)).read_bytes()


@pytest.mark.parametrize(
    "jobs",
    [
        "",
        "70 poweroff.target start waiting\n",
        "70 halt.target start waiting\n",
        "70 kexec.target start waiting\n",
        "70 soft-reboot.target start waiting\n",
        "70 reboot.target stop waiting\n",
    ],
)
def test_nothing_but_a_reboot_is_touched(host, systemd, jobs):
    systemd.jobs = jobs
    host.write(STAGED, "")
    assert _autoload.stage(host.machine()) == "this is no ordinary reboot: nothing is staged"
    assert host.calls.count == 0
    assert not host.machine().exists(STAGED)


def put_marker(host):
    _autoload.make_cold(host.machine())


def put_argument(host):
    host.write("run/systemd/reboot-param", "bios")


def put_firmware_menu(host):
    host.write(OS_INDICATIONS, b"\7\0\0\0" + b"\1" + 7 * b"\0")


@pytest.mark.parametrize("wish", [put_marker, put_argument, put_firmware_menu])
def test_a_reboot_that_is_to_go_through_the_firmware_does(host, systemd, wish):
    wish(host)
    assert _autoload.stage(host.machine()).startswith("this reboot goes through the firmware: ")
    assert host.calls.count == 0
    assert not host.machine().exists(STAGED)


def put_one_shot(host):
    menu = host.root / "boot/grub/grub.cfg"
    ask = 'load_env\nif [ "${next_entry}" ] ; then\n  set default="${next_entry}"\nfi\n'
    menu.write_text(menu.read_text().replace("set default=0\n", "set default=0\n" + ask))
    host.write("boot/grub/grubenv", ("# GRUB Environment Block\nnext_entry=debian-%s\n" % OLD).ljust(1024, "#"))


def put_firmware_update(host):
    host.write(FWUPD, b"\7\0\0\0" + 48 * b"\0" + b"\1\0\0\0")


def put_load_disabled(host):
    host.write("proc/sys/kernel/kexec_load_disabled", "1\n")


def put_container(host):
    host.write("run/systemd/container", "lxc\n")


def put_damaged_kernel(host):
    host.write("boot/vmlinuz-" + NEW, b"none")


def put_damaged_initrd(host):
    host.write("boot/initrd.img-" + NEW, b"none")


def put_kernel_refusal(host):
    host.calls.errno = errno.ENOMEM


def put_no_settings(host):
    os.unlink(str(host.root / SETTINGS.lstrip("/")))


def put_damaged_settings(host):
    host.write(SETTINGS, '{"panic_seconds": 30}')


def put_silent_systemd(host):
    host.program("/usr/bin/systemctl", lambda argv: (1, "", "Failed to list jobs: Connection refused"))


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (put_one_shot, "the boot loader is to start the entry 'debian-%s' once" % OLD),
        (put_firmware_update, "a firmware update waits"),
        (put_load_disabled, "kernel.kexec_load_disabled is 1"),
        (put_container, "this is a container"),
        (put_damaged_kernel, "is not a bootable kernel image"),
        (put_damaged_initrd, "/boot/initrd.img-" + NEW),
        (put_kernel_refusal, "not enough free memory"),
        (put_no_settings, "cannot read " + SETTINGS),
        (put_damaged_settings, SETTINGS + " is not as kexec_autoload writes it"),
        (put_silent_systemd, "systemctl list-jobs --no-legend --no-pager ended with 1: Failed to list jobs"),
    ],
)
def test_what_stands_against_it_is_said_and_leaves_the_reboot_as_it_was(host, systemd, capsys, trouble, reason):
    trouble(host)
    host.write(STAGED, "")
    assert _autoload.main(["stage"], host.machine()) == 1
    assert reason in capsys.readouterr().err
    assert host.calls.loaded is None
    assert not host.machine().exists(STAGED)


def test_a_blocker_that_is_put_aside_does_not_count(host, systemd):
    put_firmware_update(host)
    host.write(SETTINGS, DEFAULTS._replace(ignore_blockers=("firmware_update",)).as_text())
    assert _autoload.stage(host.machine()).startswith("this reboot is a kexec")


def test_the_status_knows_that_a_rollback_net_goes_at_the_shutdown(host, systemd, capsys):
    put_one_shot(host)
    one_shot = {"loader": "grub", "place": "/boot/grub/grubenv", "value": "debian-" + OLD}
    net = {
        "boot_id": "b",
        "since": "2026-11-23T17:06:38Z",
        "seconds": 3600,
        "token": "T",
        "release": OLD,
        "build": "#1",
    }
    net.update(staged_release=None, one_shot=one_shot, slot_free=True, watchdog=False)
    host.write("var/lib/fleetops-kexec/net.json", json.dumps(net))
    assert _autoload.main(["status"], host.machine()) == 0
    assert capsys.readouterr().out == "the next reboot is a kexec into the boot loader's default\n"
    with pytest.raises(KexecError, match="is to start the entry"):
        _autoload.stage(host.machine())


def test_own_rows_of_known_trouble_count(host, systemd):
    row = {"id": "mine", "severity": "refuse", "reason": "It stays dark.", "virtualization": "kvm"}
    host.write(SETTINGS, DEFAULTS._replace(known_trouble=(row,)).as_text())
    with pytest.raises(KexecError, match="It stays dark"):
        _autoload.stage(host.machine())


def test_the_status_tells_and_changes_nothing(host, systemd, capsys):
    assert _autoload.main(["status"], host.machine()) == 0
    assert _autoload.main(["cold"], host.machine()) == 0
    assert _autoload.main(["status"], host.machine()) == 0
    kexec, cold, firmware = capsys.readouterr().out.splitlines()
    assert kexec == "the next reboot is a kexec into the boot loader's default"
    assert cold == "the next reboot goes through the firmware; remove %s to call it off" % COLD
    assert firmware == "the next reboot goes through the firmware: %s is there" % COLD
    assert host.calls.count == 0


# Its installation


def test_it_is_put_in_place_once(host):
    systemd = Systemd(host)
    assert [file.path for file in install(host).write] == [
        PROGRAM,
        SETTINGS,
        "/etc/systemd/system/fleetops-kexec-stage.service",
        "/etc/systemd/system/fleetops-kexec-jump.service",
    ]
    assert systemd.did == [
        "daemon-reload",
        "enable fleetops-kexec-stage.service",
        "enable fleetops-kexec-jump.service",
        "start fleetops-kexec-stage.service",
    ]
    assert host.machine().stat(PROGRAM).st_mode & 0o777 == 0o755
    again = install(host)
    assert (again.changed, again.diff(host.machine())) == (False, [])


def test_only_what_differs_is_written(host):
    systemd = Systemd(host)
    install(host)
    systemd.did.clear()
    plan = install(host, settings=DEFAULTS._replace(panic_seconds=5))
    assert [file.path for file in plan.write] == [SETTINGS]
    assert systemd.did == []


def test_a_plan_alone_changes_nothing(host):
    systemd = Systemd(host)
    before = files_of(host)
    plan = plan_for(host.machine(), True, DEFAULTS, lambda: b"the program\0")
    (shown, *_others) = plan.diff(host.machine())
    assert (plan.changed, shown["before"], shown["after"]) == (True, "", "a program of 12 bytes\n")
    assert files_of(host) == before
    assert systemd.did == []


def test_nothing_of_it_remains(host):
    systemd = Systemd(host)
    before = files_of(host)
    install(host)
    _autoload.make_cold(host.machine())
    assert install(host, present=False).changed is True
    assert files_of(host) == before
    assert systemd.units == {}
    assert install(host, present=False).changed is False


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"panic_seconds": -1}, "it must be 0 or more"),
        ({"known_trouble": [{"id": "mine", "driver": "bnx2x"}]}, "needs an id and a reason"),
        ({"known_trouble": [{"id": "mine", "reason": "it stays dark"}]}, "would hold for every host"),
        ({"ignore_blockers": ["container"]}, "cannot be ignored"),
        ({"ignore_blockers": ["contaner"]}, "no blocker has the id 'contaner'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, message):
    with pytest.raises(KexecError, match=message):
        Settings.of(dict(DEFAULTS._asdict(), **settings))


def put_runit(host):
    os.rmdir(str(host.root / "run/systemd/system"))
    host.write("proc/1/comm", "runit\n")


@pytest.mark.parametrize("trouble", [put_container, put_runit])
def test_a_host_on_which_it_cannot_work_is_refused(host, trouble):
    Systemd(host)
    trouble(host)
    with pytest.raises(KexecError, match=r"this is a container|the init system 'runit' has no place for this"):
        install(host)


def test_the_program_runs_without_ansible_and_is_the_same_each_time(tmp_path):
    assert program(sys.executable) == program(sys.executable)
    file = tmp_path / "fleetops-kexec"
    file.write_bytes(program(sys.executable))
    file.chmod(0o755)
    done = subprocess.run(
        [str(file), "--help"], env={}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, cwd=str(tmp_path)
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"let the next reboot go through the firmware" in done.stdout


# Debian with sysvinit


@pytest.fixture
def sysvinit(host):
    os.rmdir(str(host.root / "run/systemd/system"))
    host.write("proc/1/comm", "init\n")
    host.write("etc/init.d/kexec-load", "#!/bin/sh\n")
    return host


@pytest.mark.parametrize(
    "text", ["LOAD_KEXEC=false\nUSE_GRUB_CONFIG=false\n", "USE_GRUB_CONFIG=false", "LOAD_KEXEC=true\n", ""]
)
def test_debians_own_setting_is_set_and_given_back(sysvinit, text):
    file = sysvinit.write("etc/default/kexec", text)
    install(sysvinit)
    assert "LOAD_KEXEC=true" in file.read_text().splitlines()
    assert install(sysvinit).changed is False
    assert install(sysvinit, present=False).changed is True
    assert sorted(file.read_text().splitlines()) == sorted(text.splitlines())
    assert install(sysvinit, present=False).changed is False


def test_the_last_assignment_is_the_one_that_counts():
    assert with_load_kexec("LOAD_KEXEC=true\nA=1\n LOAD_KEXEC=false\n", "LOAD_KEXEC=true") == "A=1\nLOAD_KEXEC=true\n"


def test_without_kexec_tools_there_is_no_such_mechanism(sysvinit):
    os.unlink(str(sysvinit.root / "etc/init.d/kexec-load"))
    with pytest.raises(KexecError, match="install it"):
        install(sysvinit)


def test_it_is_said_that_debian_loads_what_it_chooses(sysvinit):
    (doubt,) = _autoload_install.doubts(sysvinit.machine(), DEFAULTS)
    assert "/vmlinuz" in doubt
