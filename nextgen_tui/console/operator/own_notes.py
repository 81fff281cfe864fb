"""The operator's own notes in the console: which thing a row is about, what was written on it, and writing more."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from lake.tables.research import NOTES
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact
from nextgen_tui.console.page import Section
from nextgen_tui.console.sheet.sheet import Style
from nextgen_tui.text import formats
from pipeline.control.operator.notes import read_words
from pipeline.engine.child_command import python_command
from pipeline.reading.notes.scored_notes import score_notes

NAMES = ("trade_id", "plan_id", "ticker", "run_id")
"""Columns of a row that say what it is about, the closest first."""
STYLES: dict[str, Style] = {"hit": "good", "missed": "bad", "open": "accent"}
MAX_SHOWN = 10
"""Notes that a story tells."""


class NoteError(ValueError):
    """A note was not recorded; the text says why."""


def find_target(row: Mapping[str, Any]) -> str:
    """The trade, plan, ticker or run that a row is about; empty where it is about none."""
    return next((str(row[name]) for name in NAMES if row.get(name)), "")


def read_notes(view: LakeView) -> pl.DataFrame:
    """Every note by the moment shown, with what was known then of how it came out; read once for a view.

    Raises:
        LakeError: if the lake cannot be read.
    """
    if not view.lake.has_table(NOTES):
        return pl.DataFrame()
    known = view.session if view.at is not None else None
    return view.remember("notes of the operator", lambda: score_notes(view.lake, known))


def note_section(view: LakeView, row: Mapping[str, Any]) -> Section | None:
    """What was written about the row's ticker or run; None where nothing was."""
    notes = read_notes(view)
    if notes.is_empty():
        return None
    about = pl.col("target") == find_target(row)
    mine = notes.filter(about | (pl.col("ticker") == row["ticker"]) if row.get("ticker") else about)
    if mine.is_empty():
        return None
    lines = tuple(note_line(one) for one in mine.head(MAX_SHOWN).iter_rows(named=True))
    return Section("Your notes", lines)


def note_line(row: Mapping[str, Any]) -> Line:
    """A note with what it foretold and what came of it."""
    told = "".join(f" {words}" for words in _outcome(row))
    return fact(formats.day(row["session"]), f"{row['text']}{told}", STYLES.get(row["state"], ""), max_length=1_000)


def _outcome(row: Mapping[str, Any]) -> Iterator[str]:
    if row["direction"]:
        yield f"[{row['direction']} {row['horizon']}: {row['state']}]"
    if row["realised"] is not None:
        base = f", {formats.percent(row['base'], 0)} of names went that way" if row["base"] is not None else ""
        yield f"{formats.percent(row['realised'], 1, signed=True)}{base}"


def record_note(lake: Path, target: str, words: str) -> str:
    """Put a note on record by a child, as decisions are; return what stands.

    Raises:
        NoteError: if it is refused.
    """
    text, expected = read_words(words)
    foretells = [f"--{expected.direction}", str(expected.horizon)] if expected else []
    options = ["--lake", lake, "note", "add", "--origin", "console", *foretells, "--", target, text]
    child = subprocess.run(
        python_command("nextgen_tui.cli.main", *options), capture_output=True, text=True, check=False
    )
    if child.returncode:
        said = (child.stderr.strip().splitlines() or ["the note was not recorded; no reason was given"])[-1]
        raise NoteError(said.removeprefix("Error: "))
    return child.stdout.strip()
