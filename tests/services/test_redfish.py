# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power of a host is cycled by Redfish: at OpenStack's emulator, and at BMCs of other kinds."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
import urllib.request
from pathlib import Path

import pytest

EMULATOR = Path(__file__).parents[2] / ".cache/redfish/bin/sushy-emulator"

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(not EMULATOR.exists(), reason="the Redfish emulator is not installed (tools/setup services)"),
]

PASSWORD = "open sesame"
# Of that password, by bcrypt.
HASH = "$2b$04$fXiytGKo6AbZ9CILqH6eqeAr5HtmE/rx.l.yi6dRuBQEIWfJ7OBPu"

WEB1 = "11111111-1111-1111-1111-111111111111"
WEB2 = "22222222-2222-2222-2222-222222222222"


class Emulator:
    """A BMC of two systems that wants a password."""

    def __init__(self, folder, service, port):
        self.url = "http://127.0.0.1:%d" % port
        self._log = folder / "log"
        (folder / "users").write_text("fleet:%s\n" % HASH)
        systems = [
            {"uuid": uuid, "name": name, "power_state": "On", "external_notifier": False, "nics": []}
            for uuid, name in ((WEB1, "web1"), (WEB2, "web2"))
        ]
        settings = {
            "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_FAKE_SYSTEMS": systems,
            "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1",
            "SUSHY_EMULATOR_LISTEN_PORT": port,
            "SUSHY_EMULATOR_AUTH_FILE": str(folder / "users"),
            "SUSHY_EMULATOR_STATE_DIR": str(folder),
        }
        configuration = folder / "emulator.conf"
        configuration.write_text("".join("%s = %r\n" % setting for setting in settings.items()))
        service([str(EMULATOR), "--config", str(configuration)], port)

    def resets(self):
        """The requests for a reset that it has accepted."""
        return [
            line for line in self._log.read_text().splitlines() if "ComputerSystem.Reset" in line and " 204 " in line
        ]

    def power(self, uuid):
        credentials = base64.b64encode(b"fleet:" + PASSWORD.encode()).decode()
        request = urllib.request.Request(
            "%s/redfish/v1/Systems/%s" % (self.url, uuid), headers={"Authorization": "Basic " + credentials}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["PowerState"]


@pytest.fixture(scope="module")
def emulator(folder, service, free_port):
    return Emulator(folder, service, free_port())


@pytest.fixture
def rescue(hooks, emulator):
    def add_host(name, **inputs):
        usual = {"url": emulator.url, "user": "fleet", "password": PASSWORD, "system": WEB1}
        hooks.add_host(name, **{"fast_reboot_redfish_" + key: value for key, value in {**usual, **inputs}.items()})

    hooks.add = add_host
    return hooks


def test_the_reset_arrives_at_the_one_system(rescue, emulator):
    rescue.add("web1")
    run = rescue.run("redfish_power_cycle.yml", arguments=["-vvv"])
    assert run.rc == 0
    (reset,) = emulator.resets()
    assert "/redfish/v1/Systems/%s/Actions/ComputerSystem.Reset" % WEB1 in reset
    assert "has accepted ForceRestart for /redfish/v1/Systems/%s" % WEB1 in run.output
    assert emulator.power(WEB2) == "On"
    assert PASSWORD not in run.output
    assert base64.b64encode(b"fleet:" + PASSWORD.encode()).decode() not in run.output


# One run for all of them, each a host of its own.
MISTAKES = [
    ({"url": ""}, "fast_reboot_redfish_url has to be the address of the BMC of mistake0"),
    ({"url": "https://fleet:secret@bmc"}, "without a path, a user or a password"),
    ({"password": ""}, "go together"),
    ({"password": "wrong"}, "HTTP status 401; see fast_reboot_redfish_user"),
    ({"system": ""}, "set fast_reboot_redfish_system to the last part of the one that is mistake4"),
    ({"system": "1111"}, "manages the systems /redfish/v1/Systems/" + WEB1),
    ({"url": "http://127.0.0.1:9"}, "Connection refused"),
]


def test_errors_are_sentences_and_reset_nothing(rescue, emulator):
    before = emulator.resets()
    for number, (inputs, _sentence) in enumerate(MISTAKES):
        rescue.add("mistake%d" % number, **inputs)
    run = rescue.run("redfish_power_cycle.yml", hosts="mistake*")
    told = {task.host: str(task.result) for task in run.tasks if task.status == "failed"}
    for number, (_inputs, sentence) in enumerate(MISTAKES):
        assert sentence in told["mistake%d" % number]
    assert emulator.resets() == before


class Bmc(http.server.BaseHTTPRequestHandler):
    """A BMC as small as can be, for what the emulator does not have."""

    def do_GET(self):
        server = self.server
        self._answer(
            {
                "/redfish/v1/Systems": {"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]},
                "/redfish/v1/Systems/1": {
                    "PowerState": server.power,
                    "Actions": {"#ComputerSystem.Reset": {"target": "/reset", **server.offers}},
                },
                "/info": {"Parameters": [{"Name": "ResetType", "AllowableValues": ["PowerCycle", "On"]}]},
            }[self.path]
        )

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["ResetType"]
        self.server.resets.append(asked)
        if asked == "ForceOff" and not self.server.stuck:
            self.server.power = "Off"
        self._answer({})

    def _answer(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


# What it offers, its power, whether it stays on in spite of ForceOff; what is asked of it then, and what is said.
KINDS = [
    ("ForceOff On ForceRestart PowerCycle", "On", False, ["PowerCycle"], "has accepted PowerCycle for"),
    ("@info", "On", False, ["PowerCycle"], "has accepted PowerCycle for"),
    ("ForceOff On", "On", False, ["ForceOff", "On"], "has accepted ForceOff, then On for"),
    ("ForceOff On", "On", True, ["ForceOff"], "did not switch the power off within 2 seconds"),
    ("PowerCycle On", "Off", False, ["On"], "has accepted On for"),
    ("GracefulRestart Nmi", "On", False, [], "its kinds of reset are GracefulRestart, Nmi. Cycle it by hand"),
    ("", "On", False, [], "its kinds of reset are none at all"),
]


def test_the_kind_of_reset_is_one_that_the_bmc_offers(rescue):
    with contextlib.ExitStack() as stack:
        servers = []
        for number, (offers, power, stuck, _resets, _said) in enumerate(KINDS):
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bmc)
            server.power, server.stuck, server.resets = power, stuck, []
            server.offers = {"ResetType@Redfish.AllowableValues": offers.split()} if offers else {}
            if offers == "@info":
                server.offers = {"@Redfish.ActionInfo": "/info"}
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            servers.append(server)
            rescue.add("kind%d" % number, url="http://127.0.0.1:%d" % server.server_port, system="", timeout="2")
        run = rescue.run("redfish_power_cycle.yml", hosts="kind*")
    assert [server.resets for server in servers] == [resets for _offers, _power, _stuck, resets, _said in KINDS]
    for number, (_offers, _power, _stuck, _resets, said) in enumerate(KINDS):
        assert any(said in str(task.result) for task in run.tasks if task.host == "kind%d" % number)
