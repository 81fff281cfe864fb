"""Renames that cannot all be true: two successors of one ticker, and circles, in one landing and across several."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.ingestion.actions.rename_rules import NO_CIRCLE, ONE_COMER, ONE_SUCCESSOR, QUARTER, WHOLE_SWAP
from pipeline.ingestion.actions.validate_actions import validate_actions
from tests.frames.market import CALENDAR, DAY, actions, instruments, landing

LATER = CALENDAR.offset(DAY, 5)
MUCH_LATER = CALENDAR.offset(DAY, QUARTER)
LISTED = instruments("AAA", "BBB", "CCC", "DDD")
Rename = tuple[str, str, date]


def refused(
    *renames: Rename,
    standing: pl.DataFrame | None = None,
    listed: pl.DataFrame = LISTED,
    since: date | None = None,
    kind: str = "rename",
) -> list[tuple[str, str]]:
    """Ticker and rule of what is refused of one landing."""
    lines = [{"ticker": old, "ex_date": day.isoformat(), "kind": kind, "successor": new} for old, new, day in renames]
    covers = {"covers": {"since": str(since or CALENDAR.days[0]), "until": None}}
    raw = landing(lines, kind="actions", request=covers)
    known = CORPORATE_ACTIONS.empty() if standing is None else standing
    rows: list[tuple[str, str]] = validate_actions(raw, listed, known, CALENDAR).bad.select("ticker", "rule").rows()
    return rows


def fact(old: str, new: str, day: date, source: str = "test") -> pl.DataFrame:
    return actions(
        {"ticker": old, "kind": "rename", "successor": new, "ex_date": day, "source": source, "amount": None}
    )


@pytest.mark.parametrize("second", [DAY, LATER])
def test_of_two_successors_of_one_ticker_neither_is_believed(second: date) -> None:
    assert refused(("AAA", "BBB", DAY), ("AAA", "CCC", second)) == [("AAA", ONE_SUCCESSOR)] * 2


@pytest.mark.parametrize("second", [DAY, LATER])
def test_a_rename_there_and_back_is_a_circle(second: date) -> None:
    assert refused(("AAA", "BBB", DAY), ("BBB", "AAA", second)) == [("AAA", NO_CIRCLE), ("BBB", NO_CIRCLE)]


def test_companies_that_are_stated_to_swap_their_tickers_go_in_no_circle() -> None:
    two = (("AAA", "BBB", DAY), ("BBB", "AAA", DAY))
    three = (("AAA", "BBB", DAY), ("BBB", "CCC", DAY), ("CCC", "AAA", DAY))
    for swap in (two, three):
        assert refused(*swap, kind="ticker_swap") == []
        assert refused(*swap) == [(old, NO_CIRCLE) for old, *_ in swap]


def test_a_swap_that_is_not_stated_of_each_company_for_one_day_is_refused() -> None:
    assert refused(("AAA", "BBB", DAY), kind="ticker_swap") == [("AAA", WHOLE_SWAP)]
    apart = (("AAA", "BBB", DAY), ("BBB", "AAA", LATER))
    assert refused(*apart, kind="ticker_swap") == [("AAA", NO_CIRCLE), ("BBB", NO_CIRCLE)]


@pytest.mark.parametrize("kind", ["rename", "ticker_swap"])
def test_a_third_company_that_gets_the_ticker_of_a_swap_on_its_day_is_refused_with_the_swap(kind: str) -> None:
    swap = (("AAA", "BBB", DAY), ("BBB", "AAA", DAY))
    stated = refused(("CCC", "AAA", DAY), *swap, kind="ticker_swap")
    assert stated == [("CCC", ONE_COMER), ("AAA", ONE_COMER), ("BBB", ONE_COMER)]
    known = pl.concat([actions(swapped(*one)) for one in swap])
    assert refused(("CCC", "AAA", DAY), standing=known, since=DAY, kind=kind) == [("CCC", ONE_COMER)]
    assert refused(("CCC", "AAA", LATER), standing=known, since=LATER) == [], "a merger into who has it by then"


def swapped(old: str, new: str, day: date) -> dict[str, object]:
    row = {"ticker": old, "kind": "rename", "successor": new, "ex_date": day, "nature": "ticker_swap"}
    return row | {"amount": None, "source": "another"}


def test_companies_may_swap_their_tickers_and_swap_them_back() -> None:
    swap = [(*pair, day) for day in (DAY, LATER) for pair in (("AAA", "BBB"), ("BBB", "AAA"))]
    assert refused(*swap, kind="ticker_swap") == []


def test_a_longer_way_back_is_a_circle_and_what_only_leads_into_it_is_not() -> None:
    circle = (("AAA", "BBB", DAY), ("BBB", "CCC", LATER), ("CCC", "AAA", LATER))
    assert refused(("DDD", "AAA", CALENDAR.days[1]), *circle) == [(old, NO_CIRCLE) for old, *_ in circle]


def test_a_rename_that_closes_a_circle_with_what_is_known_is_refused() -> None:
    known = fact("AAA", "BBB", DAY)
    assert refused(("BBB", "AAA", LATER), standing=known, since=LATER) == [("BBB", NO_CIRCLE)]
    assert refused(("AAA", "CCC", LATER), standing=known, since=LATER) == [("AAA", ONE_SUCCESSOR)]


def test_a_landing_may_replace_what_it_said_of_a_rename_before() -> None:
    assert refused(("AAA", "CCC", LATER), standing=fact("AAA", "BBB", DAY)) == []
    assert refused(("AAA", "CCC", LATER), standing=fact("AAA", "BBB", DAY, "other")) == [("AAA", ONE_SUCCESSOR)]


def test_a_company_may_take_its_old_ticker_back_after_a_quarter() -> None:
    assert refused(("AAA", "BBB", DAY), ("BBB", "AAA", MUCH_LATER)) == []


def test_a_company_that_is_seen_first_under_the_ticker_between_may_be_back_at_once() -> None:
    first_seen = pl.concat([instruments("AAA"), instruments("BBB", listed_on=DAY)])
    assert refused(("AAA", "BBB", DAY), ("BBB", "AAA", LATER), listed=first_seen) == []


def test_a_ticker_that_another_company_came_to_has_a_successor_of_its_own() -> None:
    assert refused(("AAA", "BBB", DAY), ("CCC", "AAA", DAY), ("AAA", "DDD", LATER)) == []
    assert refused(("AAA", "BBB", DAY), ("AAA", "DDD", MUCH_LATER)) == []


def test_renames_of_a_landing_without_coverage_are_read_as_ever() -> None:
    lines = [
        {"ticker": "AAA", "ex_date": DAY.isoformat(), "kind": "rename", "successor": new} for new in ("BBB", "CCC")
    ]
    assert validate_actions(landing(lines, kind="actions"), LISTED, CORPORATE_ACTIONS.empty(), CALENDAR).bad.is_empty()
