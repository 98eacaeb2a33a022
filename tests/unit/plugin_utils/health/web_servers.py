# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server on loopback that answers as it is asked to, also over TLS."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Handler(BaseHTTPRequestHandler):
    """By the path: what is asked, what is sent back, or how it misbehaves."""

    def log_message(self, *_of_a_request):
        """Nobody reads it."""

    def do_GET(self):
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, dict(self.headers), content.decode()))
        path = self.path.partition("?")[0].strip("/")
        if path == "hang":
            self.server.closing.wait(30)
        elif path == "drip":
            self._drip(b"HTTP/1.0 200 OK\r\n")
        elif path == "drip-content":
            self._drip(b"HTTP/1.0 200 OK\r\n\r\n")
        elif path == "big":
            self._answer(200, "x" * (1 << 20) + "xx")
        elif path == "echo":
            self._answer(
                200, json.dumps({"headers": dict(self.headers), "method": self.command, "body": content.decode()})
            )
        elif path.startswith("to/"):
            self._answer(int(path.split("/")[1]), "", Location="/" + path.split("/", 2)[2])
        elif path == "elsewhere":
            self._answer(302, "", Location=self.server.elsewhere)
        elif path.isdigit():
            self._answer(int(path), self.server.content)
        elif path != "close":
            self._answer(200, self.server.content)

    def do_POST(self):
        self.do_GET()

    def _answer(self, status, content, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        data = content.encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _drip(self, start):
        with contextlib.suppress(OSError):
            self.wfile.write(start)
            while not self.server.closing.wait(0.1):
                self.wfile.write(b"x")


class Server(ThreadingHTTPServer):
    """Runs until it is stopped. :param context: for TLS."""

    daemon_threads = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.content, self.elsewhere = [], '{"status": "green"}', ""
        self.closing = threading.Event()
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.base = "%s://127.0.0.1:%d" % ("http" if context is None else "https", self.server_port)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request, client_address):
        """Clients that go away, or do not like the certificate, are part of the tests."""

    def stop(self):
        self.closing.set()
        self.shutdown()
        self.server_close()


def make_certificate(folder, name, passphrase=None):
    """A certificate for 127.0.0.1 that vouches for itself, and its key: two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    files = folder / (name + ".crt"), folder / (name + ".key")
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    return str(files[0]), str(files[1])


def server_context(certificate, key, clients=None):
    """For a server of that certificate. :param clients: the certificate that clients must show; None for none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context
