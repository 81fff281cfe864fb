"""A TOML document whose values know their line, so that an error can say where to look."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pipeline.config import ConfigError

HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(?:#.*)?$")
KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
AT_LINE = re.compile(r"at line (\d+)")
KINDS: dict[type, str] = {
    str: "a string in quotes",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


class ScheduleError(ConfigError):
    """The schedule cannot be used; each line of the text names a line of the file, what is wrong, and the fix."""


class ErrorList:
    """Collects everything that is wrong with a document, so that it can be fixed in one go."""

    def __init__(self, origin: str, text: str) -> None:
        self.origin = origin
        self._lines = find_line_numbers(text)
        self._found: dict[str, int] = {}

    def add(self, path: str, what: str) -> None:
        """Add what is wrong at a dotted path."""
        line = self.line(path)
        self._found.setdefault(f"{self.origin}:{line}: {path}: {what}" if path else f"{self.origin}: {what}", line)

    def line(self, path: str) -> int:
        """The line where the path is set, or the nearest thing above it that is."""
        while path and path not in self._lines:
            path = path.rpartition(".")[0]
        return self._lines.get(path, 1)

    def check(self) -> None:
        """Raise the errors, sorted by line.

        Raises:
            ScheduleError: if there are any.
        """
        if self._found:
            raise ScheduleError("\n".join(sorted(self._found, key=lambda text: self._found[text])))


@dataclass(frozen=True)
class TomlTable:
    """A table of the document, read key by key."""

    values: Mapping[str, Any]
    path: str
    errors: ErrorList
    written: Mapping[str, str] = field(default_factory=dict)
    """Key -> the older name under which the document has it."""

    def accept_old_names(self, renamed: Mapping[str, str]) -> TomlTable:
        """The table with keys by their present names.

        Args:
            renamed: old name -> present name.
        """
        written = {renamed[name]: name for name in self.values if name in renamed}
        for name, old in written.items():
            if name in self.values:
                self.errors.add(
                    f"{self.path}.{old}", f"is the old name of {name!r}, which is set too; drop one of them"
                )
        return replace(self, values={renamed.get(k, k): v for k, v in self.values.items()}, written=written)

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Add an error for every key that is not known."""
        for name in self.values:
            if name not in known:
                self.errors.add(self.path_of(name), f"unknown key{suggest(name, known)}")

    def read(self, name: str, kind: type, default: Any) -> Any:
        """The value of a key; the default where it is missing or, with an error, of another type."""
        value = self.values.get(name, default)
        if name in self.values and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            self.add_error(name, f"must be {KINDS[kind]}, got {value!r}")
            return default
        return value

    def strings(self, name: str) -> tuple[str, ...]:
        """A list of strings; one string stands for a list of one."""
        value = self.values.get(name, [])
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            self.add_error(name, f"must be a list of strings, got {value!r}")
            return ()
        return tuple(items)

    def tables(self, name: str) -> list[TomlTable]:
        """The tables below a key, in the order of the document."""
        below = self.read(name, dict, {})
        found = []
        for child, values in below.items():
            at = f"{self.path_of(name)}.{child}"
            if isinstance(values, dict):
                found.append(TomlTable(values, at, self.errors))
            else:
                self.errors.add(at, f"must be a table: write [{at}] with its keys below")
        return found

    def add_error(self, name: str, what: str) -> None:
        """Add an error at a key of this table."""
        self.errors.add(self.path_of(name), what)

    def path_of(self, name: str) -> str:
        """The dotted path of a key."""
        name = self.written.get(name, name)
        return f"{self.path}.{name}" if self.path else name


def parse_document(text: str, origin: str) -> TomlTable:
    """Read a TOML text.

    Raises:
        ScheduleError: if it is not valid TOML, naming the line.
    """
    try:
        return TomlTable(tomllib.loads(text), "", ErrorList(origin, text))
    except tomllib.TOMLDecodeError as error:
        line = AT_LINE.search(str(error))
        where = f"{origin}:{line[1]}" if line else origin
        raise ScheduleError(f"{where}: this is not valid TOML: {error}") from error


def read_text(path: Path) -> str:
    """The file's text.

    Raises:
        ScheduleError: if it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScheduleError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScheduleError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error


def find_line_numbers(text: str) -> dict[str, int]:
    """Find dotted path -> the line where it is set. Keys inside a list or an inline table have their owner's line."""
    found: dict[str, int] = {}
    prefix = ""
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(
            r'"(?:\\.|[^"\\])*"|\'[^\']*\'', lambda m: m[0] if "=" not in m[0] and "[" not in m[0] else "''", line
        )
        code = code.split("#")[0]
        if depth == 0 and (header := HEADER.match(code)):
            prefix = _parse_path(header[1])
            found.setdefault(prefix, number)
            continue
        if depth == 0 and (key := KEY.match(code)):
            found.setdefault(f"{prefix}.{_parse_path(key[1])}" if prefix else _parse_path(key[1]), number)
        depth = max(depth + sum(code.count(sign) for sign in "[{") - sum(code.count(sign) for sign in "]}"), 0)
    return found


def suggest(name: str, known: Collection[str]) -> str:
    """Suggest the closest of the known names, or all of them if they are few."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; choose from {', '.join(known)}" if 0 < len(known) <= 20 else ""


def _parse_path(text: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in text.split("."))
