# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is different in the Python of a simulated host, which imports this by itself at every start.

The system calls that load and start a kernel are simulated. The collection makes them through one class, SystemCalls in
_machine.py: when that module is imported, its class is replaced by one that acts on the simulated host's files.

And what Ansible sends is compiled once for the whole fleet, not by every host anew: a third of a module's time.
"""

from __future__ import annotations

import _imp
import errno
import marshal
import os
import sys
import time
import zipimport
from types import CodeType, ModuleType
from typing import Any

_SEAM = "ansible_collections.fleetops.kexec.plugins.module_utils._machine"
_COMMANDS = {0x45584543: "kexec", 0x01234567: "firmware"}
_LOADED = "/sys/kernel/kexec_loaded"
_IMAGE = "/simulator/image.json"


def _simulated(seam: ModuleType) -> type[Any]:
    class SimulatedCalls(seam.SystemCalls):  # type: ignore[name-defined, misc]
        """The calls, with a simulated kernel behind them."""

        def kexec_file_load(self, kernel_fd: int, initrd_fd: int, cmdline: bytes | None, flags: int) -> None:
            """Refuses what Linux refuses of this, and keeps what is to be booted."""
            with open("/proc/sys/kernel/kexec_load_disabled", encoding="ascii") as disabled:
                if disabled.read().strip() == "1":
                    raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            if flags & seam.KEXEC_FILE_UNLOAD:
                _set_loaded("0")
                return
            kernel = os.pread(kernel_fd, os.fstat(kernel_fd).st_size, 0)
            if kernel[0x202:0x206] != b"HdrS":
                raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC))
            release = kernel[0x300:].partition(b" ")[0].decode("ascii")
            import json  # here, because every start of Python would pay for it

            with open(_IMAGE, "w", encoding="ascii") as image:
                json.dump({"release": release, "cmdline": (cmdline or b"").decode("ascii")}, image)
            _set_loaded("1")

        def _reboot(self, command: int) -> None:
            with open("/etc/hostname", encoding="ascii") as stream:
                name = stream.read().strip()
            with open("/simulator/shared/events", "w", encoding="ascii") as events:
                events.write("%s %s now\n" % (name, _COMMANDS[command]))
            while True:  # the call does not return
                time.sleep(60)

    return SimulatedCalls


def _set_loaded(word: str) -> None:
    with open(_LOADED, "w", encoding="ascii") as loaded:
        loaded.write(word + "\n")


class _Loader:
    """Loads the module as its own loader does, which other modules share, and replaces the class."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        """See importlib.abc.Loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        self._loader.exec_module(module)
        module.SystemCalls = _simulated(module)  # type: ignore[attr-defined]


class _Finder:
    """Finds the one module where others find it."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """See importlib.abc.MetaPathFinder."""
        if name != _SEAM:
            return None
        sys.meta_path.remove(self)
        found = [finder.find_spec(name, path, target) for finder in sys.meta_path]
        spec: Any = next(candidate for candidate in found if candidate is not None)
        spec.loader = _Loader(spec.loader)
        return spec


_compile: Any = zipimport._compile_source  # type: ignore[attr-defined]
_COMPILED = "/simulator/shared/compiled/"


def _compile_once(name: str, source: bytes) -> CodeType:
    """As zipimport's own, with what was compiled kept by the digest of its source."""
    path = _COMPILED + _imp.source_hash(0, source).hex()
    try:
        with open(path, "rb") as stream:
            code: CodeType = marshal.load(stream)
    except FileNotFoundError:
        code = _compile(name, source)
        temporary = "%s.%d" % (path, os.getpid())
        with open(temporary, "wb") as stream:
            marshal.dump(code, stream)
        os.rename(temporary, path)
    return code


sys.meta_path.insert(0, _Finder())
zipimport._compile_source = _compile_once  # type: ignore[attr-defined]
