"""What is kept of a listing."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from lake.tables.market import INSTRUMENTS
from pipeline.engine.stage import Moment
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.universe.instruments import instruments as stage
from pipeline.ingestion.universe.instruments import validate_listings
from tests.frames.market import CALENDAR, DAY, landing, moment

NEXT = CALENDAR.next(DAY)
LISTING = {"ticker": "AAA", "name": "Alpha", "sector": "energy", "role": "stock", "listed_on": "2019-05-01"}


def computed(*raws: pl.DataFrame, known: pl.DataFrame | None = None, at: Moment | None = None) -> pl.DataFrame:
    known = INSTRUMENTS.empty() if known is None else known
    return INSTRUMENTS.check(stage(pl.concat(raws), known, at or moment(), IngestionParams()))


def landed(*lines: Any, **values: Any) -> pl.DataFrame:
    return landing(lines, kind="listings", **values)


def test_what_a_listing_does_not_say_is_filled_from_the_request_and_the_session() -> None:
    row = computed(landed({"ticker": "AAA"})).row(0, named=True)
    assert (row["name"], row["sector"], row["role"]) == ("AAA", "unknown", "stock")
    assert (row["exchange"], row["currency"], row["listed_on"]) == ("XNYS", "USD", DAY)


def test_the_last_statement_counts() -> None:
    raws = [landed(LISTING), landed(LISTING | {"sector": "finance"}, session=NEXT)]
    assert computed(*raws, at=moment(NEXT, since=DAY))["sector"].to_list() == ["finance"]


def test_a_listing_that_says_nothing_new_gives_no_row() -> None:
    first = computed(landed(LISTING))
    assert computed(landed(LISTING, session=NEXT), known=first, at=moment(NEXT)).is_empty()


def test_the_first_date_stays_where_a_later_listing_has_none() -> None:
    first = computed(landed(LISTING))
    later = computed(landed(LISTING | {"listed_on": None, "name": "Beta"}, session=NEXT), known=first, at=moment(NEXT))
    assert later.select("name", "listed_on").rows() == [("Beta", date(2019, 5, 1))]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"ticker": "<b>"}, "ticker is well-formed"),
        ({"role": "king"}, "role is stock or benchmark"),
        ({"currency": "dollars"}, "currency is known"),
        ({"exchange": "NYSE!"}, "exchange is known"),
        ({"listed_on": "long ago"}, "listed_on is readable"),
        ({"listed_on": "2031-01-01"}, "listed by the landing"),
    ],
)
def test_a_listing_that_breaks_a_rule_is_set_aside_by_name(changes: dict[str, str], rule: str) -> None:
    good, bad = validate_listings(landed(LISTING | changes))
    assert good.is_empty()
    assert bad["rule"].to_list() == [rule]


def test_a_currency_that_is_another_than_known_is_a_change_from_the_session_that_brings_it() -> None:
    first = computed(landed(LISTING))
    assert first["earlier_currencies"].to_list() == [None]
    days = [CALENDAR.offset(DAY, number) for number in range(1, 5)]
    told = zip(days, ("EUR", "EUR", "GBX", "GBP"), strict=True)
    raws = [landed(LISTING | {"currency": currency}, session=day) for day, currency in told]
    once = computed(*raws, known=first, at=moment(days[3], since=days[0]))
    assert once.select("currency", "earlier_currencies").rows() == [("GBP", f"USD:{days[0]};EUR:{days[2]}")]
    known = first
    for day, raw in zip(days, raws, strict=True):
        fresh = computed(raw, known=known, at=moment(day))
        known = fresh if fresh.height else known
    assert known.equals(once), "whether the sessions are computed at once or one by one"
