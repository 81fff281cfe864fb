"""Files that are not what they seem are told about before a lake is made of them, each with the way out."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.checks.understanding import Understanding
from pipeline.ingestion.sources.files.dates import correct_days
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from pipeline.market.sessions import exchange_sessions
from tests.price_files.true_market import true_market

MARKET = true_market("XNYS", tickers=2, months=8)
BARS = MARKET.bars.rename({"session": "date"})


def understood(folder: Path, bars: pl.DataFrame, exchange: str = "XNYS", **settings: Any) -> Understanding:
    """What is understood of one file with these bars."""
    bars.write_csv(folder / "all.csv")
    params = FilesParams(prices=(str(folder / "all.csv"),), **settings)
    return FilesSource(params, exchange_sessions(exchange)).understand()


def test_sound_files_have_no_problem(tmp_path: Path) -> None:
    found = understood(tmp_path, BARS)
    assert (found.problems, found.set_aside, found.passed_over) == ((), (), ())


def test_the_first_bars_that_are_shown_are_some_that_land(tmp_path: Path) -> None:
    """A file often begins with the day on which a year does, when nothing is traded: that row lands nowhere."""
    days = sorted(BARS["date"].unique())
    closed = next(day for one in days if (day := one + timedelta(days=1)) not in days)
    begin = BARS.filter(pl.col("date") >= closed)
    first = begin.filter(pl.col("date") == begin["date"].min()).with_columns(date=pl.lit(closed))
    found = understood(tmp_path, pl.concat([first, begin]).sort("ticker", "date"))
    assert found.first_bars.height > 0
    assert str(closed) not in found.first_bars["session"].to_list()
    assert found.first_bars["session"][0] == str(begin["date"].min())


@pytest.mark.parametrize(("error", "step"), [("day_late", 1), ("day_early", -1)])
def test_dates_a_day_off_are_found_and_the_setting_mends_them(tmp_path: Path, error: str, step: int) -> None:
    moved = BARS.with_columns(pl.col("date") + timedelta(days=step))
    (problem,) = understood(tmp_path, moved).problems
    assert f"--set source.files.dates={error}" in problem
    assert not understood(tmp_path, moved, dates=error).problems


def test_dates_a_weekday_late_are_found_by_the_holidays_they_fall_on(tmp_path: Path) -> None:
    late = BARS.with_columns(correct_days(BARS["date"], "weekday_early"))
    (problem,) = understood(tmp_path, late).problems
    assert "one weekday late" in problem and "are no sessions of XNYS" in problem
    assert not understood(tmp_path, late, dates="weekday_late").problems


def test_rows_on_holidays_beside_the_sessions_are_no_moved_dates(tmp_path: Path) -> None:
    filled = BARS.group_by("ticker", maintain_order=True).map_groups(
        lambda own: own.upsample("date", every="1d").fill_null(strategy="forward")
    )
    weekdays = filled.filter(pl.col("date").dt.weekday() < 6)
    found = understood(tmp_path, weekdays)
    assert not found.problems
    assert [aside.rule for aside in found.set_aside] == ["the exchange trades that day"]


def test_bars_of_another_exchange_name_it(tmp_path: Path) -> None:
    (problem,) = understood(tmp_path, true_market("XNYS", tickers=2).bars, "XETR").problems
    assert "--set market.exchange=XNYS" in problem and "the first is 2021-04-05" in problem, "Easter Monday"


def test_bars_of_every_day_are_those_of_a_market_that_never_closes(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(120)]
    frame = pl.DataFrame(
        {"ticker": "BTC", "date": days, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 7}
    )
    (problem,) = understood(tmp_path, frame).problems
    assert "--set market.exchange=24/7" in problem and "line 2" not in problem
    assert "all.csv line 7" in problem, "the first Saturday"


def test_midnights_of_another_zone_name_the_zone(tmp_path: Path) -> None:
    stamped = BARS.with_columns(
        pl.col("date").cast(pl.Datetime("us")).dt.replace_time_zone("Europe/Berlin").dt.convert_time_zone("UTC")
    )
    problems = understood(tmp_path, stamped).problems
    assert problems
    assert not understood(tmp_path, stamped, zone="Europe/Berlin").problems


def test_weekly_bars_are_no_daily_ones(tmp_path: Path) -> None:
    weekly = BARS.filter(pl.col("date").dt.weekday() == 5)
    (problem,) = understood(tmp_path, weekly).problems
    assert "are weekly, and no daily bars" in problem


def test_names_of_another_exchange_are_no_dollars(tmp_path: Path) -> None:
    german = BARS.with_columns(pl.format("{}.DE", "ticker").alias("ticker"))
    (problem,) = understood(tmp_path, german).problems
    assert "AAPL.DE" in problem and "--set market.exchange=XETR" in problem


def test_open_and_close_exchanged_are_found_and_the_columns_mend_it(tmp_path: Path) -> None:
    swapped = BARS.rename({"open": "close", "close": "open"})
    (problem,) = understood(tmp_path, swapped).problems
    assert "--column open=close --column close=open" in problem
    assert not understood(tmp_path, swapped, columns=("open=close", "close=open")).problems


def test_a_rule_that_many_rows_break_is_told_with_the_cell_and_may_be_waved_through(tmp_path: Path) -> None:
    fifth = pl.int_range(pl.len()) % 5 == 0
    exchanged = {one: pl.when(fifth).then(other).otherwise(one) for one, other in (("high", "low"), ("low", "high"))}
    swapped = BARS.with_columns(**exchanged)
    (problem,) = understood(tmp_path, swapped).problems
    first = BARS.row(0, named=True)
    assert (
        problem.startswith("20 %")
        and "the rule 'high is not below low'" in problem
        and f"high '{first['low']}'" in problem
    )
    assert "all.csv line 2" in problem
    assert not understood(tmp_path, swapped, max_set_aside=1.0).problems


def test_files_without_a_sound_row_make_no_lake_whatever_is_waved_through(tmp_path: Path) -> None:
    (problem,) = understood(tmp_path, BARS.with_columns(close=pl.lit("?")), max_set_aside=1.0).problems
    assert "no row is a sound bar" in problem and "close '?'" in problem and "all.csv line 2" in problem


def test_prices_that_look_adjusted_are_told_and_read_all_the_same(tmp_path: Path) -> None:
    factor = pl.when(pl.col("date") < BARS["date"][-10]).then(0.98765432101).otherwise(1.0)
    adjusted = BARS.with_columns(pl.col("open", "high", "low", "close") * factor)
    found = understood(tmp_path, adjusted)
    assert not found.problems and "they look adjusted" in found.doubts[0]
    assert not understood(tmp_path, BARS).doubts


def test_columns_that_nothing_reads_and_those_that_tell_of_actions_are_named(tmp_path: Path) -> None:
    (layout,) = understood(tmp_path, BARS.with_columns(vwap=1.0, splitFactor=1.0)).layouts
    assert (layout.unused, layout.actions_from) == (("vwap",), ("splitFactor",))


def test_what_stops_a_load_is_said_when_the_source_is_asked(tmp_path: Path) -> None:
    BARS.filter(pl.col("date").dt.weekday() == 5).write_csv(tmp_path / "all.csv")
    source = FilesSource(FilesParams(prices=(str(tmp_path / "all.csv"),)), MARKET.calendar)
    with pytest.raises(SourceError, match="weekly"):
        source.check_reachable()


@pytest.mark.parametrize("stated", ["GBX {}", "GBp {}"])
def test_prices_in_pence_are_not_taken_for_pounds(tmp_path: Path, stated: str) -> None:
    british = true_market("XLON", tickers=2, months=4).bars.rename({"session": "date"})
    marked = british.with_columns(pl.format(stated, name).alias(name) for name in ("open", "high", "low", "close"))
    for bars in (marked, british.with_columns(currency=pl.lit(stated[:3]))):
        (problem,) = understood(tmp_path, bars, "XLON").problems
        assert "states prices in GBX, and they would be taken in GBP: --set source.files.currency=GBX" in problem
        assert not understood(tmp_path, bars, "XLON", currency="GBX").problems
    pounds = british.with_columns(pl.format("£{}", name).alias(name) for name in ("open", "high", "low", "close"))
    assert not understood(tmp_path, pounds, "XLON").problems
    assert not understood(tmp_path, pounds, "XLON", currency="GBX").problems, "who says it knows better"


def test_several_currencies_in_one_file_are_asked_about(tmp_path: Path) -> None:
    mixed = BARS.with_columns(currency=pl.when(pl.col("ticker") == "AAPL").then(pl.lit("USD")).otherwise(pl.lit("EUR")))
    (problem,) = understood(tmp_path, mixed).problems
    assert "several currencies, EUR and USD: state exchange and currency of each in a file of listings" in problem
    listings = tmp_path / "listings.csv"
    listings.write_text("ticker,exchange,currency\nAAPL,XNAS,USD\nMSFT,XETR,EUR\n")
    assert not understood(tmp_path, mixed, listings=str(listings)).problems


def test_two_days_that_are_no_sessions_tell_another_exchange_by_the_sessions_that_lack(tmp_path: Path) -> None:
    (problem,) = understood(tmp_path, BARS, "XETR").problems
    assert "2 days are no sessions of XETR" in problem and "--set market.exchange=XNYS" in problem


def test_days_outside_the_calendar_are_told(tmp_path: Path) -> None:
    old = BARS.head(1).with_columns(date=pl.lit(date(1962, 1, 2)))
    (doubt,) = understood(tmp_path, pl.concat([old, BARS])).doubts
    assert "not in the calendar of XNYS, from 1990-01-02 to" in doubt and doubt.endswith("1, the first of 1962-01-02")


def test_a_date_in_another_form_is_shown_as_it_is_written(tmp_path: Path) -> None:
    third = pl.int_range(pl.len()) % 3 == 2
    american = pl.col("date").dt.strftime("%m/%d/%Y")
    mixed = BARS.with_columns(date=pl.when(third).then(american).otherwise(pl.col("date").dt.strftime("%Y-%m-%d")))
    (problem,) = understood(tmp_path, mixed).problems
    assert re.search(r"session '\d\d/\d\d/2021'", problem) and "--set source.files.date_format=" in problem


def test_a_ticker_in_small_letters_is_told_how_tickers_are_written(tmp_path: Path) -> None:
    (problem,) = understood(tmp_path, BARS.with_columns(pl.col("ticker").str.to_lowercase())).problems
    assert "a ticker is capitals and digits, such as AAPL" in problem
