"""Snapshots bring what had ended by their moment, once, and each change of it as a revision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from lake.runs import find_done_runs, last_session, last_snapshot
from lake.tables.intraday import INTRADAY_PRICES, RAW_INTRADAY
from lake.tables.market import INSTRUMENTS
from pipeline.engine.failures import CycleOrderError, StageFailedError
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.engine.stage import Moment
from pipeline.engine.stages import CYCLE, SNAPSHOT
from pipeline.features.catalogue import choose
from pipeline.features.feature_set import extend
from pipeline.ingestion.intraday.intraday_prices import intraday_prices
from pipeline.ingestion.intraday.params import IntradayParams
from pipeline.ingestion.intraday.quarantine_intraday import quarantine_intraday
from pipeline.ingestion.sources.snapshot_source import SnapshotQuestion
from pipeline.market.sessions import exchange_sessions
from tests.pipeline.ingestion.intraday.five_minutes import at, snapshot_runner, write_bars

HOUR = {at(end): 100.0 + end for end in range(5, 65, 5)}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    write_bars(tmp_path / "bars.csv", HOUR)
    return snapshot_runner(tmp_path)


def bars_of(runner: Runner, *, every_revision: bool = False) -> pl.DataFrame:
    return runner.lake.read(INTRADAY_PRICES, every_revision=every_revision).sort("ticker", "ts", "revision")


def test_a_snapshot_brings_the_bars_that_had_ended_and_knows_nothing_of_the_others(runner: Runner) -> None:
    runner.snapshot(at(17))
    assert bars_of(runner)["ts"].to_list() == [at(5), at(10), at(15)]
    landed = runner.lake.read(RAW_INTRADAY)
    assert landed["payload"].str.split("\n").list.len().to_list() == [3]
    assert (bars_of(runner)["available_at"] <= at(17)).all()


def test_a_bar_that_ends_after_the_moment_is_set_aside_with_its_rule_whatever_the_source_says(runner: Runner) -> None:
    session = at(0).date()
    question = SnapshotQuestion(session=session, as_of=at(20), since=at(0))
    told_early = runner.executor.snapshot_source.snapshot("5m", question)
    landed = told_early.with_columns(asked_at=pl.lit(at(10), dtype=told_early.schema["asked_at"]))
    moment = Moment(
        session=session, since=session, as_of=at(10), seed=0, versions={}, calendar=exchange_sessions("XNYS")
    )
    frames = (landed, INTRADAY_PRICES.empty(), INSTRUMENTS.empty(), moment, IntradayParams())
    assert intraday_prices(*frames)["ts"].to_list() == [at(5), at(10)]
    aside = quarantine_intraday(*frames)
    assert aside["rule"].to_list() == ["the bar has ended"] * 2
    assert [json.loads(row)["ts"] for row in aside["row"]] == [at(10).isoformat(), at(15).isoformat()]


def test_what_later_bars_say_changes_nothing_of_an_earlier_snapshot(tmp_path: Path) -> None:
    found = []
    for name, poison in (("clean", 1.0), ("poisoned", 1000.0)):
        folder = tmp_path / name
        folder.mkdir()
        write_bars(folder / "bars.csv", {end: close * (poison if end > at(30) else 1.0) for end, close in HOUR.items()})
        runner = snapshot_runner(folder)
        runner.snapshot(at(30))
        found.append([run.fingerprint for run in find_done_runs(runner.lake)])
    assert found[0] == found[1] and len(found[0]) == len(SNAPSHOT)


def test_a_second_snapshot_asks_for_what_is_new_and_the_last_hour_and_stores_only_what_is_new(tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.csv", {at(end): 100.0 + end for end in range(5, 395, 5)})
    runner = snapshot_runner(tmp_path)
    runner.snapshot(at(180))
    runner.snapshot(at(195))
    landed = runner.lake.read(RAW_INTRADAY).sort("asked_at")
    assert landed["payload"].str.split("\n").list.len().to_list() == [36, 12 + 3]
    assert find_done_runs(runner.lake)[-2].written == 3
    assert bars_of(runner)["revision"].max() == 0


def test_a_bar_that_the_next_fetch_brings_otherwise_becomes_a_revision_known_from_then(
    runner: Runner, tmp_path: Path
) -> None:
    runner.snapshot(at(15))
    write_bars(tmp_path / "bars.csv", HOUR | {at(10): 99.0})
    runner.snapshot(at(30))
    restated = bars_of(runner, every_revision=True).filter(pl.col("ts") == at(10))
    assert restated["close"].to_list() == [110.0, 99.0] and restated["revision"].to_list() == [0, 1]
    assert restated["available_at"][1] == at(30)
    then = runner.lake.read(INTRADAY_PRICES, as_of=at(29)).filter(pl.col("ts") == at(10))
    assert then["close"].to_list() == [110.0]


def test_the_first_snapshot_of_a_session_brings_the_rest_of_the_one_before_and_its_restatements(
    tmp_path: Path,
) -> None:
    day = {at(end): 100.0 for end in range(5, 395, 5)}
    write_bars(tmp_path / "bars.csv", day)
    runner = snapshot_runner(tmp_path)
    runner.snapshot(at(375))
    write_bars(tmp_path / "bars.csv", day | {at(5): 101.0, at(5, days=1): 102.0})
    runner.snapshot(at(6, days=1))
    assert bars_of(runner).height == 79
    assert bars_of(runner).filter(pl.col("revision") == 1)["ts"].to_list() == [at(5)]


def test_a_snapshot_comes_out_the_same_again_to_the_bit(runner: Runner) -> None:
    runner.snapshot(at(15))
    runner.snapshot(at(40))
    runs = find_done_runs(runner.lake)
    assert len(runs) == 2 * len(SNAPSHOT)
    assert all(reproduce(runner, run).identical for run in runs)
    assert all(not reproduce(runner, run).changed_since for run in runs)


def test_a_snapshot_that_is_done_is_left_alone_and_an_earlier_one_is_refused(runner: Runner) -> None:
    runner.snapshot(at(30))
    assert runner.snapshot(at(30)).already_done
    with pytest.raises(CycleOrderError, match="snapshots only go forward"):
        runner.snapshot(at(15))
    assert last_snapshot(runner.lake) == at(30)


def test_an_interrupted_snapshot_is_brought_to_its_end_by_whoever_writes_next(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(Runner, "_publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            runner.snapshot(at(15))
    again = Runner(runner.lake, runner.settings)
    again.recover()
    assert last_snapshot(again.lake) == at(15)
    assert bars_of(again)["ts"].to_list() == [at(5), at(10), at(15)]
    assert all(reproduce(again, run).identical for run in find_done_runs(again.lake))


def test_only_fills_read_what_snapshots_write_and_features_where_one_of_their_bars_is_chosen() -> None:
    written = {stage.writes.name for stage in SNAPSHOT}

    def read(chosen: Sequence[str]) -> set[tuple[str, str]]:
        uses = extend(choose(chosen))
        wanted = {(stage.name, one.table.name) for stage in CYCLE for one in stage.reads if one.is_wanted(uses)}
        return {(stage, table) for stage, table in wanted if table in written}

    fills = {("execute", INTRADAY_PRICES.name)}
    assert read(()) == fills
    assert read(["intraday_bars"]) == {*fills, ("features", INTRADAY_PRICES.name)}


def test_a_snapshot_counts_as_no_session_of_the_lake(runner: Runner) -> None:
    runner.snapshot(at(15))
    assert last_session(runner.lake) is None


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"intervals": ("1d",)}, "add 1h, 5m or 1m to source.files.intervals"),
        ({"intraday": ()}, "name them in source.files.intraday"),
        ({"intervals": ("1d", "1h")}, "has bars 0:05:00 apart, and source.files.intervals names 1h"),
    ],
)
def test_what_is_lacking_for_a_snapshot_is_told_with_the_setting_that_mends_it(
    tmp_path: Path, chosen: dict[str, object], message: str
) -> None:
    write_bars(tmp_path / "bars.csv", HOUR)
    with pytest.raises(StageFailedError, match=message):
        snapshot_runner(tmp_path, **chosen).snapshot(at(15))


def test_an_hour_that_the_close_cuts_short_ends_with_it(tmp_path: Path) -> None:
    rows = [f"AAA,{at(start).isoformat()},10,11,9,10,100" for start in range(0, 390, 60)]
    (tmp_path / "bars.csv").write_text("ticker,ts,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    runner = snapshot_runner(tmp_path, intervals=("1d", "1h"))
    runner.snapshot(at(390))
    assert bars_of(runner)["ts"].to_list()[-1] == at(390)
