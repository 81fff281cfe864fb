"""Reads a sentence of the grammar from text that somebody else wrote, and says why where it is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.research.proposing.grammar import (
    MAX_SIZE,
    OF_ONE,
    OF_TWO,
    WINDOWED_JOINS,
    WINDOWS,
    WORDS,
    Sentence,
    join,
)

MAX_LENGTH = 300
"""Characters of the longest text that is read."""
TOKEN = re.compile(r"[a-z_]+|[0-9]{1,3}|[(),]")
SPACE = " "


class GrammarError(ValueError):
    """A text that is no sentence; the words say why."""


def parse_sentence(text: str) -> Sentence:
    """Return the sentence that a text is, as the search itself would have written it.

    Raises:
        GrammarError: saying what is wrong with it.
    """
    if len(text) > MAX_LENGTH:
        raise GrammarError(f"it has {len(text)} characters; at most {MAX_LENGTH} are read")
    tokens = _split(text)
    found, left = _read(tokens, 0)
    if left != len(tokens):
        raise GrammarError(f"something follows its end: {tokens[left]!r}")
    if found.size > MAX_SIZE:
        raise GrammarError(f"it has {found.size} words; at most {MAX_SIZE} are tried")
    return found


def _split(text: str) -> Sequence[str]:
    """The tokens of a text, which has nothing but these and spaces."""

    def each() -> Iterator[str]:
        at = 0
        while at < len(text):
            if text[at] == SPACE:
                at += 1
                continue
            found = TOKEN.match(text, at)
            if found is None:
                raise GrammarError(f"the sign {text[at]!r} is not of the grammar")
            yield found.group()
            at = found.end()

    return tuple(each())


def _read(tokens: Sequence[str], at: int) -> tuple[Sentence, int]:
    """The sentence that begins at a token, and where the next one begins."""
    word, at = _take(tokens, at), at + 1
    if not word.isidentifier():
        raise GrammarError(f"a word is expected where {word!r} stands")
    if _take(tokens, at) != "(":
        raise GrammarError(f"{word} needs parentheses")
    parts: list[Sentence] = []
    window = 0
    while True:
        at += 1
        if _take(tokens, at).isdigit():
            window, at = int(tokens[at]), at + 1
            if _take(tokens, at) != ")":
                raise GrammarError(f"the number of {word} comes last")
        else:
            part, at = _read(tokens, at)
            parts.append(part)
        if _take(tokens, at) == ")":
            return _make(word, window, parts), at + 1
        if tokens[at] != ",":
            raise GrammarError(f"a comma is expected where {tokens[at]!r} stands")


def _take(tokens: Sequence[str], at: int) -> str:
    if at >= len(tokens):
        raise GrammarError("it ends too early")
    return tokens[at]


def _make(word: str, window: int, parts: list[Sentence]) -> Sentence:
    """A sentence of its parts, if the grammar has it."""
    if word in WORDS:
        if parts:
            raise GrammarError(f"{word} has no parts")
        if window not in WINDOWS:
            raise GrammarError(f"{word} is not tried at {window or 'no'} sessions")
        return Sentence(word, window)
    if word not in (*OF_ONE, *OF_TWO):
        raise GrammarError(f"there is no word {word!r}")
    if window not in WINDOWED_JOINS.get(word, (0,)):
        raise GrammarError(f"{word} is not tried at {window or 'no'} sessions")
    if len(parts) != (2 if word in OF_TWO else 1):
        raise GrammarError(f"{word} takes {2 if word in OF_TWO else 1} and has {len(parts)}")
    return join(word, *parts) if word in OF_TWO else Sentence(word, window, tuple(parts))
