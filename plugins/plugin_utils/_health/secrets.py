# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be shown, and text without it. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import Check, UrlCheck

MASK = "********"

# What these headers say is no secret, and masking it would make answers hard to read.
_HARMLESS = ("accept", "accept-language", "cache-control", "connection", "content-type", "host", "user-agent")
# Of a query, the values that are secret by their names. Others, such as a host's name, belong into answers.
_SECRET = re.compile(r"token|key|secret|sig|pass|auth|credential", re.IGNORECASE)


def basic_authorization(user: str, password: str) -> str:
    """The value of the header, RFC 7617."""
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


def shown_url(url: str) -> str:
    """The URL as it may be shown: queries are often signed, or hold a token."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, address, parts.path, "…" if parts.query else "", ""))


def secrets_of(checks: Iterable[Check]) -> tuple[str, ...]:
    """What must not be shown of these checks; the longest first, so that no rest of it stays."""
    found: set[str] = set()
    for check in checks:
        if isinstance(check, UrlCheck):
            query = urlsplit(check.url).query
            found |= {query, *_of_headers(check.headers)}
            found |= {value for name, value in parse_qsl(query) if _SECRET.search(name)}
    return tuple(sorted(filter(None, found), key=len, reverse=True))


def _of_headers(headers: Mapping[str, str]) -> set[str]:
    """The values, and without the scheme that RFC 9110 puts before credentials; a password by itself too."""
    found: set[str] = set()
    for name, value in headers.items():
        if name.lower() in _HARMLESS:
            continue
        scheme, _blank, rest = value.partition(" ")
        found |= {value.strip(), rest.strip()}
        if scheme.lower() == "basic":
            found.add(_password(rest))
    return found


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without them."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
