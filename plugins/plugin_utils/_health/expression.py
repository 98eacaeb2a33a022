# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JMESPath expressions, read before anything is asked, with the place of what is wrong in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

try:
    import jmespath
    from jmespath.exceptions import IncompleteExpressionError, JMESPathError, LexerError, ParseError
    from jmespath.functions import Functions
    from jmespath.lexer import Lexer
except ImportError:
    HAS_JMESPATH = False
else:
    HAS_JMESPATH = True

_OPENING = ("lparen", "lbracket", "lbrace", "filter")
_CLOSING = ("rparen", "rbracket", "rbrace")


class BadExpression(Exception):
    """What is wrong with an expression, and where, as a sentence."""


@dataclass(frozen=True)
class Expression:
    """An expression that can be evaluated. Made by :func:`read_expression`."""

    text: str
    compiled: Any = field(compare=False)

    def against(self, value: Any) -> str:
        """Why the expression is not true of a decoded JSON value; empty where it is."""
        try:
            found = self.compiled.search(value)
        except (JMESPathError, RecursionError) as error:
            return "expect (%s) cannot be evaluated: %s" % (self.text, error)
        if found is True:
            return ""
        return "expect (%s) gives %s" % (self.text, "null" if found is None else repr(found))


def read_expression(text: str) -> Expression:
    """Raises BadExpression. Functions are looked up too, which JMESPath itself does only when it meets them."""
    if not HAS_JMESPATH:
        raise BadExpression(
            "the Python package jmespath is missing on the control node; install the collection's "
            "requirements.txt with pip"
        )
    try:
        compiled = jmespath.compile(text)
    except IncompleteExpressionError:
        raise _bad(text, len(text), "it ends too early")
    except LexerError as error:
        raise _bad(text, error.lexer_position, error.message)
    except ParseError as error:
        raise _bad(text, error.lex_position, "%r is not expected" % error.token_value)
    except RecursionError:
        raise BadExpression("it is nested too deeply")
    _check_functions(text)
    return Expression(text, compiled)


def _bad(text: str, position: int, what: str) -> BadExpression:
    if position >= len(text):
        return BadExpression("%s, at column %d" % (what, position + 1))
    return BadExpression("%s, at column %d: %s" % (what, position + 1, text[position : position + 30]))


def _check_functions(text: str) -> None:
    tokens: list[Mapping[str, Any]] = list(Lexer().tokenize(text))
    for place, token in enumerate(tokens[:-1]):
        if token["type"] != "unquoted_identifier" or tokens[place + 1]["type"] != "lparen":
            continue
        name, start = token["value"], token["start"]
        known = Functions.FUNCTION_TABLE.get(name)
        if known is None:
            raise _bad(text, start, "there is no function %s()" % name)
        signature = known["signature"]
        wanted, given = len(signature), _arguments(tokens[place + 2 :])
        is_open = bool(signature) and bool(signature[-1].get("variadic"))
        if given < wanted or (given > wanted and not is_open):
            least = "at least " if is_open else ""
            raise _bad(text, start, "%s() takes %s%d, not %d arguments" % (name, least, wanted, given))


def _arguments(tokens: Sequence[Mapping[str, Any]]) -> int:
    """How many arguments stand before the closing parenthesis, in an expression that is well formed."""
    if tokens[0]["type"] == "rparen":
        return 0
    depth, commas = 1, 0
    for token in tokens:
        if token["type"] in _OPENING:
            depth += 1
        elif token["type"] in _CLOSING:
            depth -= 1
            if depth == 0:
                break
        elif token["type"] == "comma" and depth == 1:
            commas += 1
    return commas + 1
