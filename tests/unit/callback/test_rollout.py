# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback in real runs of ansible-playbook, over actions that only pretend to reboot."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest
from pretended_roll import plan, pretended, reboot

# Each runs ansible-playbook.
pytestmark = pytest.mark.slow

HOSTILE = "h\u001b[31mö\nst" + "x" * 300
WORDS = "gone \u001b[31m[bold]"
LOST = {**reboot(rebooted=False, lost=True, down_seconds=None), "failed": True, "msg": WORDS}


def in_a_log(command, environment):
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def on_a_terminal(command, environment):
    """The return code, and all that was written, on a terminal of 100 columns and 20 lines."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 100, 0, 0))
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                some = os.read(ours, 65536)
            except OSError:
                break
            written += some
    os.close(ours)
    return process.returncode, written.decode()


def results(lost):
    return {
        "rollout_plan": {"*": plan(["web1", lost])},
        "kexec_reboot": {lost: LOST, "*": reboot()},
        "rollout_slot:released": {
            lost: {"outcome": "lost", "reason": WORDS},
            "*": {"outcome": "rebooted", "reason": ""},
        },
        "rollout_report": {"*": {"hosts": {}, "not_good": {lost: "lost: " + WORDS}}},
    }


def untimed(output):
    return [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in output.splitlines()]


def test_a_log_has_the_events_and_the_failure_in_full(tmp_path):
    last = {"hosts": "all", "tasks": [{"ansible.builtin.fail": {"msg": "lost: " + WORDS}, "when": "false"}]}
    command, environment = pretended(tmp_path, ["web1", HOSTILE], results(HOSTILE), plays=[last])
    run = in_a_log(command, environment)
    assert run.returncode == 0, run.stderr
    lines = untimed(run.stdout)
    name = ("h\\x1b[31mö st" + "x" * 300)[:59] + "…"
    assert lines[0] == "2 of 2 hosts to reboot, in about 2 min"
    for line in ("web1  reboots", "web1  is back after 4.4 s down, with kernel 6.1.0-56-amd64"):
        assert lines.count(line) == 1
    (failed,) = [line for line in lines if line.startswith("fatal: ")]
    assert "FAILED! => {" in failed
    assert '"lost": true' in failed
    assert "%s  failed in Reboot" % name in lines
    assert any(line.startswith("%s  lost" % name) and line.endswith("gone \\x1b[31m[bold]") for line in lines)
    assert "\x1b" not in run.stdout
    assert "PLAY" not in run.stdout


def test_other_plays_are_shown_as_the_default_callback_does(tmp_path):
    other = {"name": "Other", "hosts": "all", "tasks": [{"name": "Say", "ansible.builtin.command": "true"}]}
    command, environment = pretended(tmp_path, ["web1"], plays=[other])
    lines = in_a_log(command, environment).stdout.splitlines()
    assert any(line.startswith("PLAY [Other] ***") for line in lines)
    assert "changed: [web1]" in lines
    assert any(line.startswith("PLAY RECAP ***") for line in lines)
    assert not any("PLAY [Roll]" in line for line in lines)


def test_verbose_is_what_the_default_callback_shows(tmp_path):
    command, environment = pretended(tmp_path, ["web1"])
    ours = in_a_log([*command, "-v"], environment)
    default = in_a_log([*command, "-v"], {**environment, "ANSIBLE_STDOUT_CALLBACK": "default"})
    assert "PLAY [Roll]" in default.stdout
    assert ours.stdout == default.stdout


def test_a_log_is_summed_up_again_and_again(tmp_path):
    command, environment = pretended(tmp_path, ["web1"], seconds={"kexec_reboot": 3})
    run = in_a_log(command, {**environment, "FLEETOPS_KEXEC_SUMMARY_SECONDS": "1"})
    assert "0 of 1 host done; in flight: web1 rebooting" in run.stdout


def test_an_error_of_its_own_leaves_the_rest_to_the_default_callback(tmp_path):
    broken = {"rollout_plan": {"*": {"planned": "nonsense"}}}
    command, environment = pretended(tmp_path, ["web1"], broken)
    run = in_a_log(command, environment)
    assert run.returncode == 0
    assert "the callback fleetops.kexec.rollout has failed" in run.stderr
    assert "PLAY [Roll]" in run.stdout
    assert "PLAY RECAP" in run.stdout


def test_a_terminal_gets_the_live_view_and_its_cursor_back(tmp_path):
    command, environment = pretended(tmp_path, ["web1", "web2"], results("web2"), {"kexec_reboot": 3})
    code, written = on_a_terminal(command, environment)
    assert code == 0
    assert re.search(r"web1 +rebooting +\d s of about 60 s", written)
    assert "fatal: [web2]: FAILED! => " in written
    assert written.rfind("\x1b[?25h") > written.rfind("\x1b[?25l")


@pytest.mark.parametrize("setting", [{"TERM": "dumb"}, {"FLEETOPS_KEXEC_VIEW": "log"}])
def test_a_terminal_that_cannot_be_drawn_on_or_shall_not_gets_a_log(tmp_path, setting):
    command, environment = pretended(tmp_path, ["web1"])
    _code, written = on_a_terminal(command, {**environment, **setting})
    assert "web1  rebooted (1 of 1)" in written
    assert "\x1b[?25l" not in written


def test_no_color(tmp_path):
    command, environment = pretended(tmp_path, ["web1"], seconds={"kexec_reboot": 2})
    _code, written = on_a_terminal(command, {**environment, "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"})
    assert "rebooting" in written
    assert not re.search(r"\x1b\[3\d", written)
