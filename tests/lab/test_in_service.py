# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A maintenance window of three machines that serve behind a real HAProxy, with clients that never pause.

The tests build on each other: a canary that is not healthy stops the roll, it is mended, and the same command goes on.
"""

from __future__ import annotations

import collections
import contextlib
import csv
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
from ansible_run import Run, run_playbook
from driver import Fleet
from vmlab import Lab
from vmlab.fleet import default_cache

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        not (shutil.which("haproxy") and shutil.which("chromium")),
        reason="haproxy or chromium is not installed (Debian: apt-get install haproxy chromium)",
    ),
]

HOSTS = ("lab1", "lab2", "lab3")

# The worker is not enabled at boot: after a reboot it runs because the hook has started it.
UNITS = """
cat >/etc/systemd/system/web.service <<'END'
[Unit]
Description=Answers with the machine's name
[Service]
ExecStart=/usr/bin/python3 -m http.server --directory /srv/web 8080
[Install]
WantedBy=multi-user.target
END
cat >/etc/systemd/system/worker.service <<'END'
[Unit]
Description=Needs the web service while it works
[Service]
ExecStart=/usr/bin/sleep infinity
ExecStop=/bin/sh -c 'systemctl is-active web.service >>/srv/stopped'
END
systemctl daemon-reload && systemctl enable --now web.service && systemctl start worker.service
"""

# No second try for a request, and none at another server: what fails is seen. The machines are emulated, and slow.
CONFIGURATION = """
global
    stats socket {socket} level admin
defaults
    mode http
    retries 0
    timeout connect 20s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port}
    default_backend web
backend web
    option httpchk GET /name
    timeout check 10s
    default-server check inter 1s rise 2 fall 5
{servers}
"""

HEALTHY = [{"unit": "web.service"}, {"command": "test -e /srv/web/healthy"}]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """The machines' service, its load balancer, and its clients."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        self.answers: collections.Counter[str] = collections.Counter()
        self.folder = folder
        self.socket = folder / "haproxy"
        self.port = free_port()
        self.ended = threading.Event()
        self.inventory = folder / "balancer.yml"
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
        }
        self.inventory.write_text(json.dumps({"balancers": {"hosts": {"lb1": variables}}}))

    def configuration(self) -> Path:
        """Puts the service on each machine, with a port of this one that leads to it."""
        servers = ""
        for host in HOSTS:
            port = free_port()
            self.fleet.machine(host).qmp(
                "human-monitor-command", **{"command-line": "hostfwd_add tcp:127.0.0.1:%d-:8080" % port}
            )
            self.fleet.ssh(host, "mkdir -p /srv/web && printf %%s %s >/srv/web/name%s" % (host, UNITS))
            servers += "    server %s 127.0.0.1:%d\n" % (host, port)
        file = self.folder / "haproxy.cfg"
        file.write_text(CONFIGURATION.format(socket=self.socket, port=self.port, servers=servers))
        return file

    def get(self) -> str:
        with urllib.request.urlopen("http://127.0.0.1:%d/name" % self.port, timeout=60) as answer:
            return str(answer.read().decode())

    def request_all_the_time(self) -> None:
        while not self.ended.is_set():
            try:
                answer = self.get()
            except OSError as error:
                answer = "%s at %s" % (error, time.strftime("%H:%M:%S"))
            self.answers[answer] += 1
            self.ended.wait(0.2)

    def tell(self, command: str) -> str:
        """What HAProxy answers to a command."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def states(self) -> list[str]:
        """How HAProxy sees each server."""
        rows = {row["svname"]: row for row in csv.DictReader(self.tell("show stat -1 4 -1").splitlines())}
        return [rows[host]["status"] for host in HOSTS]

    def working(self) -> list[str]:
        """Whether each machine's worker is there."""
        return [self.fleet.ssh(host, "systemctl is-active worker.service || true") for host in HOSTS]

    def arguments(self) -> dict[str, Any]:
        """What the operator gives to fast_reboot."""
        return {
            "fast_reboot_hosts": "lab",
            "fast_reboot_rollout": "window",
            "fast_reboot_store": str(self.folder / "rollouts.db"),
            "fast_reboot_stages": "1,100%",
            "fast_reboot_before_host": ["hooks/haproxy_drain.yml", "hooks/units_stop.yml"],
            "fast_reboot_after_host": ["hooks/units_start.yml", "hooks/haproxy_ready.yml"],
            "fast_reboot_health": HEALTHY,
            "fast_reboot_health_timeout": 60,
            "fast_reboot_haproxy_hosts": ["lb1"],
            "fast_reboot_haproxy_socket": str(self.socket),
            "fast_reboot_haproxy_ready_timeout": 120,
            "fast_reboot_units": "worker.service, web.service",
            "fast_reboot_report_html": str(self.folder / "report.html"),
        }

    def roll(self, *arguments: str, **variables: Any) -> Run:
        return self.fleet.playbook("-i", str(self.inventory), *arguments, **self.arguments(), **variables)

    def control(self, **variables: Any) -> Run:
        return run_playbook(
            self.fleet.lab.inventory_path,
            "playbooks/rollout_control.yml",
            [],
            {"fast_reboot_store": str(self.folder / "rollouts.db"), **variables},
            self.folder / "control.jsonl",
        )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("s")
    lab = Lab(default_cache() / "service", images=default_cache() / "images")
    lab.down()
    lab.up(len(HOSTS))
    lab.update(HOSTS)
    service = Service(Fleet(lab, folder), folder)
    haproxy = subprocess.Popen(["haproxy", "-db", "-f", str(service.configuration())])
    client = threading.Thread(target=service.request_all_the_time)
    try:
        wait_until(lambda: service.socket.exists() and service.states() == ["UP"] * 3)
        client.start()
        yield service
    finally:
        service.ended.set()
        with contextlib.suppress(RuntimeError):  # never started
            client.join()
        haproxy.kill()
        haproxy.wait()
        lab.down()


def wait_until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def releases(fleet: Fleet) -> list[str]:
    return [fleet.boot(host)["release"] for host in HOSTS]


def test_a_check_run_touches_nothing(service: Service) -> None:
    older, _newer = service.fleet.kernels("lab1")
    run = service.roll("--check")
    assert run.rc == 0
    assert set(run.outcomes().values()) == {"planned"}
    assert releases(service.fleet) == [older] * 3
    assert service.states() == ["UP"] * 3


def test_a_canary_that_is_not_healthy_stops_the_roll(service: Service) -> None:
    older, newer = service.fleet.kernels("lab1")
    run = service.roll()
    print(run.output)
    assert run.rc == 2
    assert run.outcomes() == {"lab1": "failed", "lab2": "deferred", "lab3": "deferred"}
    assert "it runs the new kernel and is not healthy" in " ".join(run.output.split())
    assert releases(service.fleet) == [newer, older, older]
    assert service.states() == ["MAINT", "UP", "UP"]
    assert set(service.answers) <= set(HOSTS)


def test_the_same_command_does_the_rest_when_it_is_mended(service: Service) -> None:
    _older, newer = service.fleet.kernels("lab1")
    for host in HOSTS:
        service.fleet.ssh(host, "touch /srv/web/healthy")
    service.fleet.ssh("lab1", "systemctl start worker.service")
    service.tell("set server web/lab1 state ready")
    wait_until(lambda: service.states() == ["UP"] * 3)

    statuses: list[str] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(20):
            statuses.append(service.control().output)

    second_terminal = threading.Thread(target=look)
    second_terminal.start()
    try:
        run = service.roll()
    finally:
        ended.set()
        second_terminal.join()
    print(run.output, *statuses)
    assert run.rc == 0
    assert run.outcomes() == {"lab1": "current", "lab2": "rebooted", "lab3": "rebooted"}
    assert releases(service.fleet) == [newer] * 3
    assert service.states() == ["UP"] * 3
    assert service.working() == ["active"] * 3
    assert service.fleet.ssh("lab2", "cat /srv/stopped") == "active"
    assert any("in flight" in status for status in statuses)


def test_no_request_has_failed(service: Service) -> None:
    print(service.answers)
    assert set(service.answers) == set(HOSTS)


def test_the_report_opens_in_a_browser(service: Service) -> None:
    said: list[str] = []
    with chromium.started() as browser:
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.goto((service.folder / "report.html").as_uri())
        assert page.title()
        assert all(page.get_by_text(host).count() for host in HOSTS)
        page.screenshot(path=str(service.folder / "report.png"), full_page=True)
    assert said == []
