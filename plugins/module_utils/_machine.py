# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between target-side code and the machine: files under a root, system calls, commands.

Everything that a module wants to know of a host, or do to it, goes through a :class:`Machine`.
Tests build one over a fixture tree, with recorded command output and fake system calls; everything
above this file is then ordinary, pure Python.
"""

import ctypes
import errno
import os
import re
import stat
import struct
import subprocess
import tempfile
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

# Flags of kexec_file_load(2), include/uapi/linux/kexec.h.
KEXEC_FILE_UNLOAD = 0x1
KEXEC_FILE_NO_INITRAMFS = 0x4

# System call numbers of kexec_file_load: the tables under arch/*/ in the kernel sources.
_KEXEC_FILE_LOAD_NUMBER = {
    "x86_64": 320,
    "aarch64": 294,
    "riscv64": 294,
    "ppc64le": 382,
    "s390x": 381,
    "armv7l": 401,
}


class KexecError(Exception):
    """Why something could not be done, as a sentence for an operator.

    :param message: what was tried, on which file, what the machine said, what to do.
    :param facts: values for the module's result, such as the names of the known entries.
    """

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts: Dict[str, Any] = facts


class CommandResult(NamedTuple):
    """What a command left behind."""

    rc: int
    stdout: str
    stderr: str


class Space(NamedTuple):
    """Room on a file system that can be written to, in bytes, for users other than root."""

    free: int
    total: int


# A NUL, and halves of characters that stand for no byte (PEP 383).
_NO_PATH = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")

# Runs an argument list with LC_ALL=C; raises OSError where the program cannot be started.
RunCommand = Callable[[Sequence[str]], Tuple[int, str, str]]


class SystemCalls:
    """The system calls that have no wrapper in Python's library. Every error is an OSError."""

    def kexec_file_load(self, kernel_fd: int, initrd_fd: int, cmdline: Optional[bytes], flags: int) -> None:
        """kexec_file_load(2). *cmdline* comes without its trailing NUL, which the kernel counts."""
        number = _KEXEC_FILE_LOAD_NUMBER.get(os.uname().machine)
        if struct.calcsize("P") == 4 and os.uname().machine != "armv7l":
            number = None  # a 32-bit Python on a 64-bit kernel counts its calls otherwise
        if number is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        text = None if cmdline is None else ctypes.create_string_buffer(cmdline)
        # A variadic C function takes a bare Python int as a C int and cuts it to 32 bits, hence c_long throughout.
        returned = ctypes.CDLL(None, use_errno=True).syscall(
            ctypes.c_long(number),
            ctypes.c_long(kernel_fd),
            ctypes.c_long(initrd_fd),
            ctypes.c_long(0 if text is None else len(text)),
            ctypes.c_long(0) if text is None else ctypes.byref(text),
            ctypes.c_long(flags),
        )
        if returned != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def statvfs(self, path: str) -> os.statvfs_result:
        """statvfs(3)."""
        return os.statvfs(path)

    def kexec_reboot(self) -> None:
        """reboot(2) with LINUX_REBOOT_CMD_KEXEC: the kernel jumps into the loaded image. Returns only on an error."""
        self._reboot(0x45584543)

    def firmware_reboot(self) -> None:
        """reboot(2) with LINUX_REBOOT_CMD_RESTART: the kernel resets the machine. Returns only on an error."""
        self._reboot(0x01234567)

    def _reboot(self, command: int) -> None:
        # glibc and musl both have the one-argument wrapper; it fills in the magic numbers.
        ctypes.CDLL(None, use_errno=True).reboot(ctypes.c_int(command))
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class Machine:
    """A machine: the running one for modules, a fixture tree for tests.

    Paths are always absolute and as the machine sees them; *root* is put before them.
    Text is read as UTF-8 with surrogate escapes, so that a stray byte in a command line or a menu
    title survives the way from a boot loader's file to the system call unchanged.
    """

    def __init__(
        self,
        root: str,
        run: RunCommand,
        calls: Optional[SystemCalls] = None,
        euid: Optional[int] = None,
        arch: Optional[str] = None,
    ) -> None:
        self._root = root
        self._run = run
        self.calls = SystemCalls() if calls is None else calls
        self.euid = os.geteuid() if euid is None else euid
        self.arch = os.uname().machine if arch is None else arch

    def path(self, path: str) -> str:
        """Where *path* of the machine lies for the system calls of this process; raises KexecError for what is none.

        Files and programs of the host name paths, and no system call takes these.
        """
        if _NO_PATH.search(path) is not None:
            raise KexecError("%r cannot be the path of a file; correct what names it" % path)
        return os.path.join(self._root, path.lstrip("/"))

    def exists(self, path: str) -> bool:
        """Whether there is anything at *path*; a dangling symbolic link counts as nothing."""
        return os.path.exists(self.path(path))

    def is_directory(self, path: str) -> bool:
        """Whether *path* is a directory, or a link to one."""
        return os.path.isdir(self.path(path))

    def names(self, path: str) -> List[str]:
        """The names in a directory, sorted; none where there is no such directory or it may not be read."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []

    def link_name(self, path: str) -> Optional[str]:
        """The last component of what the symbolic link *path* points to; None where it is no link."""
        try:
            return os.path.basename(os.readlink(self.path(path)))
        except OSError:
            return None

    def stat(self, path: str) -> os.stat_result:
        """os.stat of *path*; raises KexecError."""
        try:
            return os.stat(self.path(path))
        except OSError as error:
            raise KexecError("cannot look at %s: %s" % (path, error.strerror))

    def space(self, path: str) -> Optional[Space]:
        """The room on the file system of *path*; None where it cannot be told, or is not written to."""
        try:
            status = self.calls.statvfs(self.path(path))
        except OSError:
            return None
        if status.f_flag & os.ST_RDONLY:
            return None
        return Space(status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize)

    def read_bytes(self, path: str, limit: int = -1) -> bytes:
        """The content of *path*, at most *limit* bytes of it; raises KexecError."""
        try:
            with open(self.path(path), "rb") as stream:
                return stream.read(limit)
        except OSError as error:
            raise KexecError("cannot read %s: %s" % (path, error.strerror))

    def read_text(self, path: str) -> str:
        """The content of *path* as text; raises KexecError."""
        return self.read_bytes(path).decode("utf-8", "surrogateescape")

    def read_word(self, path: str) -> Optional[str]:
        """The stripped content of a small file of /proc or /sys; None where it is absent or refuses to be read."""
        try:
            return self.read_text(path).strip()
        except KexecError:
            return None

    def open_regular(self, path: str, purpose: str) -> int:
        """A read-only descriptor of a regular, non-empty file; the caller closes it. Raises KexecError.

        :param purpose: what the file is, for the sentence: "kernel", "initrd".
        """
        try:
            descriptor = os.open(self.path(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise KexecError("the %s %s does not exist on the host" % (purpose, path))
            raise KexecError("cannot open the %s %s: %s" % (purpose, path, error.strerror))
        status = os.fstat(descriptor)
        problem = None
        if stat.S_ISDIR(status.st_mode):
            problem = "is a directory, not a file"
        elif not stat.S_ISREG(status.st_mode):
            problem = "is not a regular file"
        elif status.st_size == 0:
            problem = "is empty"
        if problem is not None:
            os.close(descriptor)
            raise KexecError("the %s %s %s" % (purpose, path, problem))
        return descriptor

    def write_atomically(self, path: str, content: Union[str, bytes], mode: int = 0o600) -> None:
        """Write a file so that a reader finds the old content or the new one, never a part. Raises KexecError.

        The directory is made, with mode 0700, where it is missing.
        """
        directory = os.path.dirname(self.path(path))
        temporary = None
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=directory)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            os.rename(temporary, self.path(path))
            self._sync_folder(directory)
        except OSError as error:
            if temporary is not None and os.path.exists(temporary):
                os.unlink(temporary)
            raise KexecError("cannot write %s: %s" % (path, error.strerror))

    def sync_folder(self, path: str) -> None:
        """See to it that the names in a directory outlive a power cut; raises KexecError."""
        try:
            self._sync_folder(self.path(path))
        except OSError as error:
            raise KexecError("cannot write %s to disk: %s" % (path, error.strerror))

    @staticmethod
    def _sync_folder(directory: str) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def set_value(self, path: str, text: str) -> None:
        """Write a setting of the kernel below /proc/sys; raises KexecError."""
        try:
            with open(self.path(path), "w", encoding="ascii") as stream:
                stream.write(text)
        except OSError as error:
            raise KexecError("cannot write to %s: %s" % (path, error.strerror))

    def append(self, path: str, text: str) -> None:
        """Write into a file that takes commands, such as /proc/sysrq-trigger; raises KexecError."""
        try:
            with open(self.path(path), "a", encoding="ascii") as stream:
                stream.write(text)
        except OSError as error:
            raise KexecError("cannot write to %s: %s" % (path, error.strerror))

    def remove(self, path: str) -> None:
        """Remove a file; it is no error when there is none. Raises KexecError."""
        try:
            os.unlink(self.path(path))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise KexecError("cannot remove %s: %s" % (path, error.strerror))

    def run(self, *argv: str) -> CommandResult:
        """Run a command; raises KexecError where it cannot be started. The caller reads the return code."""
        try:
            return CommandResult(*self._run(argv))
        except OSError as error:
            raise KexecError("cannot run %s: %s" % (argv[0], error.strerror))

    def find_program(self, name: str) -> Optional[str]:
        """The path of a program in the usual folders; None where there is none."""
        for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"):
            candidate = folder + "/" + name
            if os.access(self.path(candidate), os.X_OK):
                return candidate
        return None


def machine_of(module: Any) -> Machine:
    """The running machine, with the commands run by an AnsibleModule."""

    def run(argv: Sequence[str]) -> Tuple[int, str, str]:
        result: Tuple[int, str, str] = module.run_command(
            list(argv), environ_update={"LC_ALL": "C"}, handle_exceptions=False
        )
        return result

    return Machine("/", run)


def local_machine() -> Machine:
    """The running machine, without Ansible: for the programs that are installed on hosts."""

    def run(argv: Sequence[str]) -> Tuple[int, str, str]:
        # There is no AnsibleModule here, whose run_command ansible-test asks for since ansible-core 2.21.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(argv),
            env=dict(os.environ, LC_ALL="C"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    return Machine("/", run)


def shown(value: Any) -> Any:
    """A value for a module's result: bytes that were no UTF-8 become replacement characters, tuples lists."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, dict):
        return {shown(key): shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value
