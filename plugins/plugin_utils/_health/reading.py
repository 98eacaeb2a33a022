# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks as people give them, read and refused before anything is asked. Pure, but for the files that TLS needs."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import (
    BadCheck,
    Check,
    CommandCheck,
    FailedUnitsCheck,
    PortCheck,
    Tls,
    UnitCheck,
    UrlCheck,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.expression import BadExpression, read_expression
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.secrets import basic_authorization, shown_url
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.web import tls_context

CHECK_SPEC: Mapping[str, Any] = {
    "name": {"type": "str"},
    "timeout": {"type": "float", "default": 5.0},
    "url": {"type": "str"},
    "method": {"type": "str", "default": "GET"},
    "headers": {"type": "dict", "default": {}},
    "body": {"type": "raw"},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "expect": {"type": "str"},
    "contains": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "str"},
    "client_cert": {"type": "str"},
    "client_key": {"type": "str"},
    "follow_redirects": {"type": "bool", "default": True},
    "url_username": {"type": "str"},
    "url_password": {"type": "str"},
    "command": {"type": "raw"},
    "rc": {"type": "int", "default": 0},
    "port": {"type": "int"},
    "host": {"type": "str"},
    "from": {"type": "str", "choices": ["controller", "host"], "default": "controller"},
    "unit": {"type": "str"},
    "no_new_failed_units": {"type": "bool"},
}

# The kinds of checks, with the options that go with each.
_KINDS = {
    "url": (
        "from method headers body status expect contains follow_redirects "
        "validate_certs ca_path client_cert client_key url_username url_password"
    ).split(),
    "command": ["rc"],
    "port": ["host", "from"],
    "unit": [],
    "no_new_failed_units": [],
}
_COMMON = ["name", "timeout"]

# RFC 9110, 5.6.2: what a method and a header's name are made of.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# systemd.unit(5): unit names, with the escapes of their instances.
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*")
_SHELL_WORDS = ("|", "||", "&&", "&", ";", ">", ">>", "<", "2>&1")


def read_checks(value: Any) -> tuple[Check, ...]:
    """The checks of a list, or of its YAML or JSON as text. Raises BadCheck, which tells which one is meant."""
    given = _as_list(value)
    if not given:
        raise BadCheck("checks is empty; nothing would be awaited")
    checks = []
    for number, check in enumerate(given, 1):
        try:
            checks.append(_read(check))
        except BadCheck as error:
            name = check.get("name") if isinstance(check, Mapping) else None
            which = "check %d of %d" % (number, len(given)) + (" (%s)" % name if name else "")
            raise BadCheck("%s: %s" % (which, error))
    return tuple(checks)


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, str):
        try:
            value = yaml.safe_load(value)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = ", at line %d, column %d" % (mark.line + 1, mark.column + 1) if mark else ""
            raise BadCheck("checks is text, and no YAML: %s%s" % (error.problem, where))
        except yaml.YAMLError:
            raise BadCheck("checks is text, and no YAML: it has characters that YAML does not allow")
    if value is None:
        return []
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise BadCheck("checks must be a list of checks, such as [{url: 'http://localhost/health'}]")
    return list(value)


def _read(check: Any) -> Check:
    if not isinstance(check, Mapping):
        raise BadCheck("it must have a key such as url, command, port or unit")
    given = {name: value for name, value in check.items() if not _is_blank(value)}
    kinds = [kind for kind in _KINDS if kind in given]
    if len(kinds) != 1:
        raise BadCheck(
            "exactly one of %s must be given, not %s" % (", ".join(_KINDS), " and ".join(kinds) if kinds else "none")
        )
    (kind,) = kinds
    for name, value in given.items():
        if name in CHECK_SPEC and name not in [kind, *_KINDS[kind], *_COMMON]:
            raise BadCheck("%s does not go with %s" % (name, kind))
        # ansible-core would take true for 1, and for the text True.
        if isinstance(value, bool) and CHECK_SPEC.get(name, {}).get("type") in ("int", "float", "str"):
            raise BadCheck("%s is %s" % (name, str(value).lower()))
    try:
        arguments = validated(CHECK_SPEC, given)
    except AnsibleActionFail as error:
        raise BadCheck(str(error))
    if not math.isfinite(arguments["timeout"]) or arguments["timeout"] <= 0:
        raise BadCheck("timeout is %g; it must be more than 0 seconds" % arguments["timeout"])
    return _READERS[kind](arguments)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _seen_from(arguments: Mapping[str, Any]) -> str:
    return ", from the host" if arguments["from"] == "host" else ""


# url


def _read_url(arguments: Mapping[str, Any]) -> UrlCheck:
    parts = _split(arguments["url"].strip())
    method = arguments["method"].strip().upper()
    if not _TOKEN.fullmatch(method):
        raise BadCheck("method is %r, which is none of HTTP's" % method)
    if method == "HEAD" and (arguments["expect"] or arguments["contains"]):
        raise BadCheck("an answer to HEAD has no content; expect and contains need another method")
    headers = _headers(arguments["headers"])
    body = _body(arguments["body"], headers)
    _authorize(arguments, parts, headers)
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], path=parts.path or "/", fragment=""))
    return UrlCheck(
        name=arguments["name"] or "url " + shown_url(url) + _seen_from(arguments),
        timeout=arguments["timeout"],
        url=url,
        from_host=arguments["from"] == "host",
        method=method,
        headers=headers,
        body=body,
        statuses=_statuses(arguments["status"]),
        expect=None if arguments["expect"] is None else _expression(arguments["expect"]),
        contains=arguments["contains"],
        tls=_tls(arguments),
        follow_redirects=arguments["follow_redirects"],
    )


def _split(url: str) -> SplitResult:
    """The errors do not repeat the URL, in which there may be a password."""
    if re.search(r"[^\x21-\x7e]", url):
        raise BadCheck("url has a blank, or a character that is not ASCII; write it percent-encoded")
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise BadCheck("url names no host, or no port that there is")
    if parts.scheme not in ("http", "https"):
        raise BadCheck("url must begin with http:// or https://")
    return parts


def _statuses(given: Sequence[int]) -> tuple[int, ...]:
    for status in given:
        if not 100 <= status <= 599:
            raise BadCheck("status is %d; HTTP's are 100 to 599" % status)
    if not given:
        raise BadCheck("status is empty; leave it out, or name what is right")
    return tuple(given)


def _expression(text: str) -> Any:
    try:
        return read_expression(text)
    except BadExpression as error:
        raise BadCheck("expect is no JMESPath expression: %s" % error)


def _headers(given: Mapping[Any, Any]) -> dict[str, str]:
    """The errors do not repeat what is wrong: it may be a secret in the wrong place."""
    headers: dict[str, str] = {}
    for number, (name, value) in enumerate(given.items(), 1):
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise BadCheck("headers: what stands in place %d is no header's name" % number)
        if not isinstance(value, str | int | float):
            raise BadCheck("headers: the value of %s is neither text nor a number" % name)
        text = str(value).strip()
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]", text):
            raise BadCheck("headers: the value of %s has a character that no header may have" % name)
        headers[name] = text
    return headers


def _body(given: Any, headers: dict[str, str]) -> str | None:
    if given is None or isinstance(given, str):
        return given
    try:
        text = json.dumps(given)
    except (TypeError, ValueError):
        raise BadCheck("body is neither text nor something that JSON has")
    if "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = "application/json"
    return text


def _authorize(arguments: Mapping[str, Any], parts: SplitResult, headers: dict[str, str]) -> None:
    user, password = arguments["url_username"], arguments["url_password"]
    if "@" in parts.netloc:
        if user is not None or password is not None:
            raise BadCheck("url has a user in it, and url_username or url_password is given too")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user is None:
        if password is not None:
            raise BadCheck("url_password needs url_username")
        return
    if "authorization" in map(str.lower, headers):
        raise BadCheck("a user is given, and the header Authorization too")
    headers["Authorization"] = basic_authorization(user, password or "")


def _tls(arguments: Mapping[str, Any]) -> Tls:
    if arguments["client_key"] is not None and arguments["client_cert"] is None:
        raise BadCheck("client_key needs client_cert")
    if arguments["ca_path"] is not None and not arguments["validate_certs"]:
        raise BadCheck("ca_path is of no use with validate_certs: false")
    tls = Tls(arguments["validate_certs"], arguments["ca_path"], arguments["client_cert"], arguments["client_key"])
    if arguments["from"] == "controller" and (tls.ca_path or tls.client_cert):
        tls_context(tls)
    return tls


# The others


def _read_command(arguments: Mapping[str, Any]) -> CommandCheck:
    argv = _words(arguments["command"])
    if not argv or not argv[0].strip() or any("\0" in word for word in argv):
        raise BadCheck("command names no program")
    return CommandCheck(
        arguments["name"] or "command " + shlex.join(argv), arguments["timeout"], tuple(argv), arguments["rc"]
    )


def _words(given: Any) -> list[str]:
    if isinstance(given, str):
        try:
            words = shlex.split(given)
        except ValueError as error:
            raise BadCheck("command cannot be split into words: %s" % str(error).lower())
        for word in words:
            if word in _SHELL_WORDS:
                raise BadCheck(
                    "command has %r in it, and no shell reads it; write [sh, -c, '...'], or a list where it is a word"
                    % word
                )
        return words
    if not isinstance(given, Sequence) or not all(isinstance(word, str | int | float) for word in given):
        raise BadCheck("command must be text or a list of words")
    return [str(word) for word in given]


def _read_port(arguments: Mapping[str, Any]) -> PortCheck:
    port, host = arguments["port"], arguments["host"]
    if not 1 <= port <= 65535:
        raise BadCheck("port is %d; it must be 1 to 65535" % port)
    if host is not None and re.search(r"[\s/@]", host.strip()):
        raise BadCheck("host is %r, which is neither a name nor an address" % host)
    name = arguments["name"] or "port %d" % port + (" on %s" % host if host else "") + _seen_from(arguments)
    return PortCheck(name, arguments["timeout"], port, arguments["from"] == "host", host and host.strip())


def _read_unit(arguments: Mapping[str, Any]) -> UnitCheck:
    unit = arguments["unit"].strip()
    if not _UNIT.fullmatch(unit):
        raise BadCheck("unit is %r, which is no name of a systemd unit" % unit)
    return UnitCheck(arguments["name"] or "unit " + unit, arguments["timeout"], unit)


def _read_failed_units(arguments: Mapping[str, Any]) -> FailedUnitsCheck:
    if not arguments["no_new_failed_units"]:
        raise BadCheck("no_new_failed_units is false; leave the check out")
    return FailedUnitsCheck(arguments["name"] or "no_new_failed_units", arguments["timeout"])


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Check]] = {
    "url": _read_url,
    "command": _read_command,
    "port": _read_port,
    "unit": _read_unit,
    "no_new_failed_units": _read_failed_units,
}
