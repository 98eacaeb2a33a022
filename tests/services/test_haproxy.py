# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers behind HAProxy are rebooted, while clients go on with their requests."""

from __future__ import annotations

import collections
import contextlib
import csv
import shutil
import socket
import sys
import threading
import time
import urllib.request

import pytest

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(
        not shutil.which("haproxy"), reason="haproxy is not installed (Debian: apt-get install haproxy)"
    ),
]

NAMES = ("web1", "web2", "web3")

# Answers with its name; /hold is answered as soon as the file exists.
WEB_SERVER = """
import http.server, pathlib, sys, time
name, port, release, delay = sys.argv[1:]
time.sleep(float(delay))

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        while self.path.startswith("/hold") and not pathlib.Path(release).exists():
            time.sleep(0.02)
        self.send_response(200)
        self.send_header("Content-Length", str(len(name)))
        self.end_headers()
        self.wfile.write(name.encode())

    def log_message(self, *arguments):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 100

Server(("127.0.0.1", int(port)), Handler).serve_forever()
"""

# No second try for a request, and none at another server: what fails is seen.
CONFIGURATION = """
global
    stats socket {socket} level admin
    stats socket {socket}.user level user
defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port}
    default_backend web
backend web
    option httpchk GET /
    default-server check inter 200ms rise 2 fall 2
    use-server web1 if {{ url_param(to) web1 }}
{servers}
backend tracking
    server web1 127.0.0.1:{first} track web/web1
backend unchecked
    server web1 127.0.0.1:{first}
"""


class Site:
    """HAProxy with three servers behind it."""

    def __init__(self, folder, service, free_port):
        self.socket = str(folder / "haproxy")
        self.release = folder / "release"
        self.port = free_port()
        self._service = service
        self._ports = {name: free_port() for name in NAMES}
        self._servers = {}
        for name in NAMES:
            self.start(name)
        configuration = folder / "haproxy.cfg"
        configuration.write_text(
            CONFIGURATION.format(
                socket=self.socket,
                port=self.port,
                first=self._ports["web1"],
                servers="".join("    server %s 127.0.0.1:%d\n" % item for item in self._ports.items()),
            )
        )
        service(["haproxy", "-db", "-f", str(configuration)], self.port)

    def start(self, name, delay=0.0):
        """Start a server. With a delay it is not waited for."""
        command = [sys.executable, "-c", WEB_SERVER, name, str(self._ports[name]), str(self.release), str(delay)]
        self._servers[name] = self._service(command, self.port if delay else self._ports[name])

    def kill(self, name):
        self._servers[name].kill()
        self._servers[name].wait()

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.socket)
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def _statistics(self, backend, name):
        rows = csv.DictReader(self.ask("show stat -1 4 -1").splitlines())
        return next(row for row in rows if (row["# pxname"], row["svname"]) == (backend, name))

    def status(self, backend, name):
        return self._statistics(backend, name)["status"]

    def sessions(self, name):
        return int(self._statistics("web", name)["scur"])

    def get(self, path="/", timeout=30.0):
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.port, path), timeout=timeout) as answer:
            return answer.read().decode()


@pytest.fixture(scope="module")
def site(folder, service, free_port):
    return Site(folder, service, free_port)


@pytest.fixture(autouse=True)
def everything_in_service(site):
    site.release.unlink(missing_ok=True)
    for name in NAMES:
        site.ask("set server web/%s state ready" % name)
    for backend in ("tracking", "unchecked"):
        site.ask("set server %s/web1 state ready" % backend)
    wait_until(lambda: all(site.status("web", name) == "UP" for name in NAMES))


@pytest.fixture
def balanced(hooks, site):
    hooks.add_host("lb1")
    for name in NAMES:
        hooks.add_host(name, fast_reboot_haproxy_hosts=["lb1"], fast_reboot_haproxy_socket=site.socket)
    return hooks


@contextlib.contextmanager
def clients(site):
    """Requests without a pause. What became of them is counted: a server's name, or an error."""
    answers = collections.Counter()
    done = threading.Event()

    def work():
        while not done.is_set():
            try:
                answer = site.get()
            except OSError as error:
                answer = str(error)
            answers[answer] += 1
            done.wait(0.005)

    threads = [threading.Thread(target=work) for _number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        done.set()
        for thread in threads:
            thread.join()


@contextlib.contextmanager
def lasting_session(site):
    """A request to web1 that lasts until it is released; its answer comes into the list."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(site.get("/hold?to=web1", timeout=120)))
    thread.start()
    wait_until(lambda: site.sessions("web1"))
    try:
        yield answers
    finally:
        site.release.touch()
        thread.join()


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_no_request_fails_while_every_server_in_turn_is_rebooted(site, balanced):
    with clients(site) as answers:
        for name in NAMES:
            assert balanced.run("haproxy_drain.yml", hosts=name).rc == 0
            assert site.status("web", name) == "MAINT"
            site.kill(name)
            # It answers only after the hook has begun, and HAProxy would send it requests at once.
            site.start(name, delay=5.0)
            assert balanced.run("haproxy_ready.yml", hosts=name).rc == 0
            assert site.status("web", name) == "UP"
        served = answers.copy()
        wait_until(lambda: all(answers[name] > served[name] for name in NAMES))
    assert set(answers) == set(NAMES)


def test_requests_do_fail_without_the_hooks(site):
    with clients(site) as answers:
        site.kill("web2")
        wait_until(lambda: set(answers) - set(NAMES))
        site.start("web2")


def test_a_server_is_handled_in_every_backend_that_has_it(site, balanced):
    assert balanced.run("haproxy_drain.yml").rc == 0
    backends = ("web", "tracking", "unchecked")
    assert [site.status(backend, "web1") for backend in backends] == ["MAINT", "MAINT (via web/web1)", "MAINT"]
    assert balanced.run("haproxy_ready.yml").rc == 0
    assert [site.status(backend, "web1") for backend in backends] == ["UP", "UP", "no check"]


def test_a_session_is_waited_for(site, balanced):
    with lasting_session(site) as answers:
        drained = []
        thread = threading.Thread(target=lambda: drained.append(balanced.run("haproxy_drain.yml")))
        thread.start()
        wait_until(lambda: site.status("web", "web1") == "DRAIN")
        assert not drained
        site.release.touch()
        thread.join()
    assert drained[0].rc == 0
    assert answers == ["web1"]
    assert site.status("web", "web1") == "MAINT"


def test_a_session_that_does_not_end_leaves_the_server_as_it_was(site, balanced):
    with lasting_session(site) as answers:
        run = balanced.run("haproxy_drain.yml", haproxy_drain_timeout=1)
        assert site.status("web", "web1") == "UP"
        assert not answers
    assert run.rc == 2
    assert "the sessions did not end within 1 s: web/web1 has 1. The server is as it was before" in run.output


def test_a_session_that_does_not_end_need_not_hinder(site, balanced):
    with lasting_session(site) as answers:
        run = balanced.run("haproxy_drain.yml", haproxy_drain_timeout="1", haproxy_on_drain_timeout="proceed")
        assert site.status("web", "web1") == "MAINT"
    assert run.rc == 0
    assert "sessions were left at the end of drain_timeout, after 1 s: web/web1 has 1" in run.output
    assert answers == ["web1"]


def test_what_is_so_already_is_left_alone(balanced):
    for hook in ("haproxy_drain.yml", "haproxy_ready.yml"):
        first, second, third = (balanced.run(hook, arguments=mode) for mode in (["--check"], [], []))
        changed = [run.of("haproxy_server")[0].result["changed"] for run in (first, second, third)]
        assert changed == [True, True, False]


def test_a_server_that_stays_down_is_told_of(site, balanced):
    assert balanced.run("haproxy_drain.yml", hosts="web3").rc == 0
    site.kill("web3")
    run = balanced.run("haproxy_ready.yml", hosts="web3", haproxy_ready_timeout=1)
    site.start("web3")
    assert run.rc == 2
    assert "does not send requests to it after 1 s: web/web3 is DOWN (last check: L4CON" in run.output


# One run for all of them, each a host of its own.
MISTAKES = [
    ({"haproxy_hosts": ""}, "fast_reboot_haproxy_hosts is empty"),
    ({"haproxy_socket": "{socket}.user"}, "give it `level admin` at `stats socket` in haproxy.cfg"),
    ({"haproxy_socket": "{socket}.none"}, "No such file or directory. Is it running"),
    ({"haproxy_socket": "admin.sock"}, "is neither a whole path nor HOST:PORT"),
    ({"haproxy_server": "web9"}, "has no server web9 in any backend; its servers are web1, web2, web3"),
    ({"haproxy_backends": "web,api"}, "has no server web1 in the backend api; its servers there are none at all"),
    ({"haproxy_server": "web1; shutdown sessions"}, "cannot be the name of a server"),
    ({"haproxy_drain_timeout": "-1"}, "a timeout of -1 s is in the past"),
]


def test_errors_are_sentences_and_change_nothing(site, balanced):
    names = ["mistake%d" % number for number in range(len(MISTAKES))]
    for name, (inputs, _sentence) in zip(names, MISTAKES, strict=True):
        usual = {"haproxy_hosts": "lb1", "haproxy_socket": site.socket, "haproxy_server": "web1"}
        given = {"fast_reboot_" + key: text.format(socket=site.socket) for key, text in {**usual, **inputs}.items()}
        balanced.add_host(name, **given)
    run = balanced.run("haproxy_drain.yml", hosts=",".join(names))
    assert run.rc == 2
    told = {task.host: str(task.result) for task in run.tasks if task.status == "failed"}
    for name, (_inputs, sentence) in zip(names, MISTAKES, strict=True):
        assert sentence in told[name]
    assert site.status("web", "web1") == "UP"


def test_a_host_that_one_load_balancer_cannot_drain_is_put_back_at_the_others(site, balanced):
    balanced.add_host("lb2")
    sockets = "{{ {'lb1': '%s', 'lb2': '/nowhere'}[item] }}" % site.socket
    run = balanced.run("haproxy_drain.yml", haproxy_hosts="lb1, lb2", haproxy_socket=sockets)
    assert run.rc == 2
    assert "cannot talk to HAProxy at /nowhere" in run.output
    assert [task.result["changed"] for task in run.of("haproxy_server")][-1] is True
    assert site.status("web", "web1") == "UP"


UNREACHABLE = {
    "ansible_connection": "ssh",
    "ansible_host": "127.0.0.1",
    "ansible_port": 1,
    "ansible_ssh_args": "-F none",
}


def test_a_load_balancer_that_cannot_be_reached_is_named_and_the_host_put_back_at_the_others(site, balanced):
    balanced.add_host("lb2", **UNREACHABLE)
    run = balanced.run("haproxy_drain.yml", haproxy_hosts="lb1, lb2")
    assert run.rc == 2
    assert "web1 was not drained at lb2, which cannot be reached" in run.tasks[-1].result["msg"]
    assert site.status("web", "web1") == "UP"


def test_a_host_that_is_still_out_of_service_at_one_load_balancer_has_failed(site, balanced):
    assert balanced.run("haproxy_drain.yml").rc == 0
    balanced.add_host("lb2", **UNREACHABLE)
    run = balanced.run("haproxy_ready.yml", haproxy_hosts="lb2, lb1")
    assert run.rc == 2
    assert "web1 is still out of service at lb2, which cannot be reached" in run.tasks[-1].result["msg"]
    assert site.status("web", "web1") == "UP", "at the other one it is back"
