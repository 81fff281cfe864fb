"""Rates of currencies come from the operator's file and from Yahoo's charts, and from there into the lake."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lake.tables.market import FX_RATES, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS
from pipeline.ingestion.sources.errors import SourceError
from tests.loopback.yahoo import Yahoo, serving
from tests.pipeline.ingestion.sources.test_files import csv, files, week
from tests.pipeline.ingestion.sources.test_yahoo import DAYS, daily
from tests.pipeline.ingestion.sources.yahoo_lake import loaded, rows, yahoo_source

MONDAY, FRIDAY, NEXT = date(2020, 6, 1), date(2020, 6, 5), date(2020, 6, 8)


def landed(path: str, tmp_path: Path, since: date, session: date, *, history: bool = False) -> str:
    """The payload of the rates that a fetch lands; empty without one."""
    source = files(csv(tmp_path / "bars.csv", *week("AAA")), fx=path)
    found = source.prices(since, session, history=history).filter(kind="rates")
    return str(found["payload"].item()) if found.height else ""


def rates(path: Path, *lines: str, header: str = "date,base,quote,rate") -> str:
    return csv(path, *lines, header=header)


def test_a_load_lands_the_rates_until_its_end_and_earlier_ones_and_a_day_its_last_five(tmp_path: Path) -> None:
    days = [f"2020-0{month}-0{day}" for month in (5, 6) for day in (1, 4, 8)]
    path = rates(tmp_path / "fx.csv", *(f"{day},EUR,USD,1.1" for day in days), "soon,EUR,USD,1.1")
    load = landed(path, tmp_path, MONDAY, FRIDAY, history=True)
    assert [day in load for day in (*days, "soon")] == [True, True, True, True, True, False, True]
    day = landed(path, tmp_path, FRIDAY, FRIDAY)
    assert [one in day for one in (*days, "soon")] == [False, False, False, True, True, False, False]


def test_a_rate_published_late_is_landed_when_it_was_published(tmp_path: Path) -> None:
    header = "date,pair,rate,available_at"
    path = rates(tmp_path / "fx.csv", "2020-01-06,EURUSD,1.1,2020-06-05 12:00", header=header)
    thursday = date(2020, 6, 4)
    found = {day: "2020-01-06" in landed(path, tmp_path, day, day) for day in (thursday, FRIDAY, NEXT)}
    assert found == {thursday: False, FRIDAY: True, NEXT: False}


def test_days_in_another_form_are_read(tmp_path: Path) -> None:
    path = rates(tmp_path / "fx.csv", "25.05.2020,EUR,USD,1.1", "05.06.2020,EUR,USD,1.2")
    assert '"2020-06-05"' in landed(path, tmp_path, FRIDAY, FRIDAY)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("date,base,rate", "it needs the columns base and quote, or pair"),
        ("date,base,quote,what", "has no column for 'rate'"),
        ("what,base,quote,rate", "has no column for 'session'"),
    ],
)
def test_a_file_of_rates_that_lacks_a_column_is_refused(tmp_path: Path, header: str, words: str) -> None:
    row = ",".join(["2020-06-01", "EUR", "USD", "1.1"][: header.count(",") + 1])
    with pytest.raises(SourceError) as caught:
        landed(rates(tmp_path / "fx.csv", row, header=header), tmp_path, MONDAY, FRIDAY)
    assert words in str(caught.value)


def test_a_file_of_rates_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"fx\.csv"):
        landed(str(tmp_path / "fx.csv"), tmp_path, MONDAY, FRIDAY)


def test_yahoos_pairs_become_rates_and_neither_prices_nor_listings(tmp_path: Path) -> None:
    zone: dict[str, Any] = {"exchangeTimezoneName": "America/New_York"}
    closes = [1.08 + number / 1000 for number in range(len(DAYS))]
    charts = {"AAA": daily("AAA"), "EURUSD=X": daily("EURUSD=X", closes=closes, volume=[0] * len(DAYS), **zone)}
    with serving(Yahoo(charts=charts)) as yahoo:
        lake = loaded(tmp_path / "lake", yahoo_source(yahoo, tmp_path, "AAA", fx_pairs=("EURUSD",)), DAYS[0], DAYS[-1])
    found = rows(lake, FX_RATES)
    assert found["session"].to_list() == DAYS[:-1], "the last day's rate was not over at its close"
    assert found["rate"].to_list() == [Decimal(repr(close)).quantize(Decimal("1e-12")) for close in closes[:-1]]
    assert set(rows(lake, MARKET_PRICES)["ticker"]) == set(rows(lake, INSTRUMENTS)["ticker"]) == {"AAA"}
    assert rows(lake, QUARANTINED_ROWS).is_empty()


def test_a_pair_that_yahoo_does_not_know_is_told_and_stops_nothing(tmp_path: Path) -> None:
    with serving(Yahoo(charts={"AAA": daily("AAA")})) as yahoo:
        lake = loaded(tmp_path / "lake", yahoo_source(yahoo, tmp_path, "AAA", fx_pairs=("EURUSD",)), DAYS[0], DAYS[-1])
    assert rows(lake, FX_RATES).is_empty()
    left = rows(lake, QUARANTINED_ROWS).select("target", "ticker", "rule").rows()
    assert left == [("fx_rates", "EURUSD", "the vendor knows the symbol")]
    assert rows(lake, MARKET_PRICES).height == len(DAYS)
