# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How version numbers compare: for GRUB, for systemd-boot, and for the choice of the newest kernel. Pure.

Every comparison returns a number below, equal to or above 0, for ``functools.cmp_to_key``.
"""

import re
from typing import Any, Optional, Sequence, Tuple

_RPM_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+|~|\+")


def _sign(first: Any, second: Any) -> int:
    return int(first > second) - int(first < second)


def _compare_numbers(first: str, second: str) -> int:
    """Digits of any length, without int(), which refuses thousands of them."""
    first, second = first.lstrip("0"), second.lstrip("0")
    return _sign((len(first), first), (len(second), second))


def compare_like_rpm(first: str, second: str) -> int:
    """As vercmp in Red Hat's grub-core/commands/blscfg.c, which is rpm's without ``^`` and with ``+``.

    ``~`` sorts before everything, even the end; ``+`` sorts before everything but the end.
    """
    left, right = _RPM_SEGMENT.findall(first), _RPM_SEGMENT.findall(second)
    for one, two in zip(left, right):
        if "~" in (one, two) or "+" in (one, two):
            mark = "~" if "~" in (one, two) else "+"
            if one == two:
                continue
            return -1 if one == mark else 1
        if one.isdigit() != two.isdigit():
            return 1 if one.isdigit() else -1
        order = _compare_numbers(one, two) if one.isdigit() else _sign(one, two)
        if order:
            return order
    rest = left[len(right) :] or right[len(left) :]
    if not rest:
        return 0
    longer = _sign(len(left), len(right))
    return -longer if rest[0] == "~" else longer


def compare_blscfg(first: str, second: str) -> int:
    """bls_cmp in Red Hat's blscfg.c, for the names of entry files without their suffix.

    The name is cut at its last two dashes like that of a package: machine id, version, release.
    """
    for one, two in zip(_package(first), _package(second)):
        order = compare_like_rpm(one, two)
        if order:
            return order
    return 0


def _package(name: str) -> Tuple[str, str, str]:
    parts = name.rsplit("-", 2) + ["", ""]
    return parts[0], parts[1], parts[2]


def compare_like_systemd(first: str, second: str) -> int:
    """strverscmp_improved of systemd, the comparison of the UAPI group's specification 10."""
    left, right = _VersionText(first), _VersionText(second)
    while True:
        for mark in "~", "", "-", "^", ".":
            if mark:
                order = left.skip(mark) - right.skip(mark)
                if order:
                    return -order
            elif left.at_end() or right.at_end():
                return _sign(not left.at_end(), not right.at_end())
        order = _compare_segments(left, right)
        if order:
            return order


def _compare_segments(left: "_VersionText", right: "_VersionText") -> int:
    one, two = left.take_digits(), right.take_digits()
    if one or two:
        return _sign(bool(one), bool(two)) or _compare_numbers(one, two)
    return _sign(left.take_letters(), right.take_letters())


class _VersionText:
    """A version string and how far it was compared."""

    _DIGITS = re.compile(r"[0-9]*")
    _LETTERS = re.compile(r"[A-Za-z]*")

    def __init__(self, text: str) -> None:
        # What is none of these only separates; a NUL keeps two segments apart.
        self._text = re.sub(r"[^0-9A-Za-z~^.-]+", "\0", text)
        self._position = 0

    def _skip_separators(self) -> None:
        while self._text.startswith("\0", self._position):
            self._position += 1

    def at_end(self) -> bool:
        self._skip_separators()
        return self._position >= len(self._text)

    def skip(self, mark: str) -> int:
        """1 where *mark* was next, and has been skipped."""
        if mark == "~":
            self._skip_separators()  # strverscmp_improved does it only before this test.
        found = self._text.startswith(mark, self._position)
        self._position += found
        return int(found)

    def take_digits(self) -> str:
        return self._take(self._DIGITS)

    def take_letters(self) -> str:
        return self._take(self._LETTERS)

    def _take(self, pattern: "re.Pattern[str]") -> str:
        match = pattern.match(self._text, self._position)
        if match is None:
            return ""
        self._position = match.end()
        return match.group()


_CANDIDATE = re.compile(r"[-.]rc(?=[0-9])")


def compare_releases(first: str, second: str) -> int:
    """For kernel releases (``uname -r``): like rpm, but a release candidate is older than its release."""
    return compare_like_rpm(_CANDIDATE.sub("~rc", first), _CANDIDATE.sub("~rc", second))


# Words of a release that tell no flavour: architectures, the distribution it was built for, stages of development.
_ARCHITECTURES = "x86_64 amd64 aarch64 arm64 i[3-6]86 686 ppc64(?:le|el)? riscv64 s390x armv[67]h?l loong(?:arch)?64"
_NO_FLAVOUR = re.compile(
    r"(?:\b|_)(?:%s)(?:\b|_)" % _ARCHITECTURES.replace(" ", "|")
    + r"|\b(?:el|fc|deb|bpo|amzn|ol)(?=[0-9])|rc(?=[0-9])|git[0-9a-f]*|\bg[0-9a-f]{7,}\b"
)
_FLAVOUR_WORD = re.compile(r"(?<![0-9])(?:16|64)k(?![a-z])|[a-z]+")


def flavour(release: str) -> Tuple[str, ...]:
    """The words of a kernel release that tell which build it is: uek, cloud, rt, debug, generic, 64k.

    Whatever word is not known to say something else counts, so that two kernels of one flavour never differ in more
    than numbers.
    """
    return tuple(sorted(set(_FLAVOUR_WORD.findall(_NO_FLAVOUR.sub("-", release.lower())))))


def newest(releases: Sequence[Optional[str]], like: str) -> Optional[int]:
    """The index of the highest release of the flavour of *like*; of equal ones the first. None where there is none."""
    best: Optional[int] = None
    for index, release in enumerate(releases):
        if release is None or flavour(release) != flavour(like):
            continue
        if best is None or compare_releases(release, str(releases[best])) > 0:
            best = index
    return best
