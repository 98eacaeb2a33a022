# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import time

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import BadCheck, Tls, UrlCheck, WebAnswer
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.web import (
    start_connection,
    start_request,
    tls_context,
)
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.health.web_servers import (
    Server,
    make_certificate,
    server_context,
)

PATIENCE = 60.0
"""Seconds for what takes milliseconds on a machine that has nothing else to do."""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve():
    servers = []

    def start(context=None):
        servers.append(Server(context))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ask(server, path, seconds=PATIENCE, **options):
    check = UrlCheck("url", seconds, server.base + path, from_host=False, **options)
    call = start_request(check, seconds)
    answer = call.wait(PATIENCE)
    call.end()
    assert not call.is_alive()
    return answer


def test_the_answer_is_read_whatever_its_status(serve):
    server = serve()
    assert ask(server, "/200") == WebAnswer(200, '{"status": "green"}')
    assert ask(server, "/503") == WebAnswer(503, '{"status": "green"}')
    server.content = "gr\u00fcn"
    assert ask(server, "/200").body == "gr\u00fcn"


def test_the_request_is_sent_as_asked(serve):
    server = serve()
    ask(server, "/echo?a=b", method="POST", headers={"X-Key": "k"}, body="hello")
    (method, path, headers, content) = server.requests[0]
    assert (method, path, headers["X-Key"], content) == ("POST", "/echo?a=b", "k", "hello")


def test_several_at_a_time_keep_their_options_apart(serve, tmp_path):
    """That is what open_url does not do."""
    certificate, key = make_certificate(tmp_path, "server")
    server = serve(server_context(certificate, key))
    strict, lax = Tls(), Tls(validate_certs=False)
    checks = [UrlCheck("u", PATIENCE, server.base + "/200", False, tls=tls) for tls in (strict, lax) * 10]
    answers = [call.wait(PATIENCE) for call in [start_request(check, PATIENCE) for check in checks]]
    assert [answer.status for answer in answers] == [None, 200] * 10


@pytest.mark.parametrize(
    ("path", "seconds", "error"),
    [
        ("/hang", 0.3, "there was no answer within 0.3 s"),
        ("/drip-content", 0.3, "there was no answer within 0.3 s"),
        ("/big", PATIENCE, "the answer is longer than 1 MiB"),
        ("/close", PATIENCE, "the server closed the connection without an answer"),
    ],
)
def test_a_server_that_misbehaves_is_told_of(serve, path, seconds, error):
    assert ask(serve(), path, seconds).error == error


def test_a_server_that_drips_its_head_can_be_given_up(serve):
    """Each byte comes within the socket's timeout, so only an end from outside helps."""
    server = serve()
    call = start_request(UrlCheck("u", PATIENCE, server.base + "/drip", False), PATIENCE)
    while not server.requests:
        time.sleep(0.01)
    assert call.wait(0.3) is None
    call.end()
    assert not call.is_alive()


def test_nobody_listens(serve):
    server = serve()
    server.stop()
    assert ask(server, "/200") == WebAnswer(None, error="Connection refused")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed_for_questions_only(serve, code):
    server = serve()
    there = "/to/%d/503" % code
    assert ask(server, there).status == 503
    assert ask(server, there, follow_redirects=False).status == code
    assert ask(server, there, method="POST", body="x").status == code


def test_credentials_stay_with_their_server(serve):
    server, other = serve(), serve()
    server.elsewhere = other.base + "/200"
    secret = {"Authorization": "Basic eDp5", "Cookie": "a=b", "X-Kind": "check"}
    assert ask(server, "/elsewhere", headers=secret).status == 200
    assert "Authorization" in server.requests[0][2]
    (_method, _path, headers, _content) = other.requests[0]
    assert headers["X-Kind"] == "check"
    assert not {"Authorization", "Cookie"} & set(headers)
    ask(server, "/to/302/200", headers=secret)
    assert server.requests[-1][2]["Authorization"] == "Basic eDp5"


def test_a_proxy_of_the_environment_is_used(serve, monkeypatch):
    proxy = serve()
    monkeypatch.setenv("http_proxy", proxy.base)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    check = UrlCheck("u", PATIENCE, "http://web1.invalid/health", False)
    assert start_request(check, PATIENCE).wait(PATIENCE).status == 200
    assert proxy.requests[0][1] == "http://web1.invalid/health"


# TLS


def test_certificates_are_checked_as_asked(serve, tmp_path):
    certificate, key = make_certificate(tmp_path, "server")
    server = serve(server_context(certificate, key))
    assert ask(server, "/200").error == "the server's certificate is not accepted: self-signed certificate"
    assert ask(server, "/200", tls=Tls(ca_path=certificate)).status == 200
    assert ask(server, "/200", tls=Tls(validate_certs=False)).status == 200


def test_a_client_certificate_is_shown(serve, tmp_path):
    certificate, key = make_certificate(tmp_path, "server")
    ours = make_certificate(tmp_path, "client")
    server = serve(server_context(certificate, key, clients=ours[0]))
    assert ask(server, "/200", tls=Tls(ca_path=certificate)).status is None
    assert ask(server, "/200", tls=Tls(True, certificate, *ours)).status == 200


def test_files_that_cannot_be_used_are_told_of(tmp_path):
    certificate, key = make_certificate(tmp_path, "client")
    _other, locked = make_certificate(tmp_path, "locked", b"passphrase")
    table = [
        (Tls(ca_path="/nowhere.pem"), "ca_path /nowhere.pem cannot be used: No such file or directory"),
        (Tls(ca_path=key), "ca_path %s cannot be used: " % key),
        (Tls(client_cert="/nowhere.pem"), "client_cert /nowhere.pem cannot be used: No such file"),
        (Tls(client_cert=certificate), "client_cert %s cannot be used: " % certificate),
        (Tls(client_cert=certificate, client_key=locked), "with client_key %s cannot be used: " % locked),
    ]
    for tls, sentence in table:
        with pytest.raises(BadCheck) as raised:
            tls_context(tls)
        assert sentence in str(raised.value)


# Ports


def test_a_port_accepts_or_says_why_not():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert start_connection("127.0.0.1", port, PATIENCE).wait(PATIENCE) == ""
    assert start_connection("127.0.0.1", port, PATIENCE).wait(PATIENCE) == "Connection refused"
