"""An import brings an older system's records through the same contracts, once, and loses none in silence."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.errors import DamageError
from lake.runs import find_run
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.tables.imports import IMPORTED_PREDICTIONS, IMPORTED_TRADES
from lake.tables.market import INSTRUMENTS, MARKET_PRICES, PRICE_RESTATEMENTS, QUARANTINED_ROWS, RAW_PRICES
from lake.tables.news import NEWS_ARTICLES
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.failures import CycleOrderError
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.engine.work import silent
from pipeline.ingestion.imports.run_import import ImportReport, import_system
from pipeline.ingestion.imports.sqlite import open_sqlite
from pipeline.ingestion.prices.cross_check import AGREES
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.market.sessions import exchange_sessions
from tests.copies import copy_lake
from tests.frames.older import FIRST, LAST, cents, execute, insert, mapping, older_system
from tests.frames.sessions import weekday_sessions
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import publish

AT = datetime(2023, 2, 8, 12, tzinfo=UTC)
LATER = datetime(2023, 2, 9, 12, tzinfo=UTC)
DAYS = [day for day in weekday_sessions(FIRST, LAST).days if day != date(2023, 1, 16)]  # a holiday
DAY = date(2023, 1, 4)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The older system, a lake with all of it, and an empty one."""
    path = tmp_path_factory.mktemp("imported")
    imported(empty(path / "lake"), older_system(path / "old.db", exchange_sessions()))
    empty(path / "empty")
    return path


def empty(path: Path) -> Runner:
    return Runner(new_lake(path), Settings(runtime=RuntimeParams(durable=False)))


@pytest.fixture
def old(template: Path, tmp_path: Path) -> Path:
    """The older system, to be changed."""
    return Path(shutil.copy(template / "old.db", tmp_path / "old.db"))


@pytest.fixture
def runner(template: Path, tmp_path: Path) -> Runner:
    """Of an empty lake."""
    return empty(copy_lake(template / "empty", tmp_path / "lake"))


@pytest.fixture
def taken(template: Path, tmp_path: Path) -> Runner:
    """Of a lake that has imported all of it."""
    return empty(copy_lake(template / "lake", tmp_path / "taken"))


def imported(runner: Runner, old: Path, *kinds: str, at: datetime = AT, **options: Any) -> ImportReport:
    with open_sqlite(old) as store:
        return import_system(runner, store, mapping(*kinds), at, **options)


@pytest.mark.parametrize("unit", ["EUR", "GBX"])
def test_a_system_in_another_currency_than_the_books_is_refused_before_anything_is_read(
    runner: Runner, old: Path, unit: str
) -> None:
    before = versions(runner.lake)
    with (
        open_sqlite(old) as store,
        pytest.raises(SourceError, match=f"in {unit}, and the book of this lake is kept in"),
    ):
        import_system(runner, store, replace(mapping("prices"), currency=unit), AT)
    assert versions(runner.lake) == before


def counts(report: ImportReport) -> dict[str, tuple[int, int, int, int, int]]:
    return {one.kind: (one.read, one.accepted, one.known, one.unchanged, one.compared) for one in report.accounts}


def aside(report: ImportReport, kind: str) -> dict[str, int]:
    account = next(one for one in report.accounts if one.kind == kind)
    return {rule: rows for rule, (rows, _) in account.quarantined.items()}


def versions(lake: Lake) -> dict[str, int]:
    return {name: lake.newest(table) for name, table in TABLES.items()}


def test_everything_arrives_in_its_table_in_our_units(taken: Runner, runner: Runner, old: Path) -> None:
    n = len(DAYS)
    assert counts(imported(runner, old)) == {
        "prices": (3 * n, 3 * n, 0, 0, 0),
        "news": (2, 2, 0, 0, 0),
        "predictions": (2 * n, 2 * n, 0, 0, 0),
        "trades": (2, 2, 0, 0, 0),
    }
    lake = taken.lake
    bars = lake.read(MARKET_PRICES)
    assert set(bars["source"]) == {"import-legacy"} and set(bars["revision"]) == {0}
    first = bars.filter(ticker="BBB", session=FIRST).row(0, named=True)
    assert (first["open"], first["high"], first["low"], first["close"], first["volume"]) == (
        110,
        110.5,
        109.5,
        110,
        1000,
    )
    forecast = lake.read(IMPORTED_PREDICTIONS).filter(ticker="AAA", session=DAY).row(0, named=True)
    assert (forecast["point"], forecast["horizon"]) == (0.015, 5)
    assert forecast["made_at"] == datetime(2023, 1, 4, 23, tzinfo=UTC)  # 18:00 in New York
    trades = lake.read(IMPORTED_TRADES).sort("session")
    assert trades.select("side", "shares", "price").rows() == [
        ("buy", Decimal(10), Decimal("101.5")),
        ("sell", Decimal(4), Decimal("103.25")),
    ]
    roles = lake.read(INSTRUMENTS).select("ticker", "role").rows()
    assert roles == [("AAA", "stock"), ("BBB", "stock"), ("SPY", "benchmark")]
    news = lake.read(NEWS_ARTICLES).sort("published_at")
    assert news["session"].to_list() == [date(2023, 1, 5), date(2023, 1, 11)]  # the second came after the close
    assert news["tickers"].to_list() == [["AAA"], ["BBB"]]


def test_share_classes_are_spelt_our_way_in_every_table_and_a_second_import_finds_nothing_new(
    runner: Runner, old: Path
) -> None:
    execute(old, *(f"UPDATE {table} SET sym = 'BRK_B' WHERE sym = 'BBB'" for table in ("bars", "forecasts")))
    assert not any(account.quarantined for account in imported(runner, old).accounts)
    for table in (MARKET_PRICES, INSTRUMENTS, IMPORTED_PREDICTIONS):
        assert "BRK.B" in set(runner.lake.read(table)["ticker"])
    assert all(one.unchanged == one.read for one in imported(runner, old, at=LATER).accounts)


def test_a_bar_counts_as_public_soon_after_its_close_as_in_a_load_of_history(taken: Runner) -> None:
    lag = timedelta(minutes=taken.settings.ingestion.publication_lag_minutes)
    bars = taken.lake.read(MARKET_PRICES)
    assert (bars["available_at"] - bars["ts"]).unique().to_list() == [lag]


def test_forecasts_and_trades_touch_nothing_of_our_own(runner: Runner, old: Path) -> None:
    before = versions(runner.lake)
    imported(runner, old, "predictions", "trades")
    moved = {name for name, version in versions(runner.lake).items() if version != before[name]}
    assert moved == {"raw_imports", "imported_predictions", "imported_trades", "runs"}


def test_a_dry_run_writes_nothing_and_says_what_the_import_then_does(runner: Runner, old: Path) -> None:
    insert(
        old, "bars", [("AAA", "someday", 1, 1, 1, 1, 1), cents("A A", DAY, 100), ("BBB", "01/04/2023", 1, 2, 3, 4, 5)]
    )
    insert(old, "forecasts", [("AAA", "2023-01-04 18:00:00", "soon", 1)])
    before = versions(runner.lake)
    dry = imported(runner, old, dry=True)
    assert versions(runner.lake) == before
    done = imported(runner, old)
    assert counts(done) == counts(dry)
    assert [one.quarantined for one in done.accounts] == [one.quarantined for one in dry.accounts]


def test_a_dry_run_foretells_a_changed_file_as_well(taken: Runner, old: Path) -> None:
    execute(old, "UPDATE bars SET c = c + 20 WHERE sym = 'AAA' AND d = '01/05/2023'", "DELETE FROM fills")
    dry = imported(taken, old, at=LATER, dry=True)
    assert counts(dry) == counts(imported(taken, old, at=LATER))
    assert counts(dry)["prices"][1] == 1


def test_importing_twice_adds_no_row_and_no_version(taken: Runner, old: Path) -> None:
    before = versions(taken.lake)
    again = imported(taken, old, at=LATER)
    assert again.written == 0
    assert all(one.unchanged == one.read for one in again.accounts)
    assert versions(taken.lake) == before


def test_the_order_of_rows_in_the_older_system_does_not_matter(taken: Runner, old: Path) -> None:
    for table in ("bars", "forecasts", "fills"):
        turned = f"CREATE TABLE turned AS SELECT * FROM {table} ORDER BY 1 DESC, 2 DESC"
        execute(old, turned, f"DROP TABLE {table}", f"ALTER TABLE turned RENAME TO {table}")
    assert imported(taken, old, at=LATER).written == 0


def test_rows_that_break_a_rule_are_set_aside_with_it_and_none_is_lost(runner: Runner, old: Path) -> None:
    bars = [
        ("AAA", "someday", 1, 1, 1, 1, 1),
        ("AAA", "01/07/2023", 10_000, 10_050, 9_950, 10_000, 1),
        ("../etc", "01/04/2023", 10_000, 10_050, 9_950, 10_000, 1),
        ("CCC", "01/04/2023", 10_000, 10_050, 9_950, float("inf"), 1),
        ("CCC", "01/05/2023", 10_000, 10_050, 9_950, b"\x00\x01", 1),
        ("CCC", "01/06/2023", 10_000, 10_050, 9_950, None, 1),
        ("CCC", "01/09/2023", 10_000, 9_000, 9_950, 10_000, 1),
    ]
    fills = [
        ("AAA", 0, 100, "2023-01-04 09:30:00", 1),
        ("AAA", 1, "free", "2023-01-04 09:30:00", 1),
        ("AAA", 1, 100, "2023-01-08 09:30:00", 1),
        ("AAA", 1, 100, None, 1),
    ]
    insert(old, "bars", bars)
    insert(old, "fills", fills)
    insert(old, "articles", [(3, None, "$AAA"), (4, "2023-01-10T22:00:00Z", "")])
    report = imported(runner, old)
    assert aside(report, "prices") == {
        "session is readable": 1,
        "the exchange trades that day": 1,
        "ticker is well-formed": 1,
        "close is a finite number": 1,
        "close is a number": 1,
        "close is present": 1,
        "high is not below low": 1,
    }
    assert aside(report, "trades") == {
        "price is a number": 1,
        "the exchange trades that day": 1,
        "the time is present": 1,
        "side is buy or sell": 1,
    }
    assert aside(report, "news") == {"publication time is present": 1, "title is present": 1}
    kept = runner.lake.read(QUARANTINED_ROWS)
    assert kept.height == len(bars) + len(fills) + 2
    assert set(kept["target"]) == {"market_prices", "imported_trades", "news_articles"}
    assert any("someday" in row for row in kept["row"])  # as it was written there
    assert all(one.known == 0 for one in report.accounts)


def test_a_corrected_bar_is_a_revision_public_from_its_import_on(taken: Runner, old: Path) -> None:
    execute(old, "UPDATE bars SET c = c + 20 WHERE sym = 'AAA' AND d = '01/04/2023'")
    report = imported(taken, old, "prices", at=LATER)
    assert counts(report)["prices"] == (3 * len(DAYS), 1, 0, 3 * len(DAYS) - 1, 0)
    both = taken.lake.read(MARKET_PRICES).filter(ticker="AAA", session=DAY)
    assert both["revision"].to_list() == [0, 1]
    assert both["close"].to_list() == [100.1, 100.3]
    assert both["available_at"][0] < AT < both["available_at"][1]
    assert taken.lake.read(PRICE_RESTATEMENTS).select("old_close", "new_close").rows() == [(100.1, 100.3)]
    before = versions(taken.lake)
    assert imported(taken, old, "prices", at=LATER).written == 0
    assert versions(taken.lake) == before


def test_a_correction_that_is_taken_back_is_taken_back_here(taken: Runner, old: Path) -> None:
    for later, (change, percent) in enumerate(((20, 9.0), (-20, 1.5)), start=9):
        execute(
            old,
            f"UPDATE bars SET c = c + {change} WHERE sym = 'AAA' AND d = '01/04/2023'",
            f"UPDATE forecasts SET pct = {percent} WHERE sym = 'AAA' AND made LIKE '2023-01-04%'",
        )
        imported(taken, old, "prices", "predictions", at=AT.replace(day=later))
    closes = taken.lake.read(MARKET_PRICES).filter(ticker="AAA", session=DAY)["close"].to_list()
    assert closes == [100.1, 100.3, 100.1]
    assert taken.lake.read(IMPORTED_PREDICTIONS).filter(ticker="AAA", session=DAY)["point"].to_list() == [0.015]


def test_a_changed_forecast_replaces_the_earlier_and_a_new_trade_is_added(taken: Runner, old: Path) -> None:
    execute(old, "UPDATE forecasts SET pct = 2.5 WHERE sym = 'BBB' AND made LIKE '2023-01-04%'")
    insert(old, "fills", [("AAA", -4, 103.25, "2023-01-19 09:30:00", 1)])  # alike to one that is there
    report = imported(taken, old, "predictions", "trades", at=LATER)
    assert counts(report)["predictions"][1] == 1 and counts(report)["trades"][1] == 1
    forecasts = taken.lake.read(IMPORTED_PREDICTIONS)
    assert forecasts.height == 2 * len(DAYS)
    assert forecasts.filter(ticker="BBB", session=DAY)["point"].to_list() == [0.025]
    assert taken.lake.read(IMPORTED_TRADES).height == 3


def test_a_growing_file_adds_only_its_new_days(taken: Runner, old: Path) -> None:
    new = exchange_sessions().between(date(2023, 2, 6), date(2023, 2, 7))
    insert(old, "bars", [cents("AAA", day, 10_300) for day in new])
    report = imported(taken, old, "prices", at=LATER)
    assert counts(report)["prices"] == (3 * len(DAYS) + 2, 2, 0, 3 * len(DAYS), 0)
    assert set(taken.lake.read(MARKET_PRICES)["revision"]) == {0}


def files_lake(tmp_path: Path, closes: dict[date, float]) -> Runner:
    """A lake whose own source has delivered bars of AAA."""
    lines = [f"AAA,{day},{c},{c + 1},{c - 1},{c},1000" for day, c in closes.items()]
    (tmp_path / "own.csv").write_text("ticker,date,open,high,low,close,volume\n" + "\n".join(lines))
    files = FilesParams(prices=(str(tmp_path / "own.csv"),))
    settings = Settings(runtime=RuntimeParams(durable=False), source=SourceParams(name="files", files=files))
    runner = Runner(new_lake(tmp_path / "own"), settings)
    runner.backfill(min(closes), max(closes))
    return runner


def test_a_bar_that_another_source_delivered_stands_and_is_compared(tmp_path: Path, old: Path) -> None:
    own = {DAYS[10]: 101.0, DAYS[11]: 150.0}  # there they are 101.0 and 101.1
    runner = files_lake(tmp_path, own)
    dry = imported(runner, old, "prices", dry=True)
    report = imported(runner, old, "prices")
    n = 3 * len(DAYS)
    assert counts(report)["prices"] == (n, n - 2, 0, 0, 1) == counts(dry)["prices"]
    assert aside(report, "prices") == {AGREES: 1}
    bars = runner.lake.read(MARKET_PRICES).filter(ticker="AAA")
    assert bars.filter(pl.col("source") == "files").select("session", "close").rows() == list(own.items())
    assert set(bars["revision"]) == {0} and bars.height == len(DAYS)


def test_an_unsound_bar_is_told_with_its_rule_also_where_another_source_has_one(tmp_path: Path, old: Path) -> None:
    runner = files_lake(tmp_path, {DAYS[10]: 101.0})
    execute(old, f"UPDATE bars SET c = 'n/a' WHERE sym = 'AAA' AND d = '{DAYS[10]:%m/%d/%Y}'")
    report = imported(runner, old, "prices", dry=True)
    assert aside(report, "prices") == {"close is a number": 1}
    assert counts(report)["prices"][4] == 0


def test_once_cycles_have_run_bars_are_only_compared_and_news_refused(taken: Runner, tmp_path: Path, old: Path) -> None:
    runner = files_lake(tmp_path, {DAYS[10]: 101.0, DAYS[11]: 150.0})
    publish(runner.lake, INSTRUMENTS, INSTRUMENTS.empty(), name="instruments", session=DAYS[11])  # a cycle's
    before = versions(runner.lake)
    with pytest.raises(SourceError, match=rf"cycles have run to {DAYS[11]}, and news .* leave \[news\] out"):
        imported(runner, old)
    assert versions(runner.lake) == before
    execute(old, "UPDATE bars SET c = 'n/a' WHERE sym = 'AAA' AND d = '01/04/2023'")
    report = imported(runner, old, "prices", "predictions")
    n = 3 * len(DAYS)
    assert counts(report)["prices"] == (n, 0, 0, 0, n - 2)
    assert aside(report, "prices") == {AGREES: 1, "close is a number": 1}
    assert counts(report)["predictions"][1] == 2 * len(DAYS)
    after = versions(runner.lake)
    assert (after["market_prices"], after["instruments"]) == (before["market_prices"], before["instruments"])
    assert report.settled == DAYS[11] and imported(runner, old, "prices", at=LATER).written == 0


def test_history_is_loaded_before_an_import_or_not_at_all(tmp_path: Path, old: Path) -> None:
    runner = files_lake(tmp_path, {DAYS[10]: 101.0})
    imported(runner, old, "trades")
    runner.backfill(DAYS[10], DAYS[10])  # trades fill nothing
    imported(runner, old, "prices")
    before = versions(runner.lake)
    with pytest.raises(CycleOrderError, match=r"an older system was imported, .* then import there again"):
        runner.backfill(DAYS[10], DAYS[10])
    assert versions(runner.lake) == before


class Cut(BaseException):
    """The machine went off."""


def cut_at(stage: str, runner: Runner, old: Path) -> Runner:
    """Import until a stage would begin; give a runner that begins anew."""

    def cut(what: str, done: int, total: int) -> None:
        if what == stage:
            raise Cut

    with pytest.raises(Cut):
        imported(runner, old, progress=cut)
    return Runner(Lake.open(runner.lake.path), runner.settings)


@pytest.mark.parametrize(
    "stage",
    [
        "quarantine",
        *(pytest.param(stage, marks=pytest.mark.slow) for stage in ("imported trades", "prices", "publishing")),
    ],
)
def test_an_import_that_is_cut_short_goes_on_to_the_same_rows(
    taken: Runner, runner: Runner, old: Path, stage: str
) -> None:
    again = cut_at(stage, runner, old)
    imported(again, old, at=LATER)
    for table in (MARKET_PRICES, NEWS_ARTICLES, IMPORTED_PREDICTIONS, IMPORTED_TRADES, QUARANTINED_ROWS):
        assert again.lake.read(table).drop("run_id").equals(taken.lake.read(table).drop("run_id")), table.name


def test_what_was_landed_is_derived_without_the_older_system(runner: Runner, old: Path) -> None:
    again = cut_at("quarantine", runner, old)
    assert again.lake.rows(MARKET_PRICES) == 0
    old.unlink()
    again.recover(silent)
    assert again.lake.rows(MARKET_PRICES) == 3 * len(DAYS)
    assert again.lake.rows(IMPORTED_PREDICTIONS) == 2 * len(DAYS)


def test_every_run_of_an_import_can_be_reproduced(taken: Runner) -> None:
    runs = taken.lake.read(RUNS)
    assert {"land_imports", "imported_predictions", "imported_trades", "prices", "quarantine"} <= set(runs["stage"])
    assert "ask" not in set(runs["stage"])  # nobody pays a language model for old news
    for run_id in runs["run_id"]:
        verdict = reproduce(taken, find_run(taken.lake, run_id))
        assert verdict.identical, verdict


def test_years_are_landed_one_after_the_other_and_judged_as_one(runner: Runner, old: Path) -> None:
    before = exchange_sessions().between(date(2022, 12, 19), date(2022, 12, 30))
    insert(old, "bars", [cents("AAA", day, 10_000) for day in before] + [cents("BBB", before[-1], 1_100_000)])
    report = imported(runner, old, "prices")
    bars = runner.lake.read(MARKET_PRICES)
    assert runner.lake.read(RAW_PRICES)["session"].unique().sort().to_list() == [before[-1], LAST]
    assert bars.height == 3 * len(DAYS) + len(before) + 1
    assert bars.filter(ticker="AAA", session=before[0])["revision"].to_list() == [0]
    # BBB fell from 11,000 to 110 over the turn of the year: it was believed only when the next bar confirmed it
    fallen = bars.filter(ticker="BBB", session=FIRST)
    assert fallen["available_at"][0] > exchange_sessions().close_at(DAYS[1])
    assert report.written == bars.height
    assert not runner.lake.read(RUNS).filter(pl.col("cycle_id").str.starts_with("history-")).height


def test_what_the_older_system_said_lies_verbatim_in_the_landing(taken: Runner) -> None:
    row = taken.lake.read(MARKET_PRICES).filter(ticker="AAA", session=DAY).row(0, named=True)
    raw = taken.lake.read(RAW_PRICES).filter(payload_id=row["payload_id"])
    line = raw["payload"][0].split("\n")[row["line"]]
    assert '"d":"01/04/2023"' in line and '"c":"10010"' in line


def test_an_import_into_a_damaged_lake_leaves_a_failed_run(taken: Runner, old: Path) -> None:
    file = next(Path(taken.lake.uri(MARKET_PRICES)).glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DamageError, match="market_prices"):
        imported(taken, old)
    (failed,) = taken.lake.read(RUNS, where=pl.col("status") == "failed").to_dicts()
    assert (failed["work"], failed["stage"]) == ("import", "land_imports")
    assert "market_prices" in failed["error"]
