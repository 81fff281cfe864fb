"""The two streams of a command: data on stdout, narration on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from nextgen_tui.cli.progress import Progress, show_progress
from nextgen_tui.text.safe_text import safe_text

if TYPE_CHECKING:
    import polars as pl

PLAIN_WIDTH = 160
"""Columns of a table that goes to a file or pipe, where no terminal gives a width."""


class Output:
    """Writes results to stdout, as tables or as JSON, and says on stderr what is going on."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, stdout: TextIO | None = None) -> None:
        self.as_json = as_json
        self.quiet = quiet
        stdout = stdout or sys.stdout
        width = None if stdout.isatty() else PLAIN_WIDTH
        self.data = Console(file=stdout, highlight=False, markup=False, emoji=False, width=width, soft_wrap=False)
        self.narration = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def show(self, renderable: RenderableType) -> None:
        """Write something to look at; nothing where JSON was asked for."""
        if not self.as_json:
            self.data.print(renderable)

    def document(self, text: str) -> None:
        """Write text as it is, never wrapped; nothing where JSON was asked for."""
        if not self.as_json:
            self.data.file.write(text)

    def record(self, content: Any) -> None:
        """Write one JSON document; nothing unless JSON was asked for."""
        if self.as_json:
            self.data.file.write(json.dumps(content, default=to_json_value, indent=2) + "\n")

    def say(self, sentence: str) -> None:
        """Tell the operator something beside the data; nothing with --quiet."""
        if not self.quiet:
            self.narration.print(Text(safe_text(sentence, 1_000)), soft_wrap=True)

    def show_error(self, sentence: str) -> None:
        """Say what went wrong, with --quiet as well."""
        lines = "\n".join(safe_text(line, 1_000) for line in sentence.splitlines())
        line = Text.assemble(("Error: ", "bold red"), lines)
        self.narration.print(line, soft_wrap=True)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """Give a callable (what, done, total) that keeps the operator informed while the block works."""
        with show_progress(self.narration, title, quiet=self.quiet) as progress:
            yield progress


def to_records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as JSON takes them."""
    return frame.to_dicts()


def to_json_value(value: Any) -> Any:
    """A value that JSON has no type for, as text: ISO dates and instants, exact decimals.

    Raises:
        TypeError: for any other type.
    """
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    raise TypeError(f"{type(value).__name__} has no JSON form")
