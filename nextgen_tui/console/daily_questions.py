"""The operator's ten daily questions, answered as data for `nextgen status --json`.

A question is answered by what a screen shows, so that a script and the operator learn the same: the sentence, every row
of the sheet in front with its values as the lake holds them, and, where a question needs the second key, the details
of the sheet's first row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nextgen_tui.cli.error_messages import describe_error
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.page import Detail
from nextgen_tui.console.screens import PAGES
from nextgen_tui.console.sheet.sheet import Sheet


@dataclass(frozen=True)
class DailyQuestion:
    """What an operator asks, and the keys that lead to the answer."""

    question: str
    keys: tuple[str, ...]
    """A screen's number, then `enter` where the answer is the details of its first row."""


DAILY_QUESTIONS = (
    DailyQuestion("Is everything all right, did the last cycle run?", ("1",)),
    DailyQuestion("What failed, why, and what do I press?", ("1", "enter")),
    DailyQuestion("Is today's data complete and trustworthy?", ("2",)),
    DailyQuestion("What does the system expect?", ("3",)),
    DailyQuestion("Why this forecast?", ("3", "enter")),
    DailyQuestion("How good were we, and are we still calibrated?", ("4",)),
    DailyQuestion("What will it trade, and what did it reject?", ("5",)),
    DailyQuestion("How is the book doing, what is my risk?", ("6",)),
    DailyQuestion("What has it learned, did the last fix help?", ("7",)),
    DailyQuestion("What runs next, what did anything change?", ("8",)),
)


@dataclass(frozen=True)
class DailyAnswer:
    """What a screen says to a question."""

    question: str
    keys: tuple[str, ...]
    sentence: str
    rows: tuple[dict[str, Any], ...]
    """Column -> value: every row of the sheet in front, or the one row whose details answer."""
    details: tuple[str, ...]
    """The lines of that row's details; none where the sheet answers, or there is no row to open."""
    error: str
    """Why there is no answer; empty where there is one."""


def answer_daily_questions(view: LakeView) -> tuple[DailyAnswer, ...]:
    """Every question answered, in their order. A screen that cannot be read costs only its own answers."""
    return tuple(_answer_or_error(view, question) for question in DAILY_QUESTIONS)


def _answer_or_error(view: LakeView, question: DailyQuestion) -> DailyAnswer:
    try:
        return answer(view, question)
    except BaseException as error:  # a storage library's panic is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return DailyAnswer(question.question, question.keys, "", (), (), describe_error(error)[1])


def answer(view: LakeView, question: DailyQuestion) -> DailyAnswer:
    """One question answered.

    Raises:
        LakeError: if the lake cannot be read.
    """
    page = next(entry.page for entry in PAGES if entry.number == question.keys[0])
    page.prepare(view)
    data = page.load(view)
    name = page.sheets(data)[0]
    sheet = page.sheet(data, name)
    rows = _rows(sheet)
    opens = "enter" in question.keys
    detail = page.detail(view, data, name, sheet.row(0)) if opens and sheet.height else None
    return DailyAnswer(
        question=question.question,
        keys=question.keys,
        sentence=detail.title if detail else page.sentence(data),
        rows=rows[:1] if detail else rows,
        details=tuple(_lines(detail)) if detail else (),
        error="",
    )


def _lines(detail: Detail) -> Iterable[str]:
    """The headings and lines, without those that are empty."""
    for section in detail.sections:
        yield from filter(None, (section.heading, *(line.rstrip() for line in plain_text(section.lines).splitlines())))


def _rows(sheet: Sheet) -> tuple[dict[str, Any], ...]:
    """What the columns show, as the values behind them."""
    columns = list(dict.fromkeys((*sheet.key, *sheet.sources)))
    return tuple(sheet.visible.select(columns).to_dicts()) if sheet.height else ()
