# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's shell: runs a grub.cfg as GRUB does at the start, as far as a menu and its entries depend on it.

Commands that neither build the menu nor set a variable do nothing, with success. What GRUB finds on the disk
or in its environment block is asked of a :class:`Surroundings`, so that everything here is pure.
"""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import grub_bls
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.bls import EntryFile
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.grub_script import (
    QUOTED,
    TEXT,
    VARIABLE,
    Block,
    Command,
    Conditional,
    ForLoop,
    Function,
    Part,
    Statement,
    WhileLoop,
    Word,
    parse,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

MAX_STEPS = 150000
"""Tokens read plus arguments handled: under a second; an entry takes about 500."""
_FILE = 50
"""Steps for what is looked for on the disk."""
MAX_DEPTH = 40
"""Functions, files, conditionals and loops running inside each other."""
MAX_ARGUMENT = 16384
"""Characters of one argument after expansion."""

# grub-core/normal/main.c, "features": every GRUB since 2.00 sets these.
_FEATURES = (
    "feature_chainloader_bpb feature_ntldr feature_platform_search_hint feature_default_font_path "
    "feature_all_video_module feature_menuentry_id feature_menuentry_options feature_200_final "
    "feature_nativedisk_cmd feature_timeout_style"
).split()

_OTHER_LOADERS = frozenset(
    "appleloader chainloader freedos kfreebsd knetbsd kopenbsd legacy_kernel multiboot multiboot2 ntldr plan9 "
    "pxechainloader truecrypt xen_hypervisor xnu_kernel xnu_kernel64 xnu_resume".split()
)
_LEAVING = frozenset("boot exit halt normal_exit reboot".split())
# What these find depends on firmware, hardware or the time, and is there to decide what follows.
_UNKNOWABLE = frozenset("cpuid date efivar getenv hashsum probe rdmsr regexp smbios".split())

_BLANKS = re.compile(r"[ \t\r\n]+")
_NUMBER = re.compile(r"[ \t\r\n]*(?:0x(?P<hex>[0-9a-fA-F]+)|(?P<octal>0[0-7]+)|(?!0x)(?P<decimal>[0-9]+))")
_MAX_NUMBER = 2**64 - 1


class MenuItem(NamedTuple):
    """A menuentry or submenu; its body runs when it is chosen."""

    title: str
    id: str
    submenu: bool
    arguments: Tuple[str, ...]
    body: Block
    entry_file: str = ""
    """The Boot Loader Spec file that blscfg made it of."""
    doubt: Optional[str] = None
    """Why GRUB may make something else of that file, as a sentence."""


class Loaded(NamedTuple):
    """What an entry's commands made ready to start."""

    command: str
    """"linux", or the command of another loader."""
    path: str
    root: str
    """GRUB's $root when the path was named."""
    arguments: Tuple[str, ...]


class Initrd(NamedTuple):
    """A file of the initrd command."""

    path: str
    root: str


class Invocation(NamedTuple):
    """A command with its arguments expanded."""

    where: str
    name: str
    arguments: Sequence[str]
    block: Optional[Block]


class Surroundings:
    """What GRUB finds around it. This one is an empty disk; the machine's is in grub.py.

    A path is as GRUB has it, with or without a device before it; *root* is GRUB's $root.
    """

    prefix = "(boot)/boot/grub"
    root = "boot"
    platform = "pc"
    cpu = "i386"

    def kind(self, path: str, root: str) -> Optional[str]:
        """One of "file", "empty" (a file too), "directory" and "" (nothing); None where it cannot be told."""
        return ""

    def read(self, path: str, root: str) -> Tuple[str, str]:
        """A configuration file's text, and what to call it in an error; raises KexecError."""
        raise KexecError("there is no %s" % path)

    def environment(self, path: str, root: str) -> Optional[Dict[str, str]]:
        """The variables of an environment block; None where they cannot be told. Raises KexecError."""
        return {}

    def entry_files(self, folder: str, root: str) -> Optional[Sequence[EntryFile]]:
        """The Boot Loader Spec files of a folder; None where there is no such folder. Raises KexecError."""
        return None

    def search(self, kind: str, name: str) -> Optional[str]:
        """What names a found file system in $root, None where there is none; *kind*: "file", "label", "fs-uuid"."""
        return "%s/%s" % (kind, name)


class Environment:
    """GRUB's variables. Only the exported ones reach a submenu (grub-core/normal/context.c)."""

    def __init__(self, values: Dict[str, str], exported: Set[str]) -> None:
        self.values = values
        self.exported = exported

    def get(self, name: str) -> str:
        """Empty where it is unset, because GRUB expands both alike."""
        return self.values.get(name, "")

    def copy(self) -> "Environment":
        """The same variables for an entry, which may change them without the next entry seeing it."""
        return Environment(dict(self.values), set(self.exported))

    def opened(self) -> "Environment":
        """The variables of a submenu, or of another configuration file's menu."""
        names = [name for name in self.exported if name in self.values]
        return Environment({name: self.values[name] for name in names}, set(names))


class Steps:
    """Counts what reading and running costs, so that no file can keep a module busy."""

    def __init__(self, limit: int = MAX_STEPS) -> None:
        self._left = limit

    def spend(self, steps: int, where: object) -> None:
        """Raises KexecError when it was too much."""
        self._left -= steps
        if self._left < 0:
            raise KexecError("%s: gave up here: the configuration loops, or is too large for a boot menu" % where)


class _Break(Exception):
    def __init__(self, count: int, again: bool) -> None:
        super().__init__()
        self.count = count
        self.again = again


class _Return(Exception):
    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class _Leave(Exception):
    """Nothing after this command runs."""

    def __init__(self, sentence: Optional[str]) -> None:
        super().__init__()
        self.sentence = sentence


class _Session:
    """What all contexts of one run share."""

    def __init__(self, surroundings: Surroundings, steps: Steps) -> None:
        self.surroundings = surroundings
        self.steps = steps
        self.files: Dict[str, Block] = {}
        self.saved: Dict[str, str] = {}
        self.patterns = False
        self.depth = 0


class Shell:
    """One context of GRUB: its variables, the menu it builds, what it has loaded."""

    def __init__(self, session: _Session, environment: Environment, functions: Dict[str, Function]) -> None:
        self._session = session
        self._functions = functions
        self._loops = 0
        self._scope: Optional[List[str]] = None
        self.environment = environment
        self.menu: List[MenuItem] = []
        self.loaded: Optional[Loaded] = None
        self.initrds: Tuple[Initrd, ...] = ()
        self.uncertain: Optional[str] = None
        """Why GRUB may have come to something else, as a sentence; None where it may not."""
        self._commands: Dict[str, Callable[[Invocation], int]] = {
            ".": self._source,
            "[": self._test,
            "bls_import": self._blscfg,
            "blscfg": self._blscfg,
            "break": self._leave_loop,
            "cmostest": self._fail,  # Is a button pressed? Not when the machine restarts by itself.
            "configfile": self._configfile,
            "continue": self._leave_loop,
            "eval": self._eval,
            "export": self._export,
            "false": self._fail,
            "fwsetup": self._fwsetup,
            "hwmatch": self._hwmatch,
            "initrd": self._initrd,
            "initrd16": self._initrd,
            "initrdefi": self._initrd,
            "insmod": self._insmod,
            "keystatus": self._fail,  # As for cmostest.
            "linux": self._linux,
            "linux16": self._linux,
            "linuxefi": self._linux,
            "load_env": self._load_env,
            "menuentry": self._menuentry,
            "normal": self._configfile,
            "return": self._return,
            "search": self._search,
            "search.file": self._search,
            "search.fs_label": self._search,
            "search.fs_uuid": self._search,
            "set": self._set,
            "setparams": self._setparams,
            "shift": self._shift,
            "source": self._source,
            "submenu": self._menuentry,
            "test": self._test,
            "uki": self._uki,
            "unset": self._unset,
        }

    @property
    def saved(self) -> Dict[str, str]:
        """Every variable that load_env found."""
        return self._session.saved

    def choose(self, item: MenuItem, default: str = "") -> "Shell":
        """The context after GRUB ran an item's body: a submenu's has a menu, an entry's has something loaded.

        :param default: what $default is inside; empty for unset.
        """
        self._session.steps.spend(1 + len(self.environment.values) // 16, item.title)
        environment = self.environment.opened() if item.submenu else self.environment.copy()
        # grub_menu_execute_entry (grub-core/normal/menu.c)
        chosen = self.environment.get("chosen")
        environment.values["chosen"] = (chosen + ">" if chosen else "") + item.id.replace(">", ">>")
        environment.exported.add("chosen")
        if default:
            environment.values["default"] = default
        else:
            environment.values.pop("default", None)
        context = Shell(self._session, environment, dict(self._functions))
        context._scope = list(item.arguments)
        context.uncertain = item.doubt
        depth = self._session.depth
        try:
            context._run(item.body)
        except (_Leave, _Return):
            pass
        finally:
            self._session.depth = depth
        return context

    # Statements

    def _run(self, block: Block) -> int:
        status = 0
        for statement in block:
            status = self._statement(statement)
            self.environment.values["?"] = str(status)
        return status

    def _statement(self, statement: Statement) -> int:
        self._session.steps.spend(1, statement.where)
        if isinstance(statement, Command):
            return self._command(statement)
        if isinstance(statement, Function):
            self._functions[statement.name] = statement
            return 0
        self._descend(statement.where)
        if isinstance(statement, Conditional):
            status = self._conditional(statement)
        elif isinstance(statement, ForLoop):
            status = self._for_loop(statement)
        else:
            status = self._while_loop(statement)
        self._session.depth -= 1
        return status

    def _descend(self, where: str) -> None:
        self._session.depth += 1
        if self._session.depth > MAX_DEPTH:
            raise KexecError("%s: more than %d commands running inside each other" % (where, MAX_DEPTH))

    def _conditional(self, statement: Conditional) -> int:
        for condition, body in statement.branches:
            if self._run(condition) == 0:
                return self._run(body)
        return self._run(statement.otherwise)

    def _for_loop(self, statement: ForLoop) -> int:
        status = 0
        for argument in self._expand(statement.words, statement.where):
            self._session.steps.spend(1, statement.where)
            self._assign(statement.name, argument)
            status, broken = self._loop_body(statement.body)
            if broken:
                break
        return status

    def _while_loop(self, statement: WhileLoop) -> int:
        while True:
            self._session.steps.spend(1, statement.where)
            status = self._run(statement.condition)
            if (status == 0) == statement.until:
                return status
            status, broken = self._loop_body(statement.body)
            if broken:
                return status

    def _loop_body(self, body: Block) -> Tuple[int, bool]:
        """The status of one round, and whether it was the last one."""
        depth = self._session.depth
        self._loops += 1
        try:
            return self._run(body), False
        except _Break as jump:
            self._session.depth = depth
            if jump.count > 1:
                raise _Break(jump.count - 1, jump.again)
            return 0, not jump.again
        finally:
            self._loops -= 1

    def _command(self, command: Command) -> int:
        arguments = self._expand(command.words, command.where)
        inverted = arguments[:1] == ["!"]
        if inverted:
            del arguments[0]
        if not arguments:
            return 1 if inverted else 0
        status = self._execute(command, arguments)
        if inverted:
            return 1 if status == 0 else 0
        return status

    def _execute(self, command: Command, arguments: List[str]) -> int:
        """grub_script_execute_cmdline: commands go before functions, and an assignment is what is neither."""
        name = arguments[0]
        if name in self._commands:
            return self._commands[name](Invocation(command.where, name, arguments[1:], command.block))
        if name in _OTHER_LOADERS:
            path = arguments[1] if len(arguments) > 1 else ""
            self.loaded = Loaded(name, path, self.environment.get("root"), tuple(arguments[2:]))
            return 0
        if name in _LEAVING:
            raise _Leave("%s: GRUB leaves the menu here by the command %s" % (command.where, name))
        if name in _UNKNOWABLE:
            self._doubt("%s decides by the command %s, which only GRUB can answer" % (command.where, name))
            return 0
        if name in self._functions:
            return self._call(self._functions[name], arguments[1:], command.where)
        if "=" in name:
            self._assign(*name.split("=", 1))
        return 0

    def _call(self, function: Function, arguments: List[str], where: str) -> int:
        self._descend(where)
        depth, loops, scope = self._session.depth, self._loops, self._scope
        self._loops, self._scope = 0, arguments
        try:
            return self._run(function.body)
        except _Return as answer:
            return answer.status
        finally:
            self._session.depth, self._loops, self._scope = depth - 1, loops, scope

    def _doubt(self, sentence: str) -> None:
        if self.uncertain is None:
            self.uncertain = sentence

    # Words

    def _expand(self, words: Sequence[Word], where: str) -> List[str]:
        """The arguments that words become (grub_script_arglist_to_argv in grub-core/script/execute.c)."""
        arguments: List[str] = []
        for word in words:
            current: Optional[str] = None
            for part in word:
                for position, value in enumerate(self._values(part)):
                    self._session.steps.spend(1 + len(value) // 64, where)
                    if position > 0 and current is not None:
                        arguments.append(current)
                        current = None
                    current = (current or "") + value
                    if len(current) > MAX_ARGUMENT:
                        raise KexecError("%s: an argument longer than %d characters" % (where, MAX_ARGUMENT))
            if current is not None:
                arguments.append(current)
                if self._session.patterns and current[:1] in ("/", "(") and _is_pattern(word, current):
                    self._doubt("%s uses the file name pattern %s, which only GRUB can expand" % (where, current))
        return arguments

    def _values(self, part: Part) -> Sequence[str]:
        """What a part of a word contributes: nothing, or the pieces that become arguments of their own."""
        if part.kind == TEXT:
            return [part.text] if part.text else []
        if part.kind == QUOTED:
            return [part.text]
        split = part.kind == VARIABLE
        values = self._special(part.text, split)
        if values is None:
            value = self.environment.get(part.text)
            values = [value] if value else []
        if split:
            return [piece for value in values for piece in _BLANKS.split(value) if piece]
        return values

    def _special(self, name: str, split: bool) -> Optional[List[str]]:
        """The values of a positional parameter; None where *name* is an ordinary variable."""
        if not name.isdigit() and name not in ("#", "*", "@"):
            return None
        scope = self._scope
        if scope is None:
            return []
        if name == "#":
            return [str(len(scope))]
        if name == "@" or (name == "*" and split):
            return list(scope)
        if name == "*":
            return [" ".join(scope)]
        index = int(name[:6])
        return [scope[index - 1]] if 0 < index <= len(scope) else []

    def _assign(self, name: str, value: str) -> None:
        if name.isdigit() or name in ("#", "*", "@"):
            return
        if name == "root" and value.startswith("(") and value.endswith(")"):
            value = value[1:-1]  # grub_env_write_root in grub-core/kern/main.c
        self.environment.values[name] = value

    # Commands: each returns its status, 0 for success.

    def _fail(self, call: Invocation) -> int:
        return 1

    def _set(self, call: Invocation) -> int:
        if not call.arguments:
            return 0
        name, equals, value = call.arguments[0].partition("=")
        if not equals:
            return 1
        self._assign(name, value)
        return 0

    def _unset(self, call: Invocation) -> int:
        for name in call.arguments[:1]:
            self.environment.values.pop(name, None)
        return 0

    def _export(self, call: Invocation) -> int:
        for name in call.arguments:
            self.environment.values.setdefault(name, "")  # grub_env_export makes an unset variable an empty one.
            self.environment.exported.add(name)
        return 0

    def _setparams(self, call: Invocation) -> int:
        if self._scope is None:
            return 1
        self._scope = list(call.arguments)
        return 0

    def _shift(self, call: Invocation) -> int:
        count = leading_number(call.arguments[0])[0] if call.arguments else 1
        if self._scope is None:
            return 0
        if count is None or count > len(self._scope):
            return 1
        self._scope = self._scope[count:]
        return 0

    def _return(self, call: Invocation) -> int:
        if self._scope is None or len(call.arguments) > 1:
            return 1
        status = leading_number(call.arguments[0] if call.arguments else self.environment.get("?"))[0]
        raise _Return(status or 0)

    def _leave_loop(self, call: Invocation) -> int:
        count = leading_number(call.arguments[0])[0] if call.arguments else 1
        if not count:
            return 1
        if self._loops:
            again = call.name == "continue"
            raise _Break(min(count, self._loops), again)
        return 0

    def _eval(self, call: Invocation) -> int:
        self._descend(call.where)
        status = self._run(parse(" ".join(call.arguments), call.where, self._session.steps.spend))
        self._session.depth -= 1
        return status

    def _insmod(self, call: Invocation) -> int:
        # grub-core/commands/wildcard.c is part of this module: from here on, GRUB expands * and ? in paths.
        self._session.patterns = self._session.patterns or "regexp" in call.arguments
        return 0

    def _fwsetup(self, call: Invocation) -> int:
        if "--is-supported" in call.arguments:
            return 0 if self.environment.get("grub_platform") == "efi" else 1
        raise _Leave("%s: GRUB enters the firmware's setup here" % call.where)

    def _hwmatch(self, call: Invocation) -> int:
        # Ubuntu: $match is 1 for graphics hardware on a list of bad ones, which only decides the console's mode.
        self._assign("match", "0")
        return 0

    def _test(self, call: Invocation) -> int:
        words = call.arguments[:-1] if call.arguments[-1:] == ["]"] else call.arguments
        return 0 if _Test(words, self._kind, call.where).holds() else 1

    def _kind(self, path: str, where: str) -> str:
        self._session.steps.spend(_FILE, where)
        kind = self._session.surroundings.kind(path, self.environment.get("root"))
        if kind is None:
            self._doubt("%s looks for %s on a disk that is not mounted or cannot be told" % (where, path))
        return kind or ""

    def _search(self, call: Invocation) -> int:
        kind, variable, name = _search_options(call.name, call.arguments)
        if not name:
            return 1
        self._session.steps.spend(_FILE, call.where)
        found = self._session.surroundings.search(kind, name)
        if found is None:
            return 1
        if variable:
            self._assign(variable, found)
        return 0

    def _load_env(self, call: Invocation) -> int:
        path, wanted = _load_env_options(call.arguments, self.environment.get("prefix") + "/grubenv")
        self._session.steps.spend(_FILE, call.where)
        block = self._session.surroundings.environment(path, self.environment.get("root"))
        if block is None:
            self._doubt("%s takes variables from %s, which cannot be read on the host" % (call.where, path))
            return 0
        known = {name: value for name, value in block.items() if not wanted or name in wanted}
        self._session.saved.update(known)
        for name, value in without_one_shot(known).items():
            self._assign(name, value)
        return 0

    def _source(self, call: Invocation) -> int:
        if len(call.arguments) != 1 or self._kind(call.arguments[0], call.where) != "file":
            return 1
        self._descend(call.where)
        self._run_file(call.arguments[0], call.where)
        self._session.depth -= 1
        return 0

    def _configfile(self, call: Invocation) -> int:
        """Shows another file's menu, from which GRUB does not come back unless it is empty."""
        if len(call.arguments) != 1 or self._kind(call.arguments[0], call.where) != "file":
            return 1
        self._descend(call.where)
        other = Shell(self._session, self.environment.opened(), dict(self._functions))
        other._run_file(call.arguments[0], call.where)
        if other.uncertain is not None:
            self._doubt(other.uncertain)
        if other.menu:
            self.menu, self.environment, self._functions = other.menu, other.environment, other._functions
            raise _Leave(None)
        self._session.depth -= 1
        return 0

    def _run_file(self, path: str, where: str) -> None:
        """As read_config_file in grub-core/normal/main.c does."""
        key = "%s %s" % (self.environment.get("root"), path)
        if key not in self._session.files:
            text, name = self._session.surroundings.read(path, self.environment.get("root"))
            self._session.steps.spend(len(text) // 256, name)
            self._session.files[key] = parse(text, name, self._session.steps.spend)
        values = self.environment.values
        before = values.get("config_file"), values.get("config_directory")
        values["config_file"], values["config_directory"] = path, path.rpartition("/")[0]
        self.environment.exported.update(["config_file", "config_directory"])
        self._run(self._session.files[key])
        for name, value in zip(("config_file", "config_directory"), before):
            if value is not None:
                self.environment.values[name] = value

    def _menuentry(self, call: Invocation) -> int:
        positional, options = _menuentry_options(call.arguments)
        body = call.block
        source = options.get("source")
        if (body is None) == (source is None) or not positional:
            return 1
        if body is None:
            body = parse(source or "", call.where, self._session.steps.spend)
        submenu = call.name == "submenu"
        identity = options.get("id")
        title = positional[0]
        self.menu.append(MenuItem(title, title if identity is None else identity, submenu, tuple(positional), body))
        return 0

    def _blscfg(self, call: Invocation) -> int:
        """Takes the entries of Boot Loader Spec files into the menu."""
        if call.arguments:
            raise KexecError("%s: %s with arguments is not known to this version" % (call.where, call.name))
        own = self.environment.values.get("blsdir")
        folders = grub_bls.DEFAULT_FOLDERS if own is None else (own,) + grub_bls.DEFAULT_FOLDERS[1:]
        files: Optional[Sequence[EntryFile]] = None
        for folder in folders:
            if files is None:
                files = self._session.surroundings.entry_files(folder, self.environment.get("root"))
        if files is None:
            raise KexecError(
                "%s: this menu takes its entries from Boot Loader Spec files (the command %s), and there is no folder "
                "of them: looked for %s" % (call.where, call.name, " and ".join(folders))
            )
        self._session.steps.spend(20 * len(files), call.where)
        for item in grub_bls.menu_items(files, self.environment.values.get):
            self._import(item)
        return 0

    def _import(self, item: grub_bls.Imported) -> None:
        self._session.steps.spend(_FILE, item.path)
        doubt = item.doubt
        body: Block = ()
        try:
            body = parse(item.script, item.path, self._session.steps.spend)
        except KexecError as error:
            doubt = doubt or str(error)
        self.menu.append(MenuItem(item.title, item.id, False, (item.title,) + item.arguments, body, item.path, doubt))

    def _uki(self, call: Invocation) -> int:
        self._doubt("%s takes unified kernel images into the menu, which this version does not read" % call.where)
        return 0

    def _linux(self, call: Invocation) -> int:
        if not call.arguments:
            return 1
        self._session.steps.spend(_FILE, call.where)
        self.loaded = Loaded("linux", call.arguments[0], self.environment.get("root"), tuple(call.arguments[1:]))
        self.initrds = ()
        return 0

    def _initrd(self, call: Invocation) -> int:
        if not call.arguments or self.loaded is None or self.loaded.command != "linux":
            return 1  # "you need to load the kernel first"
        self._session.steps.spend(_FILE * len(call.arguments), call.where)
        self.initrds = tuple(Initrd(path, self.environment.get("root")) for path in call.arguments)
        return 0


def start(surroundings: Surroundings, path: str, steps: Optional[Steps] = None) -> Shell:
    """GRUB's context when the configuration file *path* has run and the menu appears. Raises KexecError."""
    values = dict.fromkeys(_FEATURES, "y")
    values.update(grub_platform=surroundings.platform, grub_cpu=surroundings.cpu)
    values.update(root=surroundings.root, prefix=surroundings.prefix)
    session = _Session(surroundings, Steps() if steps is None else steps)
    shell = Shell(session, Environment(values, set(values)), {})
    try:
        shell._run_file(path, path)
    except _Leave as leave:
        if leave.sentence is not None:
            shell._doubt(leave.sentence)
    return shell


def without_one_shot(variables: Dict[str, str]) -> Dict[str, str]:
    """An environment block as GRUB would find it if no entry had been chosen for the next start only.

    ``next_entry`` is today's way to choose one. Before GRUB 2.00, grub-reboot put it into ``saved_entry`` and kept
    the real one in ``prev_saved_entry``; grub-mkconfig's header still honours that.
    """
    lasting = {name: value for name, value in variables.items() if name not in ("next_entry", "prev_saved_entry")}
    if variables.get("prev_saved_entry"):
        lasting["saved_entry"] = variables["prev_saved_entry"]
    return lasting


def one_shot(variables: Dict[str, str]) -> Optional[str]:
    """The entry for the next start only. GRUB leaves an empty next_entry behind after use."""
    if variables.get("next_entry"):
        return variables["next_entry"]
    if variables.get("prev_saved_entry"):
        return variables.get("saved_entry") or None
    return None


def leading_number(text: str) -> Tuple[Optional[int], str]:
    """The number at the beginning of *text* and what follows it; None where there is none or it is too large.

    grub_strtoul (grub-core/kern/misc.c) with base 0: ``0x`` is hexadecimal, a zero before a digit octal.
    """
    match = _NUMBER.match(text[:256])
    if match is None:
        return None, text
    if match.group("hex"):
        number = int(match.group("hex"), 16)
    elif match.group("octal"):
        number = int(match.group("octal"), 8)
    else:
        number = int(match.group("decimal"))
    return (number if number <= _MAX_NUMBER else None), text[match.end() :]


def _is_pattern(word: Word, argument: str) -> bool:
    return any(part.kind in (TEXT, VARIABLE) for part in word) and ("*" in argument or "?" in argument)


_MENUENTRY_OPTIONS = frozenset(["class", "users", "hotkey", "source", "id"])


def _menuentry_options(arguments: Sequence[str]) -> Tuple[List[str], Dict[str, str]]:
    """The title with the parameters after it, and the options (grub-core/lib/arg.c and commands/menuentry.c)."""
    positional: List[str] = []
    options: Dict[str, str] = {}
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        index += 1
        if argument == "--":
            positional.extend(arguments[index:])
            break
        name, equals, value = argument[2:].partition("=")
        if not argument.startswith("--") or name not in _MENUENTRY_OPTIONS:
            if argument != "--unrestricted":
                positional.append(argument)
        elif equals:
            options[name] = value
        elif index < len(arguments) and not arguments[index].startswith("-"):
            options[name] = arguments[index]
            index += 1
        else:
            return [], {}  # GRUB refuses an option without its value, and the entry with it.
    return positional, options


_SEARCH_KINDS = {"-f": "file", "--file": "file", "-l": "label", "--label": "label", "-u": "fs-uuid"}
_SEARCH_KINDS["--fs-uuid"] = "fs-uuid"


def _search_options(name: str, arguments: Sequence[str]) -> Tuple[str, str, str]:
    """What a search command looks for: "file", "label" or "fs-uuid"; the variable to set; the name."""
    if name != "search":
        kind = {"search.file": "file", "search.fs_label": "label"}.get(name, "fs-uuid")
        return kind, arguments[1] if len(arguments) > 1 else "", arguments[0] if arguments else ""
    kind, variable, wanted = "file", "", ""
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        following = arguments[index + 1] if index + 1 < len(arguments) else ""
        index += 1
        if argument in _SEARCH_KINDS:
            kind = _SEARCH_KINDS[argument]
        elif argument.startswith("--set="):
            variable = argument[len("--set=") :]
        elif argument in ("-s", "--set"):
            # The variable's name may be left out where nothing but another option follows.
            variable = following if following and not following.startswith("-") else "root"
            index += variable is following
        elif argument in ("-h", "--hint") or (argument.startswith("--hint-") and "=" not in argument):
            index += 1
        elif not argument.startswith("-") and not wanted:
            wanted = argument
    return kind, variable, wanted


def _load_env_options(arguments: Sequence[str], path: str) -> Tuple[str, List[str]]:
    """The file, and the names of the variables that are wanted (none: all)."""
    wanted: List[str] = []
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        index += 1
        if argument in ("-f", "--file"):
            path = arguments[index] if index < len(arguments) else path
            index += 1
        elif argument.startswith("--file="):
            path = argument[len("--file=") :]
        elif not argument.startswith("-"):
            wanted.append(argument)
    return path, wanted


class _Test:
    """The test command (grub-core/commands/test.c), which reads from left to right without precedence."""

    def __init__(self, arguments: Sequence[str], kind: Callable[[str, str], str], where: str) -> None:
        self._arguments = arguments
        self._kind = kind
        self._where = where
        self._index = 0

    def holds(self, depth: int = 0) -> bool:
        """Whether the expression up to its end, or its closing parenthesis, is true."""
        if depth > MAX_DEPTH:
            raise KexecError("%s: more than %d parentheses inside each other" % (self._where, MAX_DEPTH))
        either, both, inverted = False, True, False
        while self._index < len(self._arguments):
            value = self._comparison()
            if value is None:
                word = self._arguments[self._index]
                self._index += 1
                if word == ")":
                    break
                if word == "!":
                    inverted = not inverted
                    continue
                if word == "-a":
                    continue
                if word == "-o":
                    either, both = either or both, True
                    continue
                value = self.holds(depth + 1) if word == "(" else word != ""
            both = both and value != inverted
            inverted = False
        return either or both

    def _comparison(self) -> Optional[bool]:
        """A test of three words or of two; None where the next word begins none."""
        words = self._arguments[self._index : self._index + 3]
        if len(words) == 3:
            comparison = _COMPARISONS.get(words[1])
            if comparison is not None:
                self._index += 3
                return comparison(words[0], words[2])
        if len(words) >= 2 and words[0] in ("-d", "-e", "-f", "-s", "-n", "-z"):
            self._index += 2
            return self._unary(words[0], words[1])
        return None

    def _unary(self, operator: str, operand: str) -> bool:
        if operator == "-n":
            return operand != ""
        if operator == "-z":
            return operand == ""
        kinds = {"-d": ("directory",), "-f": ("file", "empty"), "-s": ("file",)}
        return self._kind(operand, self._where) in kinds.get(operator, ("file", "empty", "directory"))


def _signed(text: str) -> int:
    if text.startswith("-"):
        return -(leading_number(text[1:])[0] or 0)
    return leading_number(text)[0] or 0


def _after_common_prefix(first: str, second: str) -> Tuple[int, int]:
    """For -pgt and -plt: the numbers where two file names begin to differ."""
    common = 0
    while common < min(len(first), len(second)) and first[common] == second[common]:
        common += 1
    common -= 1
    while common > 0 and first[common].isdigit():
        common -= 1
    common += 1  # GRUB never goes back to the first character.
    return leading_number(first[common:])[0] or 0, leading_number(second[common:])[0] or 0


_COMPARISONS: Dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "-eq": lambda a, b: _signed(a) == _signed(b),
    "-ne": lambda a, b: _signed(a) != _signed(b),
    "-lt": lambda a, b: _signed(a) < _signed(b),
    "-le": lambda a, b: _signed(a) <= _signed(b),
    "-gt": lambda a, b: _signed(a) > _signed(b),
    "-ge": lambda a, b: _signed(a) >= _signed(b),
    "-pgt": lambda a, b: _after_common_prefix(a, b)[0] > _after_common_prefix(a, b)[1],
    "-plt": lambda a, b: _after_common_prefix(a, b)[0] < _after_common_prefix(a, b)[1],
}
