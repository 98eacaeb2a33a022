# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator as a program: python -m simfleet FOLDER."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from .simulator import Simulator


async def main(folder: Path) -> None:
    """Until it is told to end."""
    work = asyncio.create_task(Simulator(folder).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
