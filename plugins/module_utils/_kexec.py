# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's slot for the next image: load, unload, what is in it, and what its errors mean."""

import contextlib
import errno
import os
import tempfile
from typing import Iterator, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import (
    KEXEC_FILE_NO_INITRAMFS,
    KEXEC_FILE_UNLOAD,
    KexecError,
    Machine,
)

RUN_DIRECTORY = "/run/fleetops-kexec"

_LOADED = "/sys/kernel/kexec_loaded"
_CRASH_LOADED = "/sys/kernel/kexec_crash_loaded"
_LOAD_DISABLED = "/proc/sys/kernel/kexec_load_disabled"
_LOAD_LIMIT = "/proc/sys/kernel/kexec_load_limit_reboot"
_LOCKDOWN = "/sys/kernel/security/lockdown"

_NO_CALL = "this kernel is built without the kexec_file_load system call (CONFIG_KEXEC_FILE)"

UNSIGNED = "the image is not signed, and this kernel accepts signed ones only; use a signed kernel package"
ALTERED = "the signature does not match: the image is damaged or altered; install its package again"
LIMIT_USED_UP = (
    "the limit kernel.kexec_load_limit_reboot is used up, which lasts until the next boot; "
    "reboot this host through the firmware"
)

# Each errno of kexec_file_load, from kernel/kexec_file.c, arch/*/kernel/*kexec*.c and crypto/asymmetric_keys.
# EPERM has several causes and is told apart by _why_not_permitted.
_SENTENCES = {
    errno.ENOSYS: _NO_CALL + "; install kexec-tools, or boot a kernel that has it",
    errno.EACCES: "Secure Boot or IMA refuses it: only kernels signed by a trusted key may be staged",
    errno.ENODATA: UNSIGNED,
    errno.EKEYREJECTED: ALTERED,
    errno.EBADMSG: "the signature of the image is malformed; install its package again",
    errno.ELIBBAD: "the image is truncated, or its signature is malformed; install its package again",
    errno.ENOPKG: "the signature uses an algorithm that this kernel does not have; install the distribution's kernel",
    errno.ENOKEY: "the image is signed by a key that this kernel does not trust; enrol the key or use another kernel",
    errno.ENOEXEC: "it is not a bootable kernel image for this architecture; check that the path names a kernel",
    errno.EINVAL: "the kernel rejects it: a wrong format (arm64 and riscv64 take an uncompressed Image only) or a "
    "command line that is too long",
    errno.EBUSY: "another kexec operation is under way on the host; try again when it has ended",
    errno.EADDRNOTAVAIL: "there is no room for the image in memory; free memory, or reboot through the firmware",
    errno.ENOMEM: "there is not enough free memory for the image; free memory, or reboot through the firmware",
    errno.ETXTBSY: "a file is open for writing; wait until the package manager has finished",
    errno.EFBIG: "a file is too large to be loaded",
    errno.EBADF: "a file could not be read by the kernel; check the file system that it is on",
}


class Image(NamedTuple):
    """What is to be loaded."""

    kernel: str
    initrds: Tuple[str, ...]
    cmdline: str


def is_loaded(machine: Machine) -> Optional[bool]:
    """Whether an image is loaded, whosever it is; None where this kernel has no kexec."""
    word = machine.read_word(_LOADED)
    return None if word is None else word == "1"


def is_crash_loaded(machine: Machine) -> bool:
    """Whether a crash kernel is loaded, the slot that this collection never touches."""
    return machine.read_word(_CRASH_LOADED) == "1"


def is_load_disabled(machine: Machine) -> bool:
    """Whether loading is disabled until the next boot."""
    return machine.read_word(_LOAD_DISABLED) == "1"


def is_limit_used_up(machine: Machine) -> bool:
    """Whether no more loads are permitted until the next boot."""
    return machine.read_word(_LOAD_LIMIT) == "0"


def lockdown_of(machine: Machine) -> Optional[str]:
    """none, integrity or confidentiality; None where this kernel has no lockdown."""
    text = machine.read_word(_LOCKDOWN)
    if text is None or "[" not in text:
        return None
    return text.partition("[")[2].partition("]")[0]


def explain(machine: Machine, code: int) -> str:
    """What an errno of the load call means here, and what to do."""
    if code == errno.EPERM:
        return _why_not_permitted(machine)
    return _SENTENCES.get(code, "%s (errno %d)" % (os.strerror(code), code))


def _why_not_permitted(machine: Machine) -> str:
    if machine.euid != 0:
        return "it needs root; use become: true"
    if is_load_disabled(machine):
        return "kernel.kexec_load_disabled is 1, which lasts until the next boot; reboot this host through the firmware"
    if is_limit_used_up(machine):
        return LIMIT_USED_UP
    lockdown = lockdown_of(machine)
    if lockdown not in (None, "none"):
        return "kernel lockdown (%s) refuses it: only kernels signed by a trusted key may be staged" % lockdown
    return "this process lacks CAP_SYS_BOOT, as in a container; run it on the host itself"


def load(machine: Machine, image: Image, syscall: str) -> str:
    """Put *image* into the slot, over what is there. Returns how: "file" or "tools". Raises KexecError.

    The image that was there stays when this fails. It is never unloaded first: each call, an unload too, counts
    against kernel.kexec_load_limit_reboot, and a failed load would leave nothing.

    :param syscall: "file" for kexec_file_load, "tools" for the kexec program, "auto" for the program only where
        the kernel lacks the call.
    """
    with _opened_initrd(machine, image.initrds) as (initrd_fd, initrd_path):
        if syscall != "tools":
            code = _load_file(machine, image, initrd_fd)
            if code == 0:
                return "file"
            if syscall == "file" or code != errno.ENOSYS:
                raise KexecError("cannot stage the kernel %s: %s" % (image.kernel, explain(machine, code)))
        _load_with_tools(machine, image, initrd_path)
        return "tools"


def _load_file(machine: Machine, image: Image, initrd_fd: int) -> int:
    """Returns 0 or the errno."""
    kernel_fd = machine.open_regular(image.kernel, "kernel")
    try:
        machine.calls.kexec_file_load(
            kernel_fd,
            initrd_fd,
            image.cmdline.encode("utf-8", "surrogateescape"),
            KEXEC_FILE_NO_INITRAMFS if initrd_fd < 0 else 0,
        )
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        os.close(kernel_fd)
    return 0


def _load_with_tools(machine: Machine, image: Image, initrd_path: Optional[str]) -> None:
    lockdown = lockdown_of(machine)
    if lockdown not in (None, "none"):
        raise KexecError(
            "cannot stage the kernel %s: kernel lockdown (%s) permits the kexec_file_load call only, and the kexec "
            "program makes the older one" % (image.kernel, lockdown)
        )
    program = find_tools(machine, "load")
    initrd = [] if initrd_path is None else ["--initrd=" + initrd_path]
    result = machine.run(program, "-l", image.kernel, "--append=" + image.cmdline, *initrd)
    if result.rc != 0:
        said = (result.stderr or result.stdout).strip()
        raise KexecError("cannot stage the kernel %s: kexec -l ended with %d: %s" % (image.kernel, result.rc, said))


def find_tools(machine: Machine, purpose: str) -> str:
    """The path of the kexec program; raises KexecError where it is missing."""
    program = machine.find_program("kexec")
    if program is None:
        raise KexecError(
            "cannot %s an image: %s, and the kexec program is missing; install kexec-tools" % (purpose, _NO_CALL)
        )
    return program


@contextlib.contextmanager
def _opened_initrd(machine: Machine, initrds: Sequence[str]) -> Iterator[Tuple[int, Optional[str]]]:
    """One initrd as a descriptor and a path: -1 and None for none, a joined file for several."""
    if not initrds:
        yield -1, None
    elif len(initrds) == 1:
        descriptor = machine.open_regular(initrds[0], "initrd")
        try:
            yield descriptor, initrds[0]
        finally:
            os.close(descriptor)
    else:
        with _joined(machine, initrds) as path:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                yield descriptor, path
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def _joined(machine: Machine, initrds: Sequence[str]) -> Iterator[str]:
    """A temporary file with several initrds one after the other, each padded to 4 bytes as cpio demands."""
    directory = machine.path(RUN_DIRECTORY)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, prefix="initrd.", delete=False) as joined:
            path = joined.name
    except OSError as error:
        raise KexecError("cannot make a file in %s: %s" % (RUN_DIRECTORY, error.strerror))
    try:
        with open(path, "wb") as stream:
            for initrd in initrds:
                content = machine.read_bytes(initrd)
                stream.write(content + b"\0" * (-len(content) % 4))
        yield path
    except OSError as error:
        raise KexecError("cannot join the initrds %s in %s: %s" % (", ".join(initrds), RUN_DIRECTORY, error.strerror))
    finally:
        os.unlink(path)


def unload(machine: Machine) -> None:
    """Empty the slot; raises KexecError where an image stays in it.

    The file call is tried first because lockdown permits it and refuses the other one.
    """
    try:
        machine.calls.kexec_file_load(-1, -1, None, KEXEC_FILE_UNLOAD)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise KexecError(
                "cannot unload the staged image, and the next reboot would start it: %s"
                % explain(machine, error.errno or errno.EIO)
            )
        result = machine.run(find_tools(machine, "unload"), "-u")
        if result.rc != 0:
            raise KexecError(
                "cannot unload the staged image, and the next reboot would start it: kexec -u ended with %d: %s"
                % (result.rc, (result.stderr or result.stdout).strip())
            )
    if is_loaded(machine):
        raise KexecError("%s still reads 1 after the image was unloaded: somebody loads images on this host" % _LOADED)
