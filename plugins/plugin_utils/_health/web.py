# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and connections from the control node.

Not by open_url of ansible-core: it makes its opener that of the whole process, so of two requests at a time one may go
out with the TLS options of the other, and nobody can interrupt it.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import socket
import ssl
import time
import urllib.error
import urllib.request
from email.message import Message
from typing import Any, Protocol
from urllib.parse import urlsplit

from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import Call
from ansible_collections.fleetops.kexec.plugins.plugin_utils._health.check import BadCheck, Tls, UrlCheck, WebAnswer

_MOST_BYTES = 1 << 20
_AGENT = "ansible-await_health"

# Credentials are for the server that they were meant for, and not for one that it leads to.
_OF_ONE_SERVER = ("authorization", "cookie")


class _Response(Protocol):
    """A response, or an HTTPError, as far as it is read."""

    headers: Message

    def read1(self, size: int) -> bytes:
        """What has arrived, at most so much; nothing at the end."""


@functools.cache
def tls_context(tls: Tls) -> ssl.SSLContext:
    """Raises BadCheck where a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=_path(tls.ca_path))
    except OSError as error:
        raise BadCheck("ca_path %s cannot be used: %s" % (tls.ca_path, _reason(error)))
    if not tls.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.client_cert is not None:
        try:
            # Without a password, OpenSSL would ask the terminal for that of an encrypted key, and wait.
            context.load_cert_chain(_path(tls.client_cert) or "", _path(tls.client_key), password="-")
        except OSError as error:
            files = " with client_key ".join(filter(None, (tls.client_cert, tls.client_key)))
            raise BadCheck("client_cert %s cannot be used: %s" % (files, _reason(error)))
    return context


def _path(path: str | None) -> str | None:
    return None if path is None else os.path.expanduser(path)


class _Connections(urllib.request.AbstractHTTPHandler):
    """Opens connections, and remembers them, so that they can be closed from outside."""

    def __init__(self, tls: Tls) -> None:
        super().__init__()
        self._tls = tls
        self._opened: list[http.client.HTTPConnection] = []

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """See urllib.request."""
        return self.do_open(self._plain, request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """See urllib.request."""
        return self.do_open(self._secure, request)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def _plain(self, host: str, **options: Any) -> http.client.HTTPConnection:
        self._opened.append(http.client.HTTPConnection(host, **options))
        return self._opened[-1]

    def _secure(self, host: str, **options: Any) -> http.client.HTTPConnection:
        # The context takes time to make, so only where it is needed.
        self._opened.append(http.client.HTTPSConnection(host, context=tls_context(self._tls), **options))
        return self._opened[-1]

    def interrupt(self) -> None:
        """Let whoever waits for an answer fail."""
        for connection in self._opened:
            # Not set before it is connected, and not any more once the answer has begun.
            connected = connection.sock
            if connected is not None:
                with contextlib.suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a question to where its answer is, and nothing that may change something."""

    # Python 3.10 does not know it yet.
    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """See urllib.request."""
        if req.get_method() not in ("GET", "HEAD"):
            return None
        request = super().redirect_request(req, fp, 307 if code == 308 else code, msg, headers, newurl)
        if request is not None and _origin(request.full_url) != _origin(req.full_url):
            for name in [name for name in request.headers if name.lower() in _OF_ONE_SERVER]:
                request.remove_header(name)
        return request


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def start_request(check: UrlCheck, seconds: float) -> Call[WebAnswer]:
    """Ask. :param seconds: that it may take."""
    connections = _Connections(check.tls)
    opener = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler(),
        connections,
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ]
    if check.follow_redirects:
        handlers.append(_Redirects())
    for handler in handlers:
        opener.add_handler(handler)
    return Call(lambda: _fetch(opener, check, seconds), connections.interrupt)


def _fetch(opener: urllib.request.OpenerDirector, check: UrlCheck, seconds: float) -> WebAnswer:
    deadline = time.monotonic() + seconds
    data = None if check.body is None else check.body.encode()
    headers = {"User-Agent": _AGENT, **check.headers}
    request = urllib.request.Request(check.url, data=data, headers=headers, method=check.method)
    status = None
    try:
        try:
            response = opener.open(request, timeout=seconds)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            status = response.code
            return WebAnswer(status, _text(response, deadline))
    except urllib.error.URLError as error:
        return WebAnswer(status, error=_failure(error.reason, seconds))
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        return WebAnswer(status, error=_failure(error, seconds))


def _text(response: _Response, deadline: float) -> str:
    """The whole of it. Raises OSError where that takes too long, or is too long."""
    content = b""
    while chunk := response.read1(65536):
        content += chunk
        if len(content) > _MOST_BYTES:
            raise OSError("the answer is longer than 1 MiB")
        if time.monotonic() > deadline:
            raise TimeoutError
    try:
        return content.decode(response.headers.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def start_connection(host: str, port: int, seconds: float) -> Call[str]:
    """Connect to a port. The answer is why it was not possible, and empty where it was."""
    return Call(lambda: _connect(host, port, seconds))


def _connect(host: str, port: int, seconds: float) -> str:
    try:
        socket.create_connection((host, port), seconds).close()
    except (OSError, UnicodeError) as error:
        return _failure(error, seconds)
    return ""


def _failure(error: BaseException | str, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return "there was no answer within %g s" % round(seconds, 2)
    if isinstance(error, http.client.RemoteDisconnected):
        return "the server closed the connection without an answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate is not accepted: %s" % error.verify_message
    return _reason(error) if isinstance(error, OSError) else "the request failed: %s" % error


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
