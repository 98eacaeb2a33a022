#!/usr/bin/env python3
# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of real virtual machines (UEFI, boot loader, Debian, two kernels) under QEMU on this machine."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from vmlab import RECIPES, Lab, LabError, Status


def _up(lab: Lab, options: argparse.Namespace) -> None:
    lab.up(options.count, memory=options.memory, post_seconds=options.post_seconds, variant=options.variant)
    print(f"ansible -i {lab.inventory_path} all -m ping")


def _down(lab: Lab, options: argparse.Namespace) -> None:
    lab.down(options.hosts or None)


def _image(lab: Lab, options: argparse.Namespace) -> None:
    print(lab.image(options.variant, newest=options.newest).disk)


def _update(lab: Lab, options: argparse.Namespace) -> None:
    names = options.hosts or ([machine.name for machine in lab.machines()] if options.all else [])
    if not names:
        raise LabError("Name the machines to update, or give --all.")
    lab.update(names)


def _reset(lab: Lab, options: argparse.Namespace) -> None:
    lab.reset(options.host, wait=not options.no_wait)


def _ssh(lab: Lab, options: argparse.Namespace) -> None:
    argv = lab.machine(options.host).ssh_command(*options.command)
    os.execvp(argv[0], argv)


def _console(lab: Lab, options: argparse.Namespace) -> None:
    follow = ["--follow", "--lines=200"] if options.follow else ["--lines=+1"]
    os.execvp("tail", ["tail", *follow, str(lab.machine(options.host).console_log)])


def _status(lab: Lab, options: argparse.Namespace) -> None:
    rows = [_row(status) for status in lab.status()]
    heads = ("NAME", "STATE", "PORT", "PID", "KERNEL", "UPTIME", "MEMORY", "POST")
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _row(status: Status) -> tuple[str, ...]:
    uptime = "-" if status.uptime_seconds is None else f"{status.uptime_seconds} s"
    return (
        status.name,
        status.state,
        str(status.port),
        str(status.pid or "-"),
        status.kernel or "-",
        uptime,
        f"{status.settings.memory} MiB",
        f"{status.settings.post_seconds} s",
    )


def _inventory(lab: Lab, options: argparse.Namespace) -> None:
    print(lab.inventory(), end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="bring up machines lab1 to labN, and wait until they answer")
    up.add_argument("count", type=int, metavar="N")
    up.add_argument("--memory", type=int, default=768, metavar="MIB", help="of each machine (default: 768)")
    up.add_argument(
        "--post-seconds", type=int, default=0, metavar="S", help="let the firmware take S seconds longer (at most 65)"
    )
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="end machines and remove their disks; images stay in the cache")
    down.add_argument("hosts", nargs="*", metavar="HOST", help="default: all of them")
    down.add_argument("--all", action="store_true", help="all of them, said aloud")
    down.set_defaults(run=_down)

    image = commands.add_parser("image", help="build the base image where the cache has none")
    image.add_argument("--newest", action="store_true", help="also where the archive has newer kernels")
    image.set_defaults(run=_image)

    for command in (up, image):
        command.add_argument("--variant", choices=sorted(RECIPES), default="grub", help="default: grub")

    update = commands.add_parser("update", help="make the newest kernel the default, as a package update would")
    update.add_argument("hosts", nargs="*", metavar="HOST")
    update.add_argument("--all", action="store_true")
    update.set_defaults(run=_update)

    reset = commands.add_parser("reset", help="press the reset button: firmware, boot loader, kernel")
    reset.add_argument("host", metavar="HOST")
    reset.add_argument("--no-wait", action="store_true", help="do not wait until it answers again")
    reset.set_defaults(run=_reset)

    ssh = commands.add_parser("ssh", help="a shell in a machine, or one command")
    ssh.add_argument("host", metavar="HOST")
    ssh.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    ssh.set_defaults(run=_ssh)

    console = commands.add_parser("console", help="what a machine wrote on its serial console")
    console.add_argument("host", metavar="HOST")
    console.add_argument("--follow", action="store_true", help="go on as it writes more")
    console.set_defaults(run=_console)

    status = commands.add_parser("status", help="the machines as they are")
    status.set_defaults(run=_status)

    inventory = commands.add_parser("inventory", help="an Ansible inventory of the machines")
    inventory.set_defaults(run=_inventory)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Exit code 1: it could not be done; 2: it was not understood."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves nothing half done either
    try:
        options.run(Lab(), options)
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab.py: interrupted. Machines that were started go on: `lab.py down` ends them.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
