"""Exchange rates become facts, exact and known when they were public, and what is no rate is set aside in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.market import FX_RATES
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.rates.fx_rates import fx_rates
from pipeline.ingestion.rates.validate_rates import validate_rates
from tests.frames.market import CALENDAR, DAY, landing, moment
from tests.loopback.yahoo import chart

BEFORE, NEXT = CALENDAR.previous(DAY), CALENDAR.next(DAY)
LAG = timedelta(minutes=15)


def line(rate: object = "1.10", day: date | str = DAY, **values: str) -> dict[str, Any]:
    return {"session": str(day), "base": "EUR", "quote": "USD", "rate": str(rate)} | values


def kept(
    *lines: dict[str, Any], known: pl.DataFrame | None = None, session: date = DAY, since: date | None = None
) -> pl.DataFrame:
    raw = landing(lines, kind="rates", session=session)
    before = FX_RATES.empty() if known is None else known
    return FX_RATES.check(fx_rates(raw, before, moment(session, since=since), IngestionParams()))


def refused(**values: str) -> str:
    """The rule that the line breaks, which posts nothing."""
    raw = landing([line(**values)], kind="rates")
    assert kept(line(**values)).is_empty()
    return str(validate_rates(raw).bad["rule"].item())


def test_a_rate_is_exact_and_known_at_the_close_of_its_session() -> None:
    row = kept(line("1.1050000000012")).row(0, named=True)
    assert (row["base"], row["quote"], row["session"], row["revision"]) == ("EUR", "USD", DAY, 0)
    assert row["rate"] == Decimal("1.105000000001")
    assert row["available_at"] == CALENDAR.close_at(DAY) + LAG


def test_a_rate_of_a_day_without_a_session_is_known_at_the_next_one() -> None:
    saturday = date(2020, 3, 7)
    row = kept(line(day=saturday), session=date(2020, 3, 9)).row(0, named=True)
    assert (row["session"], row["available_at"]) == (saturday, CALENDAR.close_at(date(2020, 3, 9)) + LAG)


def test_a_changed_rate_is_a_revision_known_at_the_landing_that_brought_it() -> None:
    first = kept(line("1.10"))
    again = kept(line("1.10"), line("1.12", BEFORE), known=first, session=NEXT)
    assert again["session"].to_list() == [BEFORE], "an equal rate says nothing new"
    changed = kept(line("1.11"), known=first, session=NEXT).row(0, named=True)
    assert (changed["revision"], changed["rate"]) == (1, Decimal("1.11"))
    assert changed["available_at"] == CALENDAR.close_at(NEXT) + LAG


def test_rates_that_say_when_they_were_public_become_revisions_in_that_order() -> None:
    at = CALENDAR.close_at(BEFORE)
    lines = [
        line("1.12", BEFORE, available_at=(at + timedelta(hours=2)).isoformat()),
        line("1.11", BEFORE, available_at=at.isoformat()),
    ]
    rows = kept(*lines)
    assert rows.select("revision", "rate", "available_at").rows() == [
        (0, Decimal("1.11"), at),
        (1, Decimal("1.12"), at + timedelta(hours=2)),
    ]
    assert kept(*lines, known=rows, session=NEXT).is_empty(), "told again, nothing is new"


def test_a_rate_that_is_not_public_yet_does_not_exist() -> None:
    assert kept(line(available_at=CALENDAR.close_at(NEXT).isoformat())).is_empty()


def test_history_comes_in_one_landing() -> None:
    days = CALENDAR.between(date(2020, 2, 3), DAY)
    rows = kept(*(line(Decimal(n + 1), day) for n, day in enumerate(days)), since=days[0])
    assert rows["session"].to_list() == days
    assert rows["available_at"].to_list() == [CALENDAR.close_at(day) + LAG for day in days]


@pytest.mark.parametrize(
    ("base", "quote", "rate", "pair", "whole"),
    [
        ("GBX", "USD", "0.0125", ("GBP", "USD"), "1.25"),
        ("USD", "GBp", "80", ("USD", "GBP"), "0.8"),
        ("ZAc", "ILA", "0.2", ("ZAR", "ILS"), "0.2"),
        ("eur", "usd", "1.1", ("EUR", "USD"), "1.1"),
    ],
)
def test_a_unit_is_brought_to_its_currency(base: str, quote: str, rate: str, pair: tuple[str, str], whole: str) -> None:
    row = kept(line(rate, base=base, quote=quote)).row(0, named=True)
    assert ((row["base"], row["quote"]), row["rate"]) == (pair, Decimal(whole))


@pytest.mark.parametrize("pair", ["EURUSD", "EUR/USD", "EUR-USD", "EURUSD=X"])
def test_a_pair_may_stand_in_one_column(pair: str) -> None:
    row = kept({"session": str(DAY), "pair": pair, "rate": "1.1"}).row(0, named=True)
    assert (row["base"], row["quote"]) == ("EUR", "USD")


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"rate": "0"}, "a rate is positive"),
        ({"rate": "-1.1"}, "a rate is positive"),
        ({"rate": ""}, "rate is a number"),
        ({"rate": "1,1"}, "rate is a number"),
        ({"rate": "NaN"}, "rate is a number"),
        ({"rate": "Infinity"}, "rate is a number"),
        ({"rate": "1e999999999"}, "rate is from 1e-12 to 1e12"),
        ({"rate": "1e-13"}, "rate is from 1e-12 to 1e12"),
        ({"rate": "1" * 5_000}, "rate is a number"),
        ({"base": "EURO"}, "base and quote are currencies"),
        ({"quote": "$"}, "base and quote are currencies"),
        ({"base": "USD"}, "a pair has two currencies"),
        ({"base": "GBX", "quote": "GBP"}, "a pair has two currencies"),
        ({"day": "soon"}, "day is readable"),
        ({"day": str(NEXT)}, "day is not after the landing"),
        ({"available_at": "yesterday"}, "available_at is readable"),
    ],
)
def test_what_is_no_rate_is_set_aside_by_the_rule_it_breaks(values: dict[str, str], rule: str) -> None:
    assert refused(**values) == rule


def test_two_rates_of_one_day_in_one_answer_leave_the_first() -> None:
    raw = landing([line("1.10"), line("1.10"), line("1.11")], kind="rates")
    assert kept(line("1.10"), line("1.10"), line("1.11"))["rate"].to_list() == [Decimal("1.1")]
    bad = validate_rates(raw).bad
    assert bad.select("ticker", "line", "rule").rows() == [("EURUSD", 2, "a day has one rate of a pair")]


def test_other_landings_hold_no_rates() -> None:
    assert validate_rates(landing([line()], kind="bars")).good.is_empty()


# ---- charts


def charted(*closes: float | None, currency: str = "USD", until: date = DAY, pair: str = "EURUSD") -> pl.DataFrame:
    """The landing of a chart whose days end with DAY, in London's time."""
    days = [CALENDAR.offset(DAY, 1 - len(closes) + number) for number in range(len(closes))]
    stamps = [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day in days]
    quotes = {name: list(closes) for name in ("open", "high", "low", "close")} | {"volume": [0] * len(closes)}
    body = chart(f"{pair}=X", stamps, quotes, currency=currency, exchangeTimezoneName="Europe/London").body
    asked = {"ticker": pair, "until": until.isoformat()}
    return landing([body], kind="rates", ticker=f"{pair}=X", form="yahoo-chart", request=asked, session=until)


def of_chart(raw: pl.DataFrame, session: date = DAY) -> pl.DataFrame:
    return FX_RATES.check(fx_rates(raw, FX_RATES.empty(), moment(session), IngestionParams()))


def test_a_charts_rate_is_known_when_its_day_ended_and_not_before() -> None:
    rows = of_chart(charted(1.1, None, 1.1023, 1.2))
    assert rows.select("session", "rate").rows() == [
        (CALENDAR.offset(DAY, -3), Decimal("1.1")),
        (BEFORE, Decimal("1.1023")),
    ], "the rate of the session's own day was still moving"
    assert rows["available_at"].to_list()[1] == datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)


def test_days_of_a_chart_after_those_asked_for_are_passed_over() -> None:
    parts = validate_rates(charted(1.1, 1.2, 1.3, until=BEFORE))
    assert parts.good["session"].to_list() == [CALENDAR.previous(BEFORE), BEFORE]
    assert parts.bad.is_empty()


def test_a_chart_in_pence_is_brought_to_pounds() -> None:
    assert of_chart(charted(80.0, 80.0, currency="GBp", pair="USDGBP"))["rate"].to_list() == [Decimal("0.8")]


def test_a_chart_in_another_currency_is_set_aside() -> None:
    bad = validate_rates(charted(1.1, 1.2, currency="JPY")).bad
    assert bad.select("ticker", "rule").rows() == [("EURUSD", "the chart is in the currency asked for")]


def test_an_answer_that_is_no_chart_is_set_aside() -> None:
    raw = landing(["<html>"], kind="rates", ticker="EURUSD=X", form="yahoo-chart", request={"ticker": "EURUSD"})
    assert validate_rates(raw).bad["rule"].to_list() == ["the answer is readable"]
