# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put on a host to stay there: files, and this collection's own code as one program."""

import io
import sys
import zipfile
from typing import Any, Dict, NamedTuple

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine

_PACKAGE = "ansible_collections.fleetops.kexec.plugins.module_utils."
_MAIN = "import sys\n\nfrom %s import main\n\nsys.exit(main())\n"


class File(NamedTuple):
    """A file that is to be there."""

    path: str
    content: bytes
    mode: int


def is_there(machine: Machine, file: File) -> bool:
    """Whether the file is there as it is to be."""
    return (
        machine.exists(file.path)
        and machine.read_bytes(file.path) == file.content
        and machine.stat(file.path).st_mode & 0o777 == file.mode
    )


def program(interpreter: str, main: str) -> bytes:
    """The target-side code as one executable file, which needs neither Ansible nor a folder of its own.

    It is made of the sources that this very process runs, so there is no second code that could judge differently
    from the modules. The same sources give the same bytes.

    :param interpreter: the Python that will run it: the one that runs this.
    :param main: the full name of the module whose main() it runs.
    """
    sources = {"__main__.py": _MAIN % main}
    modules: Dict[str, Any] = dict(sys.modules)
    for name, module in sorted(modules.items()):
        if not name.startswith(_PACKAGE) or module is None:
            continue
        file = name.replace(".", "/") + ("/__init__.py" if hasattr(module, "__path__") else ".py")
        sources[file] = module.__spec__.loader.get_source(name) or ""
    parts = _PACKAGE.rstrip(".").split(".")
    for length in range(1, len(parts) + 1):
        sources.setdefault("/".join(parts[:length]) + "/__init__.py", "")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file, source in sorted(sources.items()):
            archive.writestr(zipfile.ZipInfo(file), source.encode("utf-8"))
    # Isolated: neither the environment nor a user's packages have a part in it.
    return ("#!%s -I\n" % interpreter).encode() + packed.getvalue()
