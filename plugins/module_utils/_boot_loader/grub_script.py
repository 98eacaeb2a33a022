# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax of GRUB's shell: from the text of a grub.cfg to statements.

It follows GRUB's own grammar (grub-core/script/yylex.l and parser.y), which is that of a small Bourne shell
without pipes, redirections, ``&&`` and ``||``. What GRUB refuses is refused here: GRUB skips such a statement
and goes on, so that nobody can tell from the file what the menu would be.
"""

import re
from typing import Callable, List, NamedTuple, Optional, Tuple, Union

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

MAX_NESTING = 40
"""Blocks, conditionals and loops inside each other; generated menus need five."""

TEXT = "text"
QUOTED = "quoted"
VARIABLE = "variable"
QUOTED_VARIABLE = "quoted variable"


class Part(NamedTuple):
    """A piece of a word: text or the name of a variable, quoted or not."""

    kind: str
    text: str


Word = Tuple[Part, ...]


class Command(NamedTuple):
    """A command with its arguments, and the block in braces that may follow them."""

    where: str
    words: Tuple[Word, ...]
    block: "Optional[Block]"


class Conditional(NamedTuple):
    """if, elif ..., else."""

    where: str
    branches: "Tuple[Tuple[Block, Block], ...]"
    otherwise: "Block"


class ForLoop(NamedTuple):
    """for NAME in WORDS."""

    where: str
    name: str
    words: Tuple[Word, ...]
    body: "Block"


class WhileLoop(NamedTuple):
    """while, or until."""

    where: str
    condition: "Block"
    until: bool
    body: "Block"


class Function(NamedTuple):
    """function NAME."""

    where: str
    name: str
    body: "Block"


Statement = Union[Command, Conditional, ForLoop, WhileLoop, Function]
Block = Tuple[Statement, ...]


class Token(NamedTuple):
    """kind is a punctuation mark, a reserved word, "name" (a word that may name a function), "word" or "end"."""

    kind: str
    line: int
    word: Word


Spend = Callable[[int, object], None]
"""Takes a number of steps and what names the place in the file; raises KexecError when too many were taken."""

# "case", "esac" and "select" are reserved without a meaning: fit for arguments only. "[[" and "]]" are not even that.
_COMPOUND = frozenset(["if", "for", "while", "until"])
_RESERVED = _COMPOUND | frozenset("then elif else fi do done in function case esac select".split())
_UNUSABLE = frozenset(["[[", "]]"])

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_BLANKS = re.compile(r"[ \t]+")
_COMMENT = re.compile(r"#[^\n]*")
_PUNCTUATION = re.compile(r"\|\||&&|;;|[\n|&;<>{}]")
_PLAIN = re.compile(r"[^{}|&$;<> \t\n'\"\\]+")
_IN_DOUBLE_QUOTES = re.compile(r"[^\"$\\]+")
_VARIABLE = re.compile(
    r"\$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#*@])\}|(?P<bare>[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#*@]))"
)


def parse(text: str, path: str, spend: Spend) -> Block:
    """The statements of a configuration file; raises KexecError naming the file and the line.

    :param path: what to call the file in an error.
    :param spend: is told of every token, and may raise.
    """
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise KexecError("%s line %d: the file contains zero bytes, so it is damaged" % (path, line))
    # grub_file_getline (grub-core/normal/main.c) drops every carriage return.
    return _Parser(_Lexer(text.replace("\r", ""), path, spend), path).script()


class _Lexer:
    """Cuts the text into tokens. The regular expressions are each linear, so that no input takes long."""

    def __init__(self, text: str, path: str, spend: Spend) -> None:
        self._text = text
        self._path = path
        self._spend = spend
        self._position = 0
        self._line = 1

    def next(self) -> Token:
        """The next token; at the end of the text, "end" as often as asked."""
        continued = self._skip_blanks()
        line = self._line
        self._spend(1, self)
        if self._position >= len(self._text):
            return Token("end", line, ())
        punctuation = self._take(_PUNCTUATION)
        if punctuation is not None:
            return Token(punctuation, line, ())
        start = self._position
        word = self._word()
        raw = self._text[start : self._position]
        if raw in _UNUSABLE:
            raise self._error("GRUB's shell has no %r" % raw)
        if continued:
            return Token("word", line, word)  # Behind a continued line, GRUB takes reserved words for others.
        if raw in _RESERVED:
            return Token(raw, line, word)
        return Token("name" if _NAME.match(raw) else "word", line, word)

    def _skip_blanks(self) -> bool:
        """Skip blanks, ends of continued lines and a comment; whether a line was continued."""
        continued = False
        self._take(_BLANKS)
        while self._text.startswith("\\\n", self._position):
            self._spend(1, self)
            self._escaped()
            self._take(_BLANKS)
            continued = True
        self._take(_COMMENT)
        return continued

    def _word(self) -> Word:
        parts: List[Part] = []
        while self._position < len(self._text):
            self._spend(1, self)
            character = self._text[self._position]
            if character == "'":
                parts.append(Part(QUOTED, self._single_quoted()))
            elif character == '"':
                parts.extend(self._double_quoted())
            elif character == "\\":
                parts.append(Part(TEXT, self._escaped()))
            elif self._text.startswith('$"', self._position):
                self._move(self._position + 1)  # A text that GRUB translates.
                parts.extend(self._double_quoted())
            elif character == "$":
                parts.append(Part(VARIABLE, self._variable()))
            else:
                plain = self._take(_PLAIN)
                if plain is None:
                    break
                parts.append(Part(TEXT, plain))
        return tuple(parts)

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._position + 1)
        if end < 0:
            raise self._error("the quotation that begins here has no end")
        content = self._text[self._position + 1 : end]
        self._move(end + 1)
        return content

    def _double_quoted(self) -> List[Part]:
        """Text and variables between double quotes; empty text where there is nothing, which is a word too."""
        unterminated = self._error("the quotation that begins here has no end")
        parts = [Part(QUOTED, "")]
        self._move(self._position + 1)
        while self._position < len(self._text):
            self._spend(1, self)
            character = self._text[self._position]
            if character == '"':
                self._move(self._position + 1)
                return parts
            if character == "$":
                parts.append(Part(QUOTED_VARIABLE, self._variable()))
            elif character == "\\":
                following = self._text[self._position + 1 : self._position + 2]
                # yylex.l, state DQUOTE: a backslash is one of its own before any other character.
                kept = {"$": "$", "\\": "\\", '"': '"', "\n": ""}.get(following, "\\" + following)
                parts.append(Part(QUOTED, kept))
                self._move(self._position + 2)
            else:
                parts.append(Part(QUOTED, self._take(_IN_DOUBLE_QUOTES) or ""))
        raise unterminated

    def _escaped(self) -> str:
        following = self._text[self._position + 1 : self._position + 2]
        if not following:
            raise self._error("the file ends in a backslash")
        self._move(self._position + 2)
        if following == "\n" and self._position >= len(self._text):
            raise self._error("the file ends in a backslash")
        return following.strip("\n")

    def _variable(self) -> str:
        match = _VARIABLE.match(self._text, self._position)
        if match is None:
            raise self._error("$ is not followed by the name of a variable")
        self._move(match.end())
        return match.group("braced") or match.group("bare")

    def _take(self, pattern: "re.Pattern[str]") -> Optional[str]:
        match = pattern.match(self._text, self._position)
        if match is None:
            return None
        self._move(match.end())
        return match.group()

    def _move(self, position: int) -> None:
        self._line += self._text.count("\n", self._position, position)
        self._position = min(position, len(self._text))

    def __str__(self) -> str:
        return "%s line %d" % (self._path, self._line)

    def _error(self, message: str) -> KexecError:
        return KexecError("%s: %s" % (self, message))


class _Parser:
    """Recursive descent over the rules of parser.y, with one token of lookahead."""

    def __init__(self, lexer: _Lexer, path: str) -> None:
        self._lexer = lexer
        self._path = path
        self._token = lexer.next()
        self._nesting = 0

    def script(self) -> Block:
        """A whole file. Only here may functions be defined (rule "statement")."""
        statements: List[Statement] = []
        self._skip_newlines()
        while self._token.kind != "end":
            statements.append(self._function() if self._token.kind == "function" else self._command())
            if self._token.kind != "end":
                self._delimiter()
        return tuple(statements)

    def _commands(self, ends: Tuple[str, ...], delimited: bool = True) -> Block:
        """At least one command, up to one of the *ends*, which stays the next token.

        :param delimited: whether a semicolon or newline has to stand before the end.
        """
        self._skip_newlines()
        commands: List[Statement] = [self._command()]
        while delimited or self._token.kind not in ends:
            self._delimiter()
            if self._token.kind in ends:
                break
            commands.append(self._command())
        return tuple(commands)

    def _command(self) -> Statement:
        if self._token.kind not in _COMPOUND:
            return self._simple_command()
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._error("more than %d blocks, conditionals and loops inside each other" % MAX_NESTING)
        if self._token.kind == "if":
            command: Statement = self._conditional()
        elif self._token.kind == "for":
            command = self._for_loop()
        else:
            command = self._while_loop()
        self._nesting -= 1
        return command

    def _simple_command(self) -> Command:
        where = self._where()
        if self._token.kind not in ("name", "word"):
            raise self._unexpected("a command")
        words = self._words()
        return Command(where, words, self._block(delimited=False) if self._token.kind == "{" else None)

    def _words(self) -> Tuple[Word, ...]:
        """Words up to the next punctuation mark; reserved words are ordinary ones among arguments."""
        words: List[Word] = []
        while self._token.word or self._token.kind in ("name", "word"):
            words.append(self._take().word)
        return tuple(words)

    def _block(self, delimited: bool) -> Block:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._error("more than %d blocks, conditionals and loops inside each other" % MAX_NESTING)
        self._expect("{")
        commands = self._commands(("}",), delimited)
        self._expect("}")
        self._nesting -= 1
        return commands

    def _function(self) -> Function:
        where = self._where()
        self._expect("function")
        name = self._expect("name").word[0].text
        self._skip_newlines()
        return Function(where, name, self._block(delimited=True))

    def _conditional(self) -> Conditional:
        where = self._where()
        branches: List[Tuple[Block, Block]] = []
        otherwise: Block = ()
        while self._token.kind in ("if", "elif"):
            self._take()
            condition = self._commands(("then",))
            self._expect("then")
            branches.append((condition, self._commands(("elif", "else", "fi"))))
        if self._token.kind == "else":
            self._take()
            otherwise = self._commands(("fi",))
        self._expect("fi")
        return Conditional(where, tuple(branches), otherwise)

    def _for_loop(self) -> ForLoop:
        where = self._where()
        self._expect("for")
        name = self._expect("name").word[0].text
        self._expect("in")
        words = self._words()
        self._delimiter()
        return ForLoop(where, name, words, self._loop_body())

    def _while_loop(self) -> WhileLoop:
        where = self._where()
        until = self._take().kind == "until"
        condition = self._commands(("do",))
        return WhileLoop(where, condition, until, self._loop_body())

    def _loop_body(self) -> Block:
        self._expect("do")
        body = self._commands(("done",))
        self._expect("done")
        return body

    def _delimiter(self) -> None:
        if self._token.kind not in (";", "\n"):
            raise self._unexpected("a semicolon or the end of the line")
        self._take()
        self._skip_newlines()

    def _skip_newlines(self) -> None:
        while self._token.kind == "\n":
            self._take()

    def _expect(self, kind: str) -> Token:
        if self._token.kind != kind:
            raise self._unexpected("a name" if kind == "name" else "%r" % kind)
        return self._take()

    def _take(self) -> Token:
        token = self._token
        self._token = self._lexer.next()
        return token

    def _where(self) -> str:
        return "%s line %d" % (self._path, self._token.line)

    def _unexpected(self, wanted: str) -> KexecError:
        kind = self._token.kind
        names = {"end": "the end of the file", "\n": "the end of the line", "name": "a word", "word": "a word"}
        return self._error("%s instead of %s" % (names.get(kind, repr(kind)), wanted))

    def _error(self, message: str) -> KexecError:
        return KexecError("%s: %s" % (self._where(), message))
