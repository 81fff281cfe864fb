"""Whatever source and operator say of an action, in whatever order, the book is as if the last word were the first."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.storage.visibility import select_last_revisions
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS
from pipeline.ingestion.actions.corporate_actions import actions
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import landing, moment
from tests.frames.trading import CALENDAR, DAYS, World, assert_reconciled, bar, free

EX = DAYS[3]
KINDS = ("split", "dividend")
Lines = tuple[dict[str, str], ...]


@st.composite
def _lines(draw: st.DrawFn, kind: str) -> Lines:
    """What may be said of the splits, or the dividends, of a day: none, one, or several."""
    terms = (
        [{"numerator": new, "denominator": old} for new, old in (("2", "1"), ("3", "2"), ("1", "7"))]
        if kind == "split"
        else [{"amount": amount} for amount in ("0.24", "1", "3.333333")]
    )
    return tuple(draw(st.lists(st.sampled_from(terms), max_size=2, unique_by=str)))


@st.composite
def talks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Session by session: a source states all of the day, the operator one kind of it, or gives it back."""
    said: list[dict[str, Any]] = []
    for number in range(2, 9):
        if draw(st.booleans()):
            said.append({"at": number, "verb": None, "lines": {kind: draw(_lines(kind)) for kind in KINDS}})
        if draw(st.booleans()):
            kind, verb = draw(st.sampled_from(KINDS)), draw(st.sampled_from(("correct", "withdraw", "release")))
            lines = draw(_lines(kind)) if verb == "correct" else ()
            said.append({"at": number, "verb": verb, "lines": {kind: lines}})
    return said


def land(said: dict[str, Any]) -> Any:
    session = DAYS[said["at"]]
    covers = {"since": str(EX), "until": str(EX)}
    rows = [
        {"ticker": "AAA", "ex_date": str(EX), "kind": kind} | line
        for kind, lines in said["lines"].items()
        for line in lines
    ]
    common: dict[str, Any] = {"kind": "actions", "session": session, "calendar": CALENDAR}
    if said["verb"] is None:
        return landing(rows, request={"covers": covers}, **common)
    (kind,) = said["lines"]
    request = {"ticker": "AAA", "kind": kind, "covers": covers, "verb": said["verb"]}
    return landing(rows, source="operator", ticker="AAA", request=request, **common)


def last_words(talk: list[dict[str, Any]]) -> dict[str, Lines]:
    """Of each kind what counts in the end: the operator's word, unless he gave it back, else the source's last."""
    found: dict[str, Lines] = {}
    for kind in KINDS:
        spoken = [one for one in talk if one["verb"] and kind in one["lines"]]
        stated = [one for one in talk if one["verb"] is None]
        his = bool(spoken) and spoken[-1]["verb"] != "release"
        word = spoken[-1] if his else stated[-1] if stated else {"lines": {}}
        found[kind] = word["lines"].get(kind, ())
    return found


def live(talk: list[dict[str, Any]]) -> World:
    """A hundred shares through all of it."""
    world = World(*[bar("AAA", DAYS[number], 40.0 + number) for number in range(10)], params=free())
    world.order(DAYS[0], "AAA", "buy", 100)
    for number, session in enumerate(DAYS[:10]):
        landed = [land(one) for one in talk if one["at"] <= number]
        if landed:
            at, known = moment(session, calendar=CALENDAR), world.rows("corporate_actions")
            given = (pl.concat(landed), known, INSTRUMENTS.empty(), FX_RATES.empty(), at, IngestionParams())
            world.add(CORPORATE_ACTIONS, actions(*given))
        world.settle(session)
    return world


def tell(world: World) -> Any:
    """What stands of each kind, and what the book made of it."""
    last = select_last_revisions(world.rows("corporate_actions").sort(CORPORATE_ACTIONS.key), CORPORATE_ACTIONS)
    terms = last.select("kind", "numerator", "denominator", "amount").rows()
    book = world.book
    held = {ticker: (one.shares, one.cost) for ticker, one in book.positions.items()}
    return Counter(terms), held, book.cash, book.receivable, book.realised, book.dividends


def check(talk: list[dict[str, Any]]) -> None:
    world = live(talk)
    assert_reconciled(world)
    terms, *accounts = tell(world)
    said = last_words(talk)
    wanted = [("split", int(one["numerator"]), int(one["denominator"]), None) for one in said["split"]]
    wanted += [("dividend", None, None, float(one["amount"])) for one in said["dividend"]]
    assert terms == Counter(wanted)
    first = [{"at": 2, "verb": None, "lines": said}]
    assert accounts == list(tell(live(first))[1:])


QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@settings(max_examples=1, **QUICK)
@given(talks())
def test_the_book_is_as_if_the_last_word_had_been_the_first(talk: list[dict[str, Any]]) -> None:
    check(talk)


@pytest.mark.slow
@settings(max_examples=500, **QUICK)
@given(talks())
def test_five_hundred_books_are_as_if_the_last_word_had_been_the_first(talk: list[dict[str, Any]]) -> None:
    check(talk)
