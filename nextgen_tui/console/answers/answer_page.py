"""An answer in SQL as a page: its rows, a line where they are a course in time, and what was asked before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import polars as pl

from lake.contract import Column
from lake.sql.answer import find_columns
from nextgen_tui.console.charts.chart import Chart, Curve, day_ticks
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, note
from nextgen_tui.console.page import Detail, Page, Row, Section, SheetSpec
from nextgen_tui.console.sheet.sheet import Col, Show
from nextgen_tui.remembered.typed_history import SQL
from nextgen_tui.text import formats, table_view
from pipeline.reading.sql.child import SqlQuestion

MAX_ROWS = 5_000
"""Rows of an answer that the console shows."""
MAX_TEXT = 80
"""Characters of a column of texts."""
ROW = "row of the answer"
ROLES = ("own", "other", "benchmark")
"""Of the lines of a picture."""


@dataclass(frozen=True)
class SqlAnswer:
    """What was asked, what came of it, and what was asked before."""

    text: str = ""
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    more: bool = False
    """Whether there are more rows than are shown."""
    moment: str = ""
    """Of what it was asked."""
    asked: tuple[str, ...] = ()
    """Questions, the newest first."""


def question_of(view: LakeView, text: str) -> SqlQuestion:
    """The question, about what was published and known where a view stands."""
    moment = view.at.known or view.runs["as_of"].max() if view.at is not None else None
    as_of = moment.isoformat() if moment is not None else None  # type: ignore[union-attr]
    return SqlQuestion(text=text, limit=MAX_ROWS, versions=view.versions, as_of=as_of)


class AnswerPage(Page[SqlAnswer]):
    """An answer, and what was asked before."""

    number = ""
    name = "Answer"
    question = "What did I ask?"
    tables = ()

    def __init__(self, answer: SqlAnswer) -> None:
        self._answer = answer

    def load(self, view: LakeView) -> SqlAnswer:
        """The answer, which is not read again."""
        del view
        return self._answer

    def sentence(self, data: SqlAnswer) -> str:
        """The question and how many rows answer it."""
        if not data.text:
            return "SQL over any table: :sql SELECT ...; Enter asks again what was asked before."
        rows = formats.counted(data.rows.height, "row")
        return f"{'The first ' if data.more else ''}{rows}{data.moment}: {data.text}"

    def specs(self, data: SqlAnswer) -> tuple[SheetSpec[SqlAnswer], ...]:
        """The rows, where something was asked, and the questions."""
        asked = SheetSpec[SqlAnswer](
            name="asked before",
            frame=_asked,
            cols=(Col("question", "question", str, max_width=200, stretch=True),),
            key=("question",),
            noun="question",
            empty="Nothing was asked yet: `:sql SELECT ticker, point FROM predictions` does.",
            leads=lambda row: f"{SQL}{row['question']}",
        )
        rows = SheetSpec[SqlAnswer](
            name="answer",
            frame=lambda one: one.rows.with_row_index(ROW),
            cols=tuple(_cols(data)),
            key=(ROW,),
            empty="No row answers the question.",
            notes=_notes,
            charts=lambda one, _row: draw_course(one.rows),
            detail=_detail,
        )
        return (rows, asked) if data.text else (asked,)


def _cols(data: SqlAnswer) -> Iterator[Col]:
    """Every column, in the unit of the table it may come from; where there is no room, the last ones go first."""
    units = find_columns(data.text)
    for number, (name, dtype) in enumerate(data.rows.schema.items()):
        show: Show = _text if dtype == pl.String else partial(_figure, units.get(name))
        yield Col(name, name, show, right=dtype.is_numeric(), rank=number, max_width=MAX_TEXT)


def _figure(column: Column | None, value: Any) -> str:
    return table_view.cell(value, column).plain


def _text(value: str | None) -> str:
    return formats.MISSING if value is None else value


def _asked(data: SqlAnswer) -> pl.DataFrame:
    return pl.DataFrame({"question": list(data.asked)}, schema={"question": pl.String})


def _notes(data: SqlAnswer, row: Row) -> tuple[Line, ...]:
    """The chosen row's values, which may not all have a column in sight."""
    return tuple(_values(data, row))


def _values(data: SqlAnswer, row: Row) -> Iterator[Line]:
    units = find_columns(data.text)
    for name, value in row.items():
        if name != ROW:
            yield fact(name, value if isinstance(value, str) else _figure(units.get(name), value), max_length=2_000)


def _detail(view: LakeView, data: SqlAnswer, row: Row) -> Detail:
    del view
    question = Section("Question", (note(data.text, max_length=2_000),))
    return Detail(f"row {row[ROW] + 1} of the answer", (Section("Values", tuple(_values(data, row))), question))


def draw_course(rows: pl.DataFrame) -> tuple[Chart, ...]:
    """The first figures over the first column of days, where each day is there once; nothing otherwise."""
    days = next((name for name, dtype in rows.schema.items() if dtype.is_temporal()), None)
    figures = [name for name, dtype in rows.schema.items() if dtype.is_numeric()][: len(ROLES)]
    if days is None or not figures or rows.height < 2 or rows[days].null_count() or not rows[days].is_unique().all():
        return ()
    course = rows.sort(days)
    at = tuple(float(number) for number in range(course.height))
    lines = tuple(
        Curve(at, tuple(_level(value) for value in course[name].to_list()), role, dotted=bool(number))
        for number, (name, role) in enumerate(zip(figures, ROLES, strict=False))
    )
    legend = tuple(("┄" if one.dotted else "─", one.role, name) for one, name in zip(lines, figures, strict=True))
    named = _days(course[days].to_list())
    return (
        Chart(
            "",
            lines,
            label=partial(formats.number, digits=2),
            legend=legend,
            ticks=day_ticks(named),
            days=tuple(named),
        ),
    )


def _level(value: Any) -> float | None:
    return float(value) if value is not None else None


def _days(values: Sequence[date]) -> list[date]:
    return list(values)
