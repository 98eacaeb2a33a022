# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parsers, each with what its inputs are made of, and with what must hold whatever the input is.

Each may refuse an input by a KexecError that names the file, and the line where there is one. Anything else that it
raises is a defect.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils import _cmdline, _staging
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import (
    bls,
    extlinux,
    grub,
    grub_bls,
    grubby,
    grubenv,
    legacy_grub,
    systemd_boot,
    version_order,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import BootConfig
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.grub_shell import Shell, Surroundings, start
from ansible_collections.fleetops.kexec.plugins.module_utils._kernel_image import check_initrd, read_kernel
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine, shown
from ansible_collections.fleetops.kexec.plugins.module_utils._pe_signature import (
    ALTERED,
    SIGNED,
    UNSIGNED,
    signature_of,
)

from parserfuzz import images
from parserfuzz.mutate import Language
from parserfuzz.trees import Tree, packed, unpacked

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "..", "unit", "fixtures", "boot_loader")

LINE = r"/[^\n]* line [0-9]+"
"""How a refusal names its place."""
WHOLE_FILE = r"/[^\n]* is larger than [0-9]+ bytes"


class Parser(NamedTuple):
    """A parser under test."""

    name: str
    read: Callable[[bytes, Tree], object]
    """Gives it an input; asserts what must hold."""
    language: Language
    refusal: str
    """A regular expression that each refusal fulfils."""
    longest: int
    """Bytes of an input. What a file of the size that its reader just permits costs is a matter of the unit tests."""
    inputs: int
    """How many of the million are for it: the more, the faster it is."""


def refused(parser: Parser, data: bytes, tree: Tree) -> bool:
    """Whether the parser refuses an input, as it may. Raises what it must not."""
    try:
        parser.read(data, tree)
    except KexecError as error:
        sentence = shown(str(error))
    else:
        return False
    json.dumps(sentence)
    assert re.search(parser.refusal, sentence), "a refusal without its place: %s" % sentence
    return True


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _lines(text: str) -> Tuple[bytes, ...]:
    """What stands between blanks, and whole lines."""
    return tuple(word.encode() for word in text.split("\n") if word)


def _words(text: str) -> Tuple[bytes, ...]:
    return tuple(word.encode() for word in text.split(" "))


def _seeds(*names: str) -> Tuple[bytes, ...]:
    return tuple(packed(os.path.join(FIXTURES, name)) for name in names)


def _files(pattern: str) -> Tuple[bytes, ...]:
    """The contents of those files of the fixtures whose path fits."""
    found = []
    for folder, _folders, names in sorted(os.walk(FIXTURES)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if re.search(pattern, path) and os.path.isfile(path):
                with open(path, "rb") as stream:
                    found.append(stream.read())
    return tuple(found)


# Command lines


def _read_cmdline(data: bytes, _tree: Tree) -> None:
    line = _text(data)
    words = _cmdline.split(line)
    assert _cmdline.split(" ".join(words)) == words
    kept = _cmdline.clean(line)
    if _cmdline.has_open_quote(line):
        return
    assert _cmdline.split(" ".join(kept)) == kept
    for panic_seconds in (0, 30):
        staged = _cmdline.staged(kept, "T", panic_seconds)
        assert _cmdline.token_of(staged) == "T"
        assert _cmdline.staged(_cmdline.clean(staged), "T", panic_seconds) == staged
    for pattern in words[:3]:
        assert pattern not in _cmdline.edit(words, remove=[pattern])
    assert _cmdline.edit(words, append=words) == words


CMDLINE = Language(
    (
        b"BOOT_IMAGE=/boot/vmlinuz-6.1.0 root=UUID=581b5d93 ro console=ttyS0,115200n8 panic=30 fleetops.boot=0a1b",
        b'dyndbg="file a.c +p" initrd=\\x initrd=0x100,4096 crashkernel=1G-:256M elfcorehdr=0x1 panic=60 -- single 3',
    ),
    _words('panic=30 fleetops.boot=X -- " initrd=/x BOOT_IMAGE= elfcorehdr= disable_cpu_apicid= " a="b =* panic=')
    + (b" ", b"\v", b"\f", b"\r"),
)

# Versions


def _read_versions(data: bytes, _tree: Tree) -> None:
    first, second, third = (_text(data).split("\n") + ["", "", ""])[:3]
    for compare in (
        version_order.compare_like_rpm,
        version_order.compare_blscfg,
        version_order.compare_like_systemd,
        version_order.compare_releases,
    ):
        assert compare(first, first) == 0
        assert compare(first, second) == -compare(second, first)
    index = version_order.newest([first, None, second, third], third)
    assert index is not None
    assert version_order.flavour((first, "", second, third)[index]) == version_order.flavour(third)


VERSIONS = Language(
    (b"6.1.0-55-cloud-amd64\n6.1.0-56-amd64\n6.1.0-rc1", b"5.15.0-206.153.7.el8uek.x86_64\n5.14.0~rc1^1\n6.6+debug"),
    _words("~ ^ + - . rc -rc .rc 0 00 1 el8 uek x86_64 +debug -cloud -rt git abcdef0 g1234567 _amd64 \n"),
)

# GRUB


def _read_grubenv(data: bytes, _tree: Tree) -> None:
    variables = grubenv.parse(_text(data), "/boot/grub/grubenv")
    assert all("\n" not in name and "\0" not in name + value for name, value in variables.items())


GRUBENV = Language(
    _files(r"/grubenv\Z"), _words("saved_entry= next_entry= # = \\ \\\n \n kernelopts=root=/dev/x a=b\n")
)


class _InMemory(Surroundings):
    """GRUB over the files of an input; the first one is its configuration."""

    def __init__(self, data: bytes) -> None:
        self._files = {"/" + path: _text(content) for path, (content, _link) in unpacked(data).items()}

    def kind(self, path: str, root: str) -> Optional[str]:
        place = _without_device(path)
        if place in self._files:
            return "file" if self._files[place] else "empty"
        return "directory" if any(name.startswith(place.rstrip("/") + "/") for name in self._files) else ""

    def read(self, path: str, root: str) -> Tuple[str, str]:
        place = _without_device(path)
        return self._files.get(place, ""), place

    def environment(self, path: str, root: str) -> Optional[Dict[str, str]]:
        place = _without_device(path)
        return grubenv.parse(self._files[place], place) if self._files.get(place) else {}

    def entry_files(self, folder: str, root: str) -> Optional[Sequence[bls.EntryFile]]:
        names = [name for name in self._files if name.startswith(folder + "/") and name.endswith(bls.SUFFIX)]
        return [bls.parse(self._files[name], name) for name in names] or None


def _without_device(path: str) -> str:
    return re.sub(r"\A\([^)]*\)", "", path)


def _read_grub_script(data: bytes, _tree: Tree) -> None:
    surroundings = _InMemory(data)
    paths = ["/" + path for path in unpacked(data) if path.endswith("grub.cfg")]
    _open_menu(start(surroundings, paths[0] if paths else "/boot/grub/grub.cfg"), grub.MAX_SUBMENUS)


def _open_menu(shell: Shell, depth: int) -> None:
    grub.default_item(shell.menu, shell.environment.values.get("default"))
    for item in shell.menu:
        inner = shell.choose(item)
        if item.submenu and depth:
            _open_menu(inner, depth - 1)
        elif inner.loaded is not None:
            grub.loader_cmdline(inner.loaded.arguments)


SCRIPT_WORDS = _lines(
    "if \n; then \nelse \nelif \nfi \nfor i in \ndo \ndone \nwhile true; \nuntil false; \nfunction f {\nf \n"
    "menuentry x {\n}\n{\nsubmenu 's' --id s {\n; \n&& \n|| \n# \n[ \n]\n! \ntrue \nfalse \nset v=$v$v \n"
    "set default=\nset default=1>2\n$v \n${v}\n$? \n$@ \n$* \n$1 \n$# \n\\$ \nlinux /k \ninitrd /i \nbreak \n"
    "continue 2 \nreturn \nshift \nsetparams a b \neval \nsource /boot/grub/grub.cfg\nconfigfile /boot/grub/grub.cfg\n"
    "search --set=root --fs-uuid x \nload_env \nload_env -f /boot/grub2/grubenv \nblscfg \ninsmod regexp \n"
    "regexp --set=1:v (.*) $v \n( \n) \n-n \n-a \n-o \n= \n-eq \n-pgt \n-lt \nexport v \nunset v \n/a*? \n"
    "0x7fffffffffffffff\n99999999999999999999999999\nfwsetup \nuki \n(hd0,gpt2)\n($root)/k \nchainloader +1\n"
    "while true; do \nsubmenu x { submenu x { \nset x='eval $x'; eval $x\n--id \n--class a \n--source \n"
) + (b"\n", b"\\\n", b"\r", b"'", b'"', b'$"', b"$")
GRUB_SEEDS = _seeds("debian12", "ubuntu2404", "suse-leap", "rhel8", "ol8-uek", "ol7")
GRUB_BRACKETS = (
    (b"if true; then\n", b"\nfi\n"),
    (b"submenu x {\n", b"\n}\n"),
    (b"while true; do\n", b"\ndone\n"),
    (b"test ( ", b" )"),
    (b"for i in a b c d e f g h; do\n", b"\ndone\n"),
    (b"'", b"'"),
    (b'"', b'"'),
)
# The sections that grub-mkconfig puts together, each a file of its own.
_SECTIONS = _files(r"/grub\.cfg\Z")
SCRIPT = Language(
    tuple(
        sorted(
            {
                b"@@@ grub.cfg\n%s\n@@@ boot/loader/entries/m-6.1.conf\ntitle x\nlinux /k\noptions $kernelopts\n" % part
                for text in _SECTIONS
                for part in re.split(b"\n(?=### BEGIN)", text)
            }
        )
    ),
    SCRIPT_WORDS + (b"\n@@@ boot/grub/grubenv\n# GRUB Environment Block\nsaved_entry=1\n",),
    GRUB_BRACKETS,
)
GRUB = Language(GRUB_SEEDS, SCRIPT_WORDS + (b"\n@@@ boot/grub/custom.cfg\n",), GRUB_BRACKETS)

# Boot Loader Spec


def _read_bls(data: bytes, _tree: Tree) -> None:
    files = []
    for number, text in enumerate(_text(data).split("@@@\n")):
        file = bls.parse(text, "/boot/loader/entries/m-%d.conf" % number)
        assert file.values("linux") or file.last("linux") is None
        files.append(file)
    variables = {"kernelopts": "root=/dev/x ro", "a": "$a " * 1000, "early_initrd": "a b c", "b": "x" * 4000}
    for item in grub_bls.menu_items(files, variables.get):
        assert len(item.script) < 1 << 20


BLS = Language(
    _files(r"/entries/.*\.conf\Z"),
    _lines(
        "title \nlinux /k\ninitrd /i\noptions \n$kernelopts\n$tuned_params\n$a\n$b$b$b$b\n$early_initrd\ngrub_arg \n"
        "@@@\nversion 1\nsort-key x\nmachine-id 0\nefi /x.efi\narchitecture x64\ndefault \ntimeout \neditor no\n#\n"
    )
    + (b"\n", b"\t", b"\r\n"),
)

# Whole machines: the readers with the files and answers that they ask for


def _read_machine(reader: Callable[[Machine], BootConfig]) -> Callable[[bytes, Tree], None]:
    def read(data: bytes, tree: Tree) -> None:
        config = reader(tree.machine(data))
        assert (config.default is None) == (config.default_problem is not None)
        assert config.default is None or config.default in config.entries
        json.dumps(shown([config._asdict()] + [entry._asdict() for entry in config.entries]))

    return read


MOUNTINFO = _lines("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /boot rw - vfat /dev/sda2 rw\n\\040\n\\777\n")
MACHINE_WORDS = MOUNTINFO + _lines(
    "@@@ boot/x\n@@@ boot/y -> x\n@@@ etc/fstab\n/dev/sda2 /boot vfat\n/boot/x\n../\n//\n"
)
SYSTEMD_SEEDS = _seeds("arch-systemd-boot", "debian12-systemd-boot")
BOOTCTL = (
    b'@@@ answers/bootctl\n[{"type":"type1","id":"a.conf","path":"/boot/loader/entries/a.conf","root":"/boot",'
    b'"title":"A","showTitle":"A","sortKey":"s","version":"1","machineId":"0","options":"root=/dev/x","linux":"/k",'
    b'"initrd":["/i"],"isDefault":true,"isSelected":false},{"type":"auto","id":"auto-reboot-to-firmware-setup"}]\n'
)
JSON_WORDS = _words(
    '"\\ud800" "\\u0000" null true 1e999 [] {} "id": "linux": "path": "root": "initrd": [ ] { } , : " -1'
)
SYSTEMD_BOOT = Language(
    SYSTEMD_SEEDS + tuple(seed + b"\n" + BOOTCTL for seed in SYSTEMD_SEEDS),
    BLS.words
    + JSON_WORDS
    + MACHINE_WORDS
    + _lines("default *\ndefault @saved\ndefault auto-x\npreferred a*\n+3-1.conf\n[a-z]\n[!\n*?*?*?\n\\\n"),
    ((b"[", b"]"), (b'{"a":', b"}"), (b'"', b'"')),
)
LEGACY_WORDS = (
    _lines(
        "title x\nroot (hd0,0)\nkernel /k ro\nkernel --no-mem-option /k\ninitrd /i\ndefault=0\ndefault saved\n"
        "default=999999\nmodule /m\nchainloader +1\nconfigfile /x\nrootnoverify (hd1)\nsavedefault\n(hd0,\n(hd9)\n"
        "fallback 1\ntimeout=5\n@@@ boot/grub/default\n"
    )
    + MACHINE_WORDS
)
LEGACY_GRUB = Language(_seeds("ol5", "ol6"), LEGACY_WORDS)
EXTLINUX = Language(
    _seeds("alpine-extlinux"),
    MACHINE_WORDS
    + _lines(
        "label x\nlinux k\nkernel k a=b\nappend -\nappend initrd=a,b\ninitrd a,b\ndefault x\nontimeout x\nui menu.c32\n"
        "prompt 1\ntimeout 5\nmenu default\nmenu label ^X\nmenu save\ninclude x\nmenu include x y\nlocalboot 0\n"
        "kernel x.c32\n::\ntotaltimeout 9999999999\n@@@ boot/extlinux/x\n@@@ boot/extlinux/extlinux.conf\nMENU\n"
    ),
)
GRUBBY_INFO = (
    b'@@@ answers/grubby.--info=ALL\nindex=0\nkernel="/boot/k"\nargs="ro quiet $tuned_params"\nroot="/dev/x"\n'
    b'initrd="/boot/i $tuned_initrd"\ntitle="T"\nid="x"\nindex=1\nnon linux entry\n'
    b"index=2\nkernel=/boot/k2\nargs=ro\ninitrd=/boot/i2\n"
    b"@@@ answers/grubby.--info=DEFAULT\nindex=2\nkernel=/boot/k2\nargs=ro\ninitrd=/boot/i2\n@@@ boot/k\nk\n"
    b"@@@ answers/grubby.--default-kernel\n/boot/k2\n@@@ boot/k2 -> k\n"
)
GRUBBY = Language(
    (GRUBBY_INFO,),
    _lines('index=0\nkernel="/boot/k"\nargs="ro"\nroot=/dev/x\ninitrd=\n"\n$\n${\n$x\ntitle=\nid=\nkernel=\n')
    + MACHINE_WORDS,
)


def _read_grubby(machine: Machine) -> BootConfig:
    config = grubby.read(machine)
    grubby.checked(machine, config._replace(default=config.entries[0], default_problem=None))
    return config


# Kernels and initial RAM disks


def _read_kernel(data: bytes, _tree: Tree) -> None:
    assert signature_of(io.BytesIO(data)) in (UNSIGNED, ALTERED, SIGNED)
    image = read_kernel(io.BytesIO(data), "/boot/vmlinuz", "x86_64")
    json.dumps(image)


KERNEL = Language(
    (images.bzimage(), images.signed(images.bzimage())),
    (b"HdrS", b"MZ", b"PE\0\0", b"\xff\xff\xff\xff", b"\x0b\x02", b"\0\2\0\0", b"\xff\xff"),
)


def _read_initrd(data: bytes, _tree: Tree) -> None:
    check_initrd(io.BytesIO(data), "/boot/initrd.img")


_CPIO = images.cpio(("init", b"x" * 50), ("lib/modules/6.1.0-55-amd64/modules.dep", b"y"))
INITRD = Language(
    (
        _CPIO,
        _CPIO + b"\0" * 512 + gzip.compress(_CPIO),
        _CPIO + lzma.compress(_CPIO, check=lzma.CHECK_CRC32),
        lzma.compress(_CPIO, format=lzma.FORMAT_ALONE),
        bz2.compress(_CPIO),
        _CPIO + images.ZSTD,
        images.LZ4,
        bz2.compress(b"\0" * 10000000),
    ),
    (b"070701", b"070702", b"TRAILER!!!\0", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh9", b"\xfd7zXZ\0", b"FFFFFFFF"),
)

# The record in /run


def _read_record(data: bytes, tree: Tree) -> None:
    boot_id = "0cdfa0ad-9b1d-4a5d-9e0d-3c1cd2b2f0b5"
    machine = tree.machine(b"@@@ sys/kernel/kexec_loaded\n1\n@@@ run/fleetops-kexec/staged.json\n" + data)
    record = _staging.read_record(machine, boot_id)
    plan = _staging.plan_unload(True, record, boot_id)
    plan.diff()
    if record is not None:
        assert record.boot_id == boot_id
        json.dumps(shown(record._asdict()))


RECORD = Language(
    (
        (
            b'{"boot_id": "0cdfa0ad-9b1d-4a5d-9e0d-3c1cd2b2f0b5", "token": "a1", "entry": "x", "release": "6.1.0", '
            b'"kernel": "/boot/k", "initrds": ["/boot/i"], "cmdline": "ro panic=30 fleetops.boot=a1", '
            b'"identities": ["1:2:3:4:5", "1:2:3:4:6"], "call": "file"}\n'
        ),
    ),
    JSON_WORDS + _words('"cmdline": "initrds": "identities": "token": "release": "entry": "kernel": "call": 7 ["a"]'),
    ((b"[", b"]"), (b'{"a":', b"}")),
)

_SOMEWHERE = r"/\w|systemd-boot|grubby|cannot be the path of a file"

PARSERS: List[Parser] = [
    Parser("command line", _read_cmdline, CMDLINE, r"\A\Z", 400, 230000),
    Parser("versions", _read_versions, VERSIONS, r"\A\Z", 200, 120000),
    Parser("grubenv", _read_grubenv, GRUBENV, LINE, 1100, 190000),
    Parser("boot loader spec", _read_bls, BLS, LINE, 1000, 180000),
    Parser("kernel", _read_kernel, KERNEL, "/boot/vmlinuz", 8192, 80000),
    Parser("initrd", _read_initrd, INITRD, "/boot/initrd.img", 2000, 60000),
    Parser("record", _read_record, RECORD, r"\A\Z", 800, 60000),
    Parser("grub.cfg, script", _read_grub_script, SCRIPT, LINE + "|: gave up here", 2000, 30000),
    Parser("grubby", _read_machine(_read_grubby), GRUBBY, _SOMEWHERE, 1500, 40000),
    Parser("grub.conf", _read_machine(legacy_grub.read), LEGACY_GRUB, "/boot/|" + LINE, 4000, 20000),
    Parser("extlinux.conf", _read_machine(extlinux.read), EXTLINUX, "/boot/|" + LINE, 3000, 20000),
    Parser("systemd-boot", _read_machine(systemd_boot.read), SYSTEMD_BOOT, _SOMEWHERE, 5000, 15000),
    Parser("grub.cfg, machine", _read_machine(grub.read), GRUB, _SOMEWHERE, 12000, 8000),
]
