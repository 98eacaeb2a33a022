# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian archive: where this machine gets it from, and which kernels it has."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import LabError
from .system import run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Names that Debian gives its own releases. A third party's repository may use them as well, so its key, its
# component and its address are looked at too.
_RELEASES = "buster bullseye bookworm trixie forky duke oldoldstable oldstable stable testing unstable sid".split()


class Source(NamedTuple):
    """One line of APT's sources: everything that tells Debian's own entries from others'."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


def parse_deb822(text: str) -> list[Source]:
    """The enabled binary entries of a ``.sources`` file (sources.list(5), pure)."""
    found: list[Source] = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if fields.get("enabled", "yes").lower() in ("no", "false", "0") or "deb" not in fields.get("types", "").split():
            continue
        found += [
            Source(uri, suite, tuple(fields.get("components", "").split()), fields.get("signed-by", ""))
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return found


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] in " \t":
            fields[name] = f"{fields.get(name, '')} {line.strip()}".strip()
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = value.strip()
    return fields


def parse_one_line(text: str) -> list[Source]:
    """The binary entries of a ``.list`` file (sources.list(5), pure)."""
    found: list[Source] = []
    for line in text.splitlines():
        match = re.match(
            r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<rest>[^#]*)", line
        )
        if match:
            signed = re.search(r"signed-by=(\S+)", match["options"] or "")
            found.append(
                Source(match["uri"], match["suite"], tuple(match["rest"].split()), signed[1] if signed else "")
            )
    return found


def is_debian(source: Source) -> bool:
    """Is this entry Debian itself, main or security? (pure)

    Third parties use Debian's release names as suites: they have a key of their own, or another path.
    """
    release = re.split(r"[-/]", source.suite)[0]
    if release not in _RELEASES or "main" not in source.components:
        return False
    if source.signed_by:
        return "debian-archive" in source.signed_by
    path = source.uri.rstrip("/").rsplit("/", 1)[-1]
    return path in ("debian", "debian-security", "security") or source.uri.startswith("mirror+")


def is_security(source: Source) -> bool:
    return "security" in source.suite or source.suite.endswith("/updates")


def debian_sources(entries: Iterable[Source], release: str) -> list[str]:
    """The sources of a Debian release, one line each, from the mirrors that this machine uses (pure).

    The machine itself may run another release: only its mirrors' addresses are taken.

    :raises LabError: where no entry is Debian's own.
    """
    own = [entry for entry in entries if is_debian(entry)]
    main = [entry.uri for entry in own if not is_security(entry)]
    security = [entry.uri for entry in own if is_security(entry)]
    if not main:
        raise LabError(
            "No entry for Debian itself was found in this machine's APT sources (/etc/apt/sources.list and "
            "/etc/apt/sources.list.d). Add one (any release, component main): the lab takes its mirror from there."
        )
    suites = [(main[0], release), (main[0], f"{release}-updates")]
    if security:
        suites.append((security[0], f"{release}-security"))
    return [f"deb [signed-by={KEYRING}] {uri} {suite} main" for uri, suite in suites]


def host_sources(apt: Path = Path("/etc/apt")) -> list[Source]:
    """All entries of this machine's APT sources."""
    found: list[Source] = []
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if path.suffix == ".sources" and path.is_file():
            found += parse_deb822(path.read_text())
        elif path.suffix == ".list" and path.is_file():
            found += parse_one_line(path.read_text())
    return found


def newest_kernels(packages: Iterable[str], series: str, flavour: str, count: int) -> list[str]:
    """The newest kernel releases of a series among package names, oldest first (pure).

    :raises LabError: where the archive has fewer than ``count``.
    """
    pattern = re.compile(rf"linux-image-({re.escape(series)}\.\d+(?:\+[a-z0-9]+)?(?:-\d+)?-{re.escape(flavour)})")
    releases = {match[1] for match in map(pattern.fullmatch, packages) if match}
    if len(releases) < count:
        raise LabError(
            f"The archive has {len(releases)} kernel(s) of the {series} series ({flavour}), and the lab needs {count}."
        )
    return sorted(releases, key=_version)[-count:]


def _version(release: str) -> list[tuple[int, str]]:
    return [(int(number or 0), word) for number, word in re.findall(r"(\d+)|([^\d]+)", release)]


def archive_packages(sources: Sequence[str], pattern: str, folder: Path) -> list[str]:
    """Asks the archive for package names that match, with lists of the lab's own.

    This machine's lists may be absent, old, or another release's.

    :param folder: a scratch folder.
    """
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text("".join(f"{line}\n" for line in sources))
    options = [
        f"Dir::State={folder}",
        f"Dir::Cache={folder}/cache",
        "Dir::State::status=/dev/null",
        f"Dir::Etc::SourceList={folder}/sources.list",
        "Dir::Etc::SourceParts=-",
        "APT::Architecture=amd64",
        "APT::Architectures=amd64",
        "APT::Sandbox::User=",
        "APT::Update::Error-Mode=any",
    ]
    words = [word for option in options for word in ("-o", option)]
    run(["apt-get", *words, "-qq", "update"])
    found = run(["apt-cache", *words, "search", "--names-only", pattern])
    return [line.split()[0] for line in found.splitlines() if line.strip()]
