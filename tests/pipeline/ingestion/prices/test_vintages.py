"""Two-clock data: what was seen on which day comes out of the lake as it went in, whatever the order of loading."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations
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
from pipeline.engine.failures import CycleOrderError
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.market.sessions import exchange_sessions
from tests.copies import copy_lake
from tests.new_lake import new_lake
from tests.real_data import REAL_DATA

DATA = REAL_DATA / "us_markets"
VINTAGES, RECOVERED = (
    DATA / "us_daily_vintages_2015_2017.parquet",
    DATA / "us_corporate_actions_recovered_2015_2017.parquet",
)
pytestmark = pytest.mark.skipif(not VINTAGES.exists(), reason="the vintages are not here")

FIRST, LAST = date(2015, 3, 20), date(2016, 9, 30)
JUNE, SUMMER = date(2015, 6, 15), date(2015, 7, 31)
"""What the quick tests load, first and last: seven weeks hold a split, restated bars and rows set aside."""
SPECIAL = ("NFLX", "DGX", "CJ", "TCO", "ITEK", "NKE", "SBUX", "AAPL", "ACI", "EBAY", "BAX", "NRF", "LPTN", "AXPW")
LAG = timedelta(minutes=15)
PROVENANCE = ("payload_id", "line", "run_id")


def vintages(tickers: tuple[str, ...] | None = SPECIAL, first: date = JUNE, last: date = SUMMER) -> pl.DataFrame:
    """The set's rows with the moment each was seen: a quarter of an hour after the close of the day."""
    rows = pl.read_parquet(VINTAGES)
    rows = rows if tickers is None else rows.filter(pl.col("ticker").is_in(tickers), pl.col("date") <= last)
    rows = rows.filter(pl.col("date") >= first)
    closes = (
        exchange_sessions().frame(FIRST, date(2016, 10, 5)).select(collected="session", seen=pl.col("close_at") + LAG)
    )
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
    return Runner(new_lake(folder / "lake"), Settings(runtime=RuntimeParams(durable=False), source=source))


def load(folder: Path, *parts: pl.DataFrame, first: date = JUNE, last: date = SUMMER) -> Lake:
    made = runner(folder, *parts)
    made.backfill(first, last)
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


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_lines_and_files_changes_nothing(lake: Lake, tmp_path: Path, seed: int) -> None:
    rows = vintages().sample(fraction=1.0, shuffle=True, seed=seed)
    parts = [rows[number::3] for number in range(3)]
    assert content(load(tmp_path / "shuffled", *parts)) == content(lake)


def test_loading_again_adds_no_row(lake: Lake, tmp_path: Path) -> None:
    source = SourceParams(
        name="files", files=FilesParams(prices=(str(lake.path.parent / "0.parquet"),), benchmark_ticker="AAPL")
    )
    copy = Lake.open(copy_lake(lake.path, tmp_path / "again"))
    once = Runner(copy, Settings(runtime=RuntimeParams(durable=False), source=source))
    before = content(once.lake)
    landed = once.lake.read(RAW_PRICES).height
    for stage in ("land_prices", "instruments", "actions", "prices", "quarantine", "restatements"):
        assert once.run_stage(find_stage(stage), SUMMER, JUNE).written == 0, stage
    assert content(once.lake) == before
    assert once.lake.read(RAW_PRICES).height == landed


def test_the_same_rows_given_several_times_are_one_row(lake: Lake, tmp_path: Path) -> None:
    rows = vintages()
    twice = content(load(tmp_path / "twice", rows, rows))
    once = content(lake)
    assert {name: twice[name] for name in (MARKET_PRICES.name, CORPORATE_ACTIONS.name, PRICE_RESTATEMENTS.name)} == {
        name: once[name] for name in (MARKET_PRICES.name, CORPORATE_ACTIONS.name, PRICE_RESTATEMENTS.name)
    }


FEW = ("NFLX", "DGX", "TCO", "AAPL", "LPTN")
CUTS = (date(2015, 6, 30), date(2015, 7, 15), SUMMER)
YEAR = (date(2015, 6, 30), date(2015, 9, 30), date(2015, 12, 31))


def seen_in_parts(
    rows: pl.DataFrame, first: date = JUNE, cuts: tuple[date, ...] = CUTS
) -> list[tuple[date, date, pl.DataFrame]]:
    """First and last session to load and rows of each part: what was seen from one cut to the next.

    A later part restates bars of the earlier ones, so each load asks for all sessions up to its own last one.
    """
    after = [date.min, *cuts[:-1]]
    return [
        (first, end, rows.filter((pl.col("collected") > start) & (pl.col("collected") <= end)))
        for start, end in zip(after, cuts, strict=True)
    ]


def by_period(rows: pl.DataFrame) -> list[tuple[date, date, pl.DataFrame]]:
    """The same where each load asks for its own period alone, whatever was restated later."""
    starts = [FIRST, *(exchange_sessions().next(cut) for cut in YEAR[:-1])]
    return [
        (start, end, rows.filter(pl.col("date").is_between(start, end) & (pl.col("collected") <= end)))
        for start, end in zip(starts, YEAR, strict=True)
    ]


def load_one_by_one(folder: Path, parts: list[tuple[date, date, pl.DataFrame]]) -> Lake:
    """A lake whose history was loaded part by part, each from a file of its own."""
    folder.mkdir()
    lake = new_lake(folder / "lake")
    for number, (first, last, part) in enumerate(parts):
        path = folder / f"{number}.parquet"
        part.drop("seen", "collected").write_parquet(path)
        source = SourceParams(name="files", files=FilesParams(prices=(str(path),), benchmark_ticker="AAPL"))
        Runner(lake, Settings(runtime=RuntimeParams(durable=False), source=source)).backfill(first, last)
    return lake


CANONICAL = (MARKET_PRICES.name, CORPORATE_ACTIONS.name, PRICE_RESTATEMENTS.name)


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    few = vintages(FEW)
    return load_one_by_one(tmp_path_factory.mktemp("parts") / "in_order", seen_in_parts(few))


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((2, 1, 0), id="backwards"),
        pytest.param((1, 2, 0, 1), id="muddled and one twice", marks=pytest.mark.slow),
    ],
)
def test_parts_loaded_in_another_order_and_twice_give_the_same_lake(
    in_order: Lake, tmp_path: Path, order: tuple[int, ...]
) -> None:
    parts = seen_in_parts(vintages(FEW))
    lake = load_one_by_one(tmp_path / "parts", [parts[number] for number in order])
    assert content(lake) == content(in_order)


@pytest.mark.slow
def test_periods_loaded_backwards_give_the_lake_of_periods_loaded_forwards(tmp_path: Path) -> None:
    parts = by_period(vintages(first=FIRST, last=YEAR[-1]))
    forwards = load_one_by_one(tmp_path / "forwards", parts)
    assert content(load_one_by_one(tmp_path / "backwards", parts[::-1])) == content(forwards)
    assert forwards.rows(MARKET_PRICES) > 1_500


def test_parts_give_what_one_load_of_them_all_gives(in_order: Lake, tmp_path: Path) -> None:
    once = content(load(tmp_path / "once", vintages(FEW)))
    parts = content(in_order)
    assert {name: parts[name] for name in CANONICAL} == {name: once[name] for name in CANONICAL}
    assert len(once[MARKET_PRICES.name]) > 140


def test_history_is_not_loaded_under_the_decisions_of_cycles(tmp_path: Path) -> None:
    market = SimulatedParams(names=4, history_sessions=40)
    settings = Settings(runtime=RuntimeParams(durable=False), source=SourceParams(simulated=market))
    one = Runner(new_lake(tmp_path / "lake"), settings)
    first, last = one.source.coverage()
    middle = one.calendar.offset(last, -20)
    one.backfill(first, middle)
    one.cycle(one.calendar.next(middle))
    with pytest.raises(CycleOrderError, match=r"cycles have run to .* load it into a new lake"):
        one.backfill(first, last)


@pytest.mark.slow
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_every_order_of_the_special_tickers_parts_gives_one_lake(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, order: tuple[int, ...]
) -> None:
    parts = seen_in_parts(vintages(first=FIRST, last=YEAR[-1]), FIRST, YEAR)
    lake = load_one_by_one(tmp_path / "parts", [parts[number] for number in order])
    once = content(load(tmp_path / "once", vintages(first=FIRST, last=YEAR[-1]), first=FIRST, last=YEAR[-1]))
    assert {name: content(lake)[name] for name in CANONICAL} == {name: once[name] for name in CANONICAL}


@pytest.mark.slow
def test_the_whole_set_backwards_is_the_whole_set(tmp_path: Path) -> None:
    rows = vintages(None, FIRST)
    cuts = (date(2015, 12, 31), date(2016, 6, 30), LAST)
    forwards = load_one_by_one(tmp_path / "forwards", seen_in_parts(rows, FIRST, cuts))
    backwards = load_one_by_one(tmp_path / "backwards", seen_in_parts(rows, FIRST, cuts)[::-1])
    assert content(forwards) == content(backwards)
    assert forwards.rows(MARKET_PRICES) > 260_000


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
    told = vintages().filter(~pl.col("ticker").is_in(sorted(doubted)), pl.col("date") < SUMMER)
    for day in (date(2015, 6, 17), date(2015, 7, 14), date(2015, 7, 15), date(2015, 7, 30)):
        as_of = exchange_sessions().close_at(day) + timedelta(minutes=20)
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
    first, last = date(2015, 3, 30), date(2015, 4, 10)
    rows = vintages((*tickers, "AAPL"), first, last)
    holiday = load(tmp_path / "holiday", rows, first=first, last=last)
    assert holiday.read(MARKET_PRICES).filter(session=date(2015, 4, 3)).is_empty()
    told = holiday.read(QUARANTINED_ROWS).filter(rule="the exchange trades that day")
    assert told.height == rows.filter(pl.col("date") == date(2015, 4, 3)).height > 0


@pytest.mark.slow
def test_the_whole_set_gives_every_recovered_action_and_no_other(tmp_path: Path) -> None:
    lake = load(tmp_path / "whole", vintages(None, FIRST), first=FIRST, last=LAST)
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
