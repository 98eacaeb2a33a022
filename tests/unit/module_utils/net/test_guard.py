# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import re
import subprocess
import sys

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._net import guard, load, program, state

KEXEC = "  70 kexec.target          start waiting\n  71 systemd-kexec.service start waiting\n"
REBOOT = "  70 reboot.target          start waiting\n"


def unit(machine, name):
    (file,) = [file for file in guard.files(machine, sys.executable, 600, b"") if file.path.endswith("/" + name)]
    return file.content.decode()


def test_the_timer_counts_from_its_start_and_is_started_at_each_boot(grub_sim):
    text = unit(grub_sim.machine(), guard.TIMER)
    assert "\nOnActiveSec=600\n" in text
    assert "\nWantedBy=timers.target\n" in text
    assert "\nWants=%s\n" % guard.SHUTDOWN in text


@pytest.mark.parametrize(
    ("armed", "jobs", "runs"),
    [(True, KEXEC, False), (True, REBOOT, True), (True, "", True), (False, REBOOT, False)],
)
def test_the_shell_lets_a_kexec_pass_and_runs_the_program_otherwise(grub_sim, tmp_path, armed, jobs, runs):
    """The line of the unit, run by a real shell, with everything that it names in a folder of the test's."""
    (line,) = re.findall(r"^ExecStop=/bin/sh -c '(.*)'$", unit(grub_sim.machine(), guard.SHUTDOWN), re.MULTILINE)
    record, systemctl = tmp_path / "net.json", tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\nprintf '%s'\n" % jobs.replace("\n", "\\n"))
    systemctl.chmod(0o755)
    if armed:
        record.write_text("{}")
    line = line.replace(state.STATE, str(record)).replace("/usr/bin/systemctl", str(systemctl))
    line = line.replace("exec " + sys.executable, "exec echo")
    done = subprocess.run(["/bin/sh", "-c", line], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode() == ("-I %s shutdown\n" % guard.PROGRAM if runs else "")


def test_the_program_itself_lets_a_kexec_pass_too(grub_sim, capsys):
    grub_sim.load()
    grub_sim.jobs = KEXEC
    before = grub_sim.traces()
    assert program.main(["shutdown"], grub_sim.machine()) == 0
    assert capsys.readouterr().out == "the rollback net stays, because this shutdown is a kexec\n"
    assert grub_sim.traces() == before


def test_where_systemd_does_not_say_why_it_goes_down_the_net_stays(grub_sim, capsys):
    grub_sim.load()
    once = grub_sim.once
    grub_sim.host.program("/usr/bin/systemctl", lambda argv: (1, "", "Connection refused"))
    assert program.main(["shutdown"], grub_sim.machine()) == 1
    assert "cannot take down the rollback net: /usr/bin/systemctl list-jobs" in capsys.readouterr().err
    assert grub_sim.once == once


def test_at_a_shutdown_no_unit_is_waited_for(grub_sim):
    grub_sim.load()
    grub_sim.did.clear()
    grub_sim.goes_down("reboot.target")
    assert [command for command in grub_sim.did if "systemctl" in command] == [
        "/usr/bin/systemctl --no-reload disable fleetops-kexec-net.timer"
    ]


def test_it_says_in_the_journal_what_it_has_done(grub_sim, capsys):
    grub_sim.load()
    grub_sim.kexec()
    grub_sim.time_passes()
    assert re.match(
        r"the rollback net is down, because its time is over: the boot loader starts its default again instead of "
        r"debian-6.1.0-55-cloud-amd64 \(6.1.0-55-cloud-amd64\)\n\Z",
        capsys.readouterr().out,
    )
    assert program.main(["expire"], grub_sim.machine()) == 0
    assert capsys.readouterr().out == "there is no rollback net to take down\n"


def test_a_staged_image_goes_although_its_record_was_never_written(grub_sim):
    grub_sim.load()
    os.unlink(str(grub_sim.host.root / "run/fleetops-kexec/staged.json"))
    grub_sim.time_passes()
    assert grub_sim.host.calls.loaded is None


def test_an_image_that_was_somebody_elses_before_stays_his(grub_sim):
    grub_sim.host.write("sys/kernel/kexec_loaded", "1\n")
    grub_sim.host.calls.loaded = {"kernel": b"somebody's"}
    # Arming dies when the entry is set and nothing is loaded yet.
    assert grub_sim.dies_after(8, grub_sim.load)
    assert grub_sim.once is not None
    grub_sim.time_passes()
    assert (grub_sim.once, grub_sim.host.calls.loaded) == (None, {"kernel": b"somebody's"})


def test_the_program_runs_without_ansible(tmp_path):
    file = tmp_path / "net"
    file.write_bytes(load.guard_program())
    done = subprocess.run(
        [sys.executable, "-I", str(file), "--help"], env={}, stdout=subprocess.PIPE, check=False, cwd=str(tmp_path)
    )
    assert done.returncode == 0
    assert b"Takes down the rollback net of a staged kernel." in done.stdout
