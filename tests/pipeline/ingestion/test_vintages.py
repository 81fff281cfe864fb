"""Two-clock data: what was seen on which day comes out of the lake as it went in, whatever the order of loading."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.market import (
    CORPORATE_ACTIONS,
    MARKET_PRICES,
    PRICE_RESTATEMENTS,
    QUARANTINED_ROWS,
    RAW_PRICES,
)
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.ingestion.sources.params import FilesParams, SourceParams
from pipeline.runner import Runner
from pipeline.sessions import exchange_sessions

DATA = Path(os.environ.get("NEXTGEN_DATA") or Path(__file__).parents[4] / "shared" / "data") / "us_markets"
VINTAGES, RECOVERED = (
    DATA / "us_daily_vintages_2015_2017.parquet",
    DATA / "us_corporate_actions_recovered_2015_2017.parquet",
)
pytestmark = pytest.mark.skipif(not VINTAGES.exists(), reason="the vintages are not here")

FIRST, LAST = date(2015, 3, 20), date(2016, 9, 30)
SPECIAL = ("NFLX", "DGX", "CJ", "TCO", "ITEK", "NKE", "SBUX", "AAPL", "ACI", "EBAY", "BAX", "NRF", "LPTN", "AXPW")
CALENDAR = exchange_sessions()
LAG = timedelta(minutes=15)
PROVENANCE = ("payload_id", "line", "run_id")


def vintages(tickers: tuple[str, ...] | None = SPECIAL, last: date = date(2015, 12, 31)) -> pl.DataFrame:
    """The set's rows with the moment each was seen: a quarter of an hour after the close of the day."""
    rows = pl.read_parquet(VINTAGES)
    rows = rows if tickers is None else rows.filter(pl.col("ticker").is_in(tickers), pl.col("date") <= last)
    closes = CALENDAR.frame(FIRST, date(2016, 10, 5)).select(collected="session", seen=pl.col("close_at") + LAG)
    return rows.join(closes, on="collected", how="left", maintain_order="left").with_columns(
        available_at=pl.col("seen").dt.to_string("%Y-%m-%dT%H:%M:%S+00:00")
    )


def runner(folder: Path, *parts: pl.DataFrame) -> Runner:
    """A lake whose source is the parts, one file each, in that order."""
    folder.mkdir()
    paths = []
    for number, part in enumerate(parts):
        paths.append(str(folder / f"{number}.parquet"))
        part.drop("seen", "collected").write_parquet(paths[-1])
    source = SourceParams(name="files", files=FilesParams(prices=tuple(paths), benchmark_ticker="AAPL"))
    return Runner(Lake.create(folder / "lake"), Settings(runtime=RuntimeParams(durable=False), source=source))


def load(folder: Path, *parts: pl.DataFrame, times: int = 1, last: date = date(2015, 12, 31)) -> Lake:
    made = runner(folder, *parts)
    for _ in range(times):
        made.load_history(FIRST, last)
    return made.lake


def content(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    """What the canonical tables say, where it came from aside."""
    frames = {}
    for table in (MARKET_PRICES, CORPORATE_ACTIONS, PRICE_RESTATEMENTS):
        frame = lake.read(table, every_revision=True).sort(table.key)
        frames[table.name] = frame.drop(*PROVENANCE, strict=False).rows()
    set_aside = lake.read(QUARANTINED_ROWS).select("target", "session", "ticker", "rule", "row").unique()
    return frames | {QUARANTINED_ROWS.name: sorted(set_aside.rows())}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return load(tmp_path_factory.mktemp("vintages") / "one", vintages())


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_lines_and_files_changes_nothing(lake: Lake, tmp_path: Path, seed: int) -> None:
    rows = vintages().sample(fraction=1.0, shuffle=True, seed=seed)
    parts = [rows[number::3] for number in range(3)]
    assert content(load(tmp_path / "shuffled", *parts)) == content(lake)


def test_loading_again_adds_no_row(tmp_path: Path) -> None:
    once = runner(tmp_path / "again", vintages())
    once.load_history(FIRST, date(2015, 12, 31))
    before = content(once.lake)
    landed = once.lake.read(RAW_PRICES).height
    for stage in ("land_prices", "instruments", "actions", "prices", "quarantine", "restatements"):
        from pipeline.stages import stage as named

        assert once.stage(named(stage), date(2015, 12, 31), FIRST).written == 0, stage
    assert content(once.lake) == before
    assert once.lake.read(RAW_PRICES).height == landed


def test_the_same_rows_given_several_times_are_one_row(lake: Lake, tmp_path: Path) -> None:
    rows = vintages()
    twice = content(load(tmp_path / "twice", rows, rows))
    once = content(lake)
    assert {name: twice[name] for name in (MARKET_PRICES.name, CORPORATE_ACTIONS.name, PRICE_RESTATEMENTS.name)} == {
        name: once[name] for name in (MARKET_PRICES.name, CORPORATE_ACTIONS.name, PRICE_RESTATEMENTS.name)
    }


def test_a_read_as_of_a_day_gives_what_had_been_seen_by_then(lake: Lake) -> None:
    set_aside = lake.read(QUARANTINED_ROWS).filter(target=MARKET_PRICES.name)
    assert set(set_aside["rule"]) <= {
        "a repeat of another row",
        "the exchange trades that day",
        "the close follows from the one before",
        "the bar was available by the landing",
        "open lies within the range",
        "close lies within the range",
        "prices are positive",
        "high is not below low",
    }
    doubted = set(set_aside.filter(pl.col("rule") != "a repeat of another row")["ticker"])
    told = vintages().filter(~pl.col("ticker").is_in(sorted(doubted)), pl.col("date") < date(2015, 12, 31))
    for day in (date(2015, 3, 24), date(2015, 7, 14), date(2015, 7, 15), date(2015, 11, 30)):
        as_of = CALENDAR.close_at(day) + timedelta(minutes=20)
        seen = (
            told.filter(pl.col("seen") <= as_of)
            .sort("ticker", "date", "seen")
            .unique(["ticker", "date"], keep="last", maintain_order=True)
            .select("ticker", session="date", close="close", volume="volume")
        )
        read = lake.read(MARKET_PRICES, as_of=as_of).filter(~pl.col("ticker").is_in(sorted(doubted)))
        read = read.sort("ticker", "session").select("ticker", "session", "close", "volume")
        assert read.rows() == seen.rows(), day


def test_a_split_shown_a_day_early_is_applied_once(lake: Lake) -> None:
    splits = lake.read(CORPORATE_ACTIONS).filter(ticker="NFLX", kind="split")
    assert splits.select("ex_date", "numerator", "denominator").rows() == [(date(2015, 7, 15), 7, 1)]
    early = lake.read(QUARANTINED_ROWS).filter(ticker="NFLX", target=CORPORATE_ACTIONS.name)
    assert early["rule"].to_list() == ["the price falls with the split"]


def test_rows_on_exchange_holidays_are_set_aside(tmp_path: Path) -> None:
    tickers = pl.read_parquet(VINTAGES).filter(pl.col("date") == date(2015, 4, 3))["ticker"].unique().to_list()
    rows = vintages((*tickers, "AAPL"), date(2015, 4, 30))
    holiday = load(tmp_path / "holiday", rows, last=date(2015, 4, 30))
    assert holiday.read(MARKET_PRICES).filter(session=date(2015, 4, 3)).is_empty()
    told = holiday.read(QUARANTINED_ROWS).filter(rule="the exchange trades that day")
    assert told.height == rows.filter(pl.col("date") == date(2015, 4, 3)).height > 0


@pytest.mark.slow
def test_the_whole_set_gives_every_recovered_action_and_no_other(tmp_path: Path) -> None:
    lake = load(tmp_path / "whole", vintages(None), last=LAST)
    found = lake.read(CORPORATE_ACTIONS).select("ticker", "ex_date", "kind", "numerator", "denominator", "amount")
    known = pl.read_parquet(RECOVERED).filter(
        ~((pl.col("ticker") == "NFLX") & (pl.col("ex_date") == date(2015, 7, 14)))
    )
    met = known.join(found, on=["ticker", "ex_date"], how="semi")
    false = found.join(known, on=["ticker", "ex_date"], how="anti")
    assert met.height >= 0.99 * known.height, (met.height, known.height)
    assert false.height < 0.01 * found.height, (false.height, found.height)
    beside = known.join(found, on=["ticker", "ex_date"], suffix="_found")
    cash = beside.filter(pl.col("kind_found") == "dividend")
    assert ((cash["amount"] - cash["implied_cash"]).abs() < 1e-3).all()
    split = beside.filter(pl.col("kind_found") == "split")
    assert ((split["denominator"] / split["numerator"] / split["f"] - 1).abs() < 3e-6).all()
    assert lake.read(MARKET_PRICES).height > 260_000
