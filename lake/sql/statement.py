"""A question in SQL before it is answered: refused if it could reach beyond the lake, and which tables it is about."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from lake.errors import LakeError

MAX_LENGTH = 20_000
"""Characters of a question."""
READERS = re.compile(r"(?i)\b(?:read|scan)_[a-z0-9_]*")
"""How the functions begin that open files. Looked for in the whole text, in quotes and comments too: what takes a
statement apart in another way than polars does could be led past one."""
OPENING = re.compile(r"(?s)(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*")
ASKING = ("select", "with", "from")
"""How a question begins; all else would change something, or list what is not of the lake."""
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EVERY_COLUMN = re.compile(r"(?i)\*|\bnatural\b|\bcolumns\s*\(|^\s*from\b")
COUNTS = re.compile(r"(?i)count\s*\(\s*\*\s*\)")


class SqlError(LakeError):
    """A question that is not answered; the text says why, and what to write instead."""


def check_statement(text: str) -> str:
    """The question without white space around it and a semicolon after it.

    Raises:
        SqlError: if it is empty, too long, no question, or could read a file.
    """
    text = text.strip().removesuffix(";").rstrip()
    if len(text) > MAX_LENGTH:
        raise SqlError(f"the question has {len(text):,} characters; it may have {MAX_LENGTH:,}")
    start = OPENING.match(text)
    first = WORD.match(text, start.end() if start else 0)
    if first is None or first[0].lower() not in ASKING:
        begins = repr(first[0]) if first else "nothing that can be read"
        raise SqlError(f"SQL here only asks, and this begins with {begins}; begin with SELECT or WITH")
    if found := READERS.search(text):
        raise SqlError(f"{found[0]} could read a file, and SQL here reads tables of the lake only; name one of them")
    return text


def find_names(text: str, names: Collection[str]) -> list[str]:
    """Which of the names stand in the question, in any case; one in a text or comment counts as well."""
    there = {word.lower() for word in WORD.findall(text)}
    return [name for name in names if name.lower() in there]


def choose_columns(text: str, schema: Mapping[str, object], key: Sequence[str]) -> tuple[str, ...]:
    """The columns of a table that the question can be about; all where a star or a pattern stands for them.

    Args:
        text: the question.
        schema: the table's columns.
        key: columns that are taken in any case, so that rows can be counted.
    """
    if EVERY_COLUMN.search(COUNTS.sub("", text)):
        return tuple(schema)
    wanted = {*find_names(text, schema), *key}
    return tuple(name for name in schema if name in wanted)


def name_nearest(what: str, name: str, names: Collection[str], otherwise: str) -> str:
    """That there is no such table or column, with the nearest there is."""
    near = get_close_matches(name.lower(), names, n=1)
    return f"there is no {what} {name!r}; " + (f"did you mean {near[0]!r}?" if near else otherwise)
