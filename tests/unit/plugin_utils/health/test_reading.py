# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import (
    BadCheck,
    CommandCheck,
    FailedUnitsCheck,
    PortCheck,
    Tls,
    UnitCheck,
    UrlCheck,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.reading import read_checks
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.terms import Terms
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.health.web_servers import make_certificate

URL = "http://web1/health"


def read(**check):
    (found,) = read_checks([check])
    return found


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ({"url": URL}, UrlCheck("url " + URL, 5.0, URL, from_host=False)),
        ({"url": "https://web1"}, UrlCheck("url https://web1/", 5.0, "https://web1/", from_host=False)),
        ({"url": URL, "from": "host"}, UrlCheck("url %s, from the host" % URL, 5.0, URL, from_host=True)),
        (
            {"url": URL + "?token=x#y", "status": "200,204", "method": "post", "timeout": "2"},
            UrlCheck("url %s?…" % URL, 2.0, URL + "?token=x", False, method="POST", statuses=(200, 204)),
        ),
        (
            {"url": URL, "body": {"a": 1}, "validate_certs": "no", "follow_redirects": False},
            UrlCheck(
                name="url " + URL,
                timeout=5.0,
                url=URL,
                from_host=False,
                headers={"Content-Type": "application/json"},
                body='{"a": 1}',
                tls=Tls(validate_certs=False),
                follow_redirects=False,
            ),
        ),
        ({"port": "443"}, PortCheck("port 443", 5.0, 443, from_host=False)),
        ({"port": 1, "host": "db"}, PortCheck("port 1 on db", 5.0, 1, from_host=False, host="db")),
        ({"port": 1, "from": "host"}, PortCheck("port 1, from the host", 5.0, 1, from_host=True)),
        ({"command": "test -e '/a b'"}, CommandCheck("command test -e '/a b'", 5.0, ("test", "-e", "/a b"))),
        ({"command": ["sleep", 1], "rc": "3"}, CommandCheck("command sleep 1", 5.0, ("sleep", "1"), 3)),
        ({"command": ["echo", "|"], "name": "pipe"}, CommandCheck("pipe", 5.0, ("echo", "|"))),
        ({"unit": "getty@tty1.service"}, UnitCheck("unit getty@tty1.service", 5.0, "getty@tty1.service")),
        ({"no_new_failed_units": "true"}, FailedUnitsCheck("no_new_failed_units", 5.0)),
        # What is empty was not given.
        ({"unit": "a", "url": "", "rc": None, "name": " "}, UnitCheck("unit a", 5.0, "a")),
    ],
)
def test_what_is_given_arrives(check, found):
    assert read(**check) == found


def test_a_list_may_be_text():
    checks = [{"unit": "nginx"}, {"port": 443}]
    assert read_checks(json.dumps(checks)) == read_checks(checks) == read_checks("- unit: nginx\n- port: 443\n")


@pytest.mark.parametrize(
    "check",
    [
        {"url": "http://me:pass%3Aword@web1/"},
        {"url": "http://web1/", "url_username": "me", "url_password": "pass:word"},
    ],
)
def test_a_user_is_sent_in_a_header_and_not_in_the_url(check):
    found = read(**check)
    assert (found.url, found.name) == ("http://web1/", "url http://web1/")
    assert found.headers == {"Authorization": "Basic bWU6cGFzczp3b3Jk"}


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ({}, "exactly one of url, command, port, unit, no_new_failed_units must be given, not none"),
        ({"unit": ""}, "must be given, not none"),
        ({"url": URL, "unit": "a"}, "must be given, not url and unit"),
        ({"unit": "a", "rc": 1}, "rc does not go with unit"),
        ({"command": "true", "expect": "a"}, "expect does not go with command"),
        ({"unit": "a", "untli": 1}, "Unsupported parameters: untli"),
        ({"unit": "a", "timeout": 0}, "timeout is 0; it must be more than 0 seconds"),
        ({"unit": "a", "timeout": "nan"}, "timeout is nan; it must be more than 0 seconds"),
        ({"unit": "a", "timeout": "soon"}, "cannot be converted to a float"),
        ({"unit": "a b"}, "unit is 'a b', which is no name of a systemd unit"),
        ({"unit": "-H evil"}, "no name of a systemd unit"),
        ({"unit": True}, "unit is true"),
        ({"port": 0}, "port is 0; it must be 1 to 65535"),
        ({"port": 65536}, "port is 65536; it must be 1 to 65535"),
        ({"port": True}, "port is true"),
        ({"port": "ssh"}, "cannot be converted to an int"),
        ({"port": 1, "host": "a/b"}, "host is 'a/b', which is neither a name nor an address"),
        ({"port": 1, "from": "moon"}, "value of from must be one of: controller, host, got: moon"),
        ({"command": []}, "command names no program"),
        ({"command": {"a": 1}}, "command must be text or a list of words"),
        ({"command": [["a"]]}, "command must be text or a list of words"),
        ({"command": "echo 'a"}, "command cannot be split into words: no closing quotation"),
        ({"command": "dmesg | grep x"}, "command has '|' in it, and no shell reads it; write [sh, -c, '...']"),
        ({"no_new_failed_units": False}, "no_new_failed_units is false; leave the check out"),
        ({"url": "web1/health"}, "url names no host"),
        ({"url": "ftp://web1/"}, "url must begin with http:// or https://"),
        ({"url": "http:///x"}, "url names no host"),
        ({"url": "http://web1:99999/"}, "or no port that there is"),
        ({"url": "http://web1:x/"}, "or no port that there is"),
        ({"url": "http://[::1/"}, "url names no host"),
        ({"url": "http://web1/a b"}, "url has a blank, or a character that is not ASCII"),
        ({"url": "http://web1/ä"}, "url has a blank, or a character that is not ASCII"),
        ({"url": URL, "method": "G T"}, "method is 'G T', which is none of HTTP's"),
        ({"url": URL, "method": "head", "contains": "x"}, "an answer to HEAD has no content"),
        ({"url": URL, "status": 20}, "status is 20; HTTP's are 100 to 599"),
        ({"url": URL, "status": []}, "status is empty"),
        ({"url": URL, "status": "2xx"}, "cannot be converted to an int"),
        ({"url": URL, "expect": "a = b"}, "expect is no JMESPath expression: Unknown token '=', at column 3: = b"),
        ({"url": URL, "headers": {"X-A": ["b"]}}, "headers: the value of X-A is neither text nor a number"),
        ({"url": URL, "headers": {"X-A": "a\nb"}}, "headers: the value of X-A has a character"),
        ({"url": URL, "body": {"a": {1, 2}}}, "body is neither text nor something that JSON has"),
        ({"url": URL, "url_password": "x"}, "url_password needs url_username"),
        ({"url": "http://a@web1/", "url_username": "b"}, "url has a user in it, and url_username or url_password"),
        (
            {"url": "http://a@web1/", "headers": {"authorization": "x"}},
            "a user is given, and the header Authorization too",
        ),
        ({"url": URL, "client_key": "/k"}, "client_key needs client_cert"),
        ({"url": URL, "ca_path": "/c", "validate_certs": False}, "ca_path is of no use with validate_certs: false"),
        ({"url": URL, "ca_path": "/nowhere.pem"}, "ca_path /nowhere.pem cannot be used: No such file or directory"),
    ],
)
def test_a_bad_check_is_told_of_with_its_place(check, sentence):
    with pytest.raises(BadCheck) as raised:
        read_checks([{"unit": "fine"}, check])
    assert str(raised.value).startswith("check 2 of 2: ")
    assert sentence in str(raised.value)


def test_a_name_tells_the_place_too():
    with pytest.raises(BadCheck, match=r"check 1 of 1 \(the lot\): port is 0"):
        read(name="the lot", port=0)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([], "checks is empty; nothing would be awaited"),
        ("", "checks is empty"),
        ({"unit": "a"}, "checks must be a list of checks"),
        ("nginx", "checks must be a list of checks"),
        (7, "checks must be a list of checks"),
        ("[{unit: a", "checks is text, and no YAML: expected ',' or '}', but got '<stream end>', at line 1, column 10"),
        ("- \0", "checks is text, and no YAML: it has characters that YAML does not allow"),
        (["nginx"], "check 1 of 1: it must have a key such as url, command, port or unit"),
    ],
)
def test_what_is_no_list_of_checks_is_told(value, sentence):
    with pytest.raises(BadCheck) as raised:
        read_checks(value)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    "check",
    [
        {"url": "http://me:hunter2@web1/ x"},
        {"url": "http://me:hunter2@:x/"},
        {"url": "http://me:hunter2@web1/", "url_password": "y"},
        {"url": URL, "headers": {"Authorization: Bearer hunter2": ""}},
        {"url": URL, "headers": {"Authorization": "hunter2\n"}, "expect": "("},
        {"url": URL, "headers": "Authorization: Bearer hunter2"},
        {"url": URL, "headers": {"Authorization": ["hunter2"]}},
        {"url": URL, "url_password": "hunter2"},
    ],
)
def test_an_error_tells_no_secret(check):
    with pytest.raises(BadCheck) as raised:
        read_checks([check])
    assert "hunter2" not in str(raised.value)


def test_files_for_the_host_are_not_looked_for_here(tmp_path):
    assert read(**{"url": URL, "from": "host", "ca_path": "/there.pem"}).tls.ca_path == "/there.pem"
    certificate, key = make_certificate(tmp_path, "client")
    assert read(url=URL, client_cert=certificate, client_key=key).tls == Tls(True, None, certificate, key)


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({"timeout": 0}, "timeout is 0; it must be more than 0 seconds"),
        ({"timeout": float("inf")}, "timeout is inf; it must be more than 0 seconds"),
        ({"interval": 0}, "interval is 0; it must be 0.1 seconds or more"),
        ({"interval": float("nan")}, "interval is nan"),
        ({"consecutive": 0}, "consecutive is 0; it must be 1 or more"),
        (
            {"consecutive": 5, "interval": 10, "timeout": 40},
            "5 looks in a row, one every 10 s, do not fit into a timeout of 40 s",
        ),
    ],
)
def test_terms_that_cannot_be_meant_are_told(terms, sentence):
    with pytest.raises(BadCheck) as raised:
        Terms((UnitCheck("a", 5.0, "a"),), **terms)
    assert sentence in str(raised.value)
