"""The operator's ten daily questions, answered from the lake: pure functions for the console and `nextgen status`.

A question is answered by a screen's own functions, so what a script reads is what the operator sees: the sentence, the
sheet in front, and, where a question needs the second key, the story of the sheet's first row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nextgen_tui.cli.error_messages import explained
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.page import Detail
from nextgen_tui.console.screens import PAGES
from nextgen_tui.console.sheet.sheet import Sheet

MOST_ROWS = 20
"""Rows of a sheet that an answer lists; `rows_in_all` tells how many there are."""


@dataclass(frozen=True)
class Question:
    """What an operator asks, and the keys that lead to the answer."""

    asked: str
    keys: tuple[str, ...]
    """A screen's number, then `enter` where the answer is the story of its first row."""


QUESTIONS = (
    Question("Is everything alright, did the last cycle run?", ("1",)),
    Question("What failed, why, and what do I press?", ("1", "enter")),
    Question("Is today's data complete and trustworthy?", ("2",)),
    Question("What does the system expect?", ("3",)),
    Question("Why this forecast?", ("3", "enter")),
    Question("How good were we, and are we still calibrated?", ("4",)),
    Question("What will it trade, and what did it reject?", ("5",)),
    Question("How is the book doing, what is my risk?", ("6",)),
    Question("What has it learned, did the last fix help?", ("7",)),
    Question("What runs next, what did anything change?", ("8",)),
)


@dataclass(frozen=True)
class Answer:
    """What a screen says to a question, as text."""

    question: str
    keys: tuple[str, ...]
    sentence: str
    rows: tuple[dict[str, str], ...]
    """Heading -> words, of the first rows of the sheet in front; none where a story answers."""
    rows_in_all: int
    story: tuple[str, ...]
    """The story's title, then its lines; none where the sheet answers, or there is no row to open."""
    trouble: str
    """Why there is no answer; empty where there is one."""


def answers(view: LakeView) -> tuple[Answer, ...]:
    """Every question answered, in their order. A screen that cannot be read costs only its own answers."""
    return tuple(_answered(view, question) for question in QUESTIONS)


def _answered(view: LakeView, question: Question) -> Answer:
    try:
        return answer(view, question)
    except BaseException as error:  # a storage library's panic is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return Answer(question.asked, question.keys, "", (), 0, (), explained(error)[1])


def answer(view: LakeView, question: Question) -> Answer:
    """One question answered.

    Raises:
        LakeError: if the lake cannot be read.
    """
    page = next(page for page in PAGES if page.number == question.keys[0])
    page.prepare(view)
    data = page.load(view)
    name = page.sheets(data)[0]
    sheet = page.sheet(data, name)
    opens = "enter" in question.keys
    detail = page.detail(view, data, name, sheet.row(0)) if opens and sheet.height else None
    return Answer(
        question=question.asked,
        keys=question.keys,
        sentence=detail.title if detail else page.sentence(data),
        rows=() if detail else tuple(_rows(sheet)),
        rows_in_all=0 if detail else sheet.height,
        story=tuple(told(detail)) if detail else (),
        trouble="",
    )


def told(detail: Detail) -> Iterable[str]:
    """A story's headings and lines, without those that are empty."""
    for section in detail.sections:
        yield from filter(None, (section.heading, *(line.rstrip() for line in plain_text(section.lines).splitlines())))


def _rows(sheet: Sheet) -> Iterable[dict[str, str]]:
    for number in range(min(sheet.height, MOST_ROWS)):
        cells = sheet.cells(number)
        yield {col.heading: cell.text for col, cell in zip(sheet.cols, cells, strict=True)}
