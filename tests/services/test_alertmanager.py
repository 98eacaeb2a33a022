# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alertmanager is told to be silent about a host that reboots."""

from __future__ import annotations

import base64
import datetime
import json
import shutil
import time
import urllib.request

import pytest

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(
        not shutil.which("prometheus-alertmanager"),
        reason="Alertmanager is not installed (Debian: apt-get install prometheus-alertmanager)",
    ),
]

PASSWORD = "open sesame"
# Of that password, by bcrypt.
HASH = "$2b$04$fXiytGKo6AbZ9CILqH6eqeAr5HtmE/rx.l.yi6dRuBQEIWfJ7OBPu"


FAIL = {"ansible.builtin.fail": {"msg": "the host did not come back"}}
# Longer than a silence that a busy computer still gets in before its end.
WAIT = {"ansible.builtin.wait_for": {"timeout": 10}}


class Alertmanager:
    """One that wants a password."""

    def __init__(self, folder, service, port):
        self.url = "http://127.0.0.1:%d" % port
        (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        (folder / "web.yml").write_text("basic_auth_users: {fleet: '%s'}\n" % HASH)
        command = ["prometheus-alertmanager", "--cluster.listen-address="]
        command += ["--config.file=%s/alertmanager.yml" % folder, "--web.config.file=%s/web.yml" % folder]
        command += ["--storage.path=%s/data" % folder, "--web.listen-address=127.0.0.1:%d" % port]
        service(command, port)

    def ask(self, path, body=None):
        request = urllib.request.Request(
            self.url + "/api/v2/" + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic " + base64.b64encode(b"fleet:" + PASSWORD.encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer) if body is None else None

    def silences(self, state="active"):
        return [silence for silence in self.ask("silences") if silence["status"]["state"] == state]

    def silenced_instances(self):
        return {alert["labels"]["instance"] for alert in self.ask("alerts") if alert["status"]["state"] == "suppressed"}


@pytest.fixture(scope="module")
def alertmanager(folder, service, free_port):
    return Alertmanager(folder, service, free_port())


@pytest.fixture
def silencing(hooks, alertmanager):
    hooks.add_host(
        "web1",
        fast_reboot_alertmanager_url=alertmanager.url + "/",
        fast_reboot_alertmanager_user="fleet",
        fast_reboot_alertmanager_password=PASSWORD,
    )
    return hooks


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def seconds_left(silence):
    ends = datetime.datetime.fromisoformat(silence["endsAt"].replace("Z", "+00:00"))
    return (ends - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def test_a_silence_is_for_the_host_alone_and_ends_on_success(silencing, alertmanager):
    instances = ["web1", "web1:9100", "web10:9100", "web1.example:9100"]
    alertmanager.ask("alerts", [{"labels": {"alertname": "Down", "instance": name}} for name in instances])
    assert silencing.run("alertmanager_silence.yml", alertmanager_comment="Kernel update").rc == 0
    wait_until(lambda: alertmanager.silenced_instances() == {"web1", "web1:9100"})
    (silence,) = alertmanager.silences()
    assert silence["comment"] == "Kernel update"
    assert 3000 < seconds_left(silence) <= 3600

    run = silencing.run("alertmanager_silence.yml", "alertmanager_unsilence.yml", arguments=["-vvv"])
    assert run.rc == 0
    assert PASSWORD not in run.output
    # That of the first run is another's, as far as the second knows.
    assert [one["id"] for one in alertmanager.silences()] == [silence["id"]]
    assert len(alertmanager.silences("expired")) == 1


def test_a_silence_stays_until_its_end_when_the_host_fails(silencing, alertmanager):
    before = {silence["id"] for silence in alertmanager.silences()}
    hooks = ("alertmanager_silence.yml", "alertmanager_unsilence.yml")
    run = silencing.run(*hooks, between=FAIL, alertmanager_host="db1", alertmanager_seconds="1800")
    assert run.rc == 2
    (left,) = (silence for silence in alertmanager.silences() if silence["id"] not in before)
    assert left["matchers"][0]["value"] == "db1(:[0-9]+)?"
    assert 1200 < seconds_left(left) <= 1800


def test_a_silence_that_has_ended_meanwhile_does_not_fail_the_host(silencing, alertmanager):
    hooks = ("alertmanager_silence.yml", "alertmanager_unsilence.yml")
    before = len(alertmanager.silences("expired"))
    run = silencing.run(*hooks, between=WAIT, alertmanager_host="db2", alertmanager_seconds=8)
    assert len(alertmanager.silences("expired")) == before + 1
    assert run.rc == 0


def test_an_alertmanager_that_is_gone_fails_the_host(silencing):
    hooks = ("alertmanager_silence.yml", "alertmanager_unsilence.yml")
    elsewhere = {"ansible.builtin.set_fact": {"fast_reboot_alertmanager_url": "http://127.0.0.1:1"}}
    run = silencing.run(*hooks, between=elsewhere)
    assert run.rc == 2
    assert "refused" in run.of("uri")[-1].result["msg"]


# One run for all of them, each a host of its own.
MISTAKES = [
    ({"url": ""}, "fast_reboot_alertmanager_url has to be Alertmanager's address"),
    ({"url": "http://fleet:secret@alertmanager"}, "with user and password not in it"),
    ({"seconds": "soon"}, "fast_reboot_alertmanager_seconds a number above 0"),
    ({"password": "wrong"}, "401"),
]


def test_errors_are_sentences_and_silence_nothing(silencing, alertmanager):
    before = alertmanager.silences()
    usual = {"url": alertmanager.url, "user": "fleet", "password": PASSWORD}
    for number, (inputs, _sentence) in enumerate(MISTAKES):
        given = {"fast_reboot_alertmanager_" + name: text for name, text in {**usual, **inputs}.items()}
        silencing.add_host("mistake%d" % number, **given)
    run = silencing.run("alertmanager_silence.yml", hosts="mistake*")
    told = {task.host: str(task.result) for task in run.tasks if task.status == "failed"}
    for number, (_inputs, sentence) in enumerate(MISTAKES):
        assert sentence in told["mistake%d" % number]
    assert alertmanager.silences() == before
