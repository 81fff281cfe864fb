"""Real bars of one and five minutes, replayed through two sessions, come out as their files have them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from benchmarks.snapshots import make_runner
from lake.runs import find_done_runs
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.intraday import INTRADAY_PRICES, QUARANTINED_INTRADAY
from nextgen_tui.commands.snapshot import list_moments
from pipeline.config.settings import Settings
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.market.sessions import exchange_sessions
from tests.new_lake import new_lake
from tests.real_data import REAL_DATA

FILES = {
    "5m": REAL_DATA / "us_markets" / "us_intraday_5min_2025.parquet",
    "1m": REAL_DATA / "us_markets" / "us_intraday_1min_2025.parquet",
}
HALF_DAY = date(2025, 11, 28)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all(path.exists() for path in FILES.values()), reason="the real bars are not here"),
]


def truth(interval: str, sessions: list[date]) -> pl.DataFrame:
    """The file's bars of some sessions within their hours, by their ends."""
    calendar = exchange_sessions("XNYS")
    minutes = int(interval[0])
    rows = pl.read_parquet(FILES[interval]).with_columns(
        ts=(pl.col("ts").dt.replace_time_zone("America/New_York") + timedelta(minutes=minutes)).dt.convert_time_zone(
            "UTC"
        ),
        interval=pl.lit(interval),
    )
    hours = [(calendar.open_at(one), calendar.close_at(one)) for one in sessions]
    inside = pl.any_horizontal((pl.col("ts") > opened) & (pl.col("ts") <= closed) for opened, closed in hours)
    return rows.filter(inside).select("ticker", "interval", "ts", "open", "high", "low", "close", "volume")


def test_two_sessions_of_real_bars_replayed_every_quarter_of_an_hour_equal_their_files(tmp_path: Path) -> None:
    calendar = exchange_sessions("XNYS")
    sessions = [calendar.previous(HALF_DAY), HALF_DAY]
    files = FilesParams(
        prices=(str(FILES["5m"]),),
        intraday=tuple(map(str, FILES.values())),
        intervals=("1d", "5m", "1m"),
        zone="America/New_York",
    )
    runner = Runner(new_lake(tmp_path / "lake"), Settings(source=SourceParams(name="files", files=files)))
    moments = list_moments(calendar, sessions[0], sessions[1], "15m")
    assert len(moments) == 27 + 15 and moments[-1] == datetime(2025, 11, 28, 18, tzinfo=UTC)
    for moment in moments:
        runner.snapshot(moment)
    held = runner.lake.read(INTRADAY_PRICES, since=sessions[0], every_revision=True)
    for interval in FILES:
        expected = truth(interval, sessions).sort("ticker", "ts")
        found = held.filter(pl.col("interval") == interval).sort("ticker", "ts")
        assert found.height == expected.height > 0
        volume = found.select(exact=pl.col("volume") + pl.col("volume_rounding").fill_null(0.0))["exact"]
        for name in ("ticker", "ts", "open", "close"):
            assert found[name].equals(expected[name].cast(found.schema[name])), name
        assert (volume - expected["volume"]).abs().max() < 1e-6  # type: ignore[operator]
    assert held["revision"].max() == 0
    late = held.filter(pl.col("session") == HALF_DAY)
    assert (late["available_at"] >= late["ts"]).all()
    assert runner.lake.read(QUARANTINED_INTRADAY)["rule"].unique().is_in(["the bar lies within the session"]).all()
    assert all(reproduce(runner, run).identical for run in find_done_runs(runner.lake)[-9:])


def test_real_bars_replayed_beside_their_daily_bars_tell_a_wrong_day_and_keep_what_was_restated(tmp_path: Path) -> None:
    calendar = exchange_sessions("XNYS")
    first = date(2025, 11, 26)
    five = tmp_path / "five.parquet"
    bars = pl.read_parquet(FILES["5m"]).filter(pl.col("ts") >= datetime(2025, 11, 3))  # noqa: DTZ001 - the file's own clock
    bars.write_parquet(five)
    runner = make_runner(tmp_path, five, FILES["1m"], contradicted=HALF_DAY)
    runner.backfill(runner.source.coverage()[0], calendar.previous(first))
    list(runner.replay(first, first, snapshots=list_moments(calendar, first, first, "15m")))
    noon = (pl.col("ts").dt.to_string("%m-%d %H:%M") == "11-26 12:00") & (pl.col("ticker") == bars["ticker"].min())
    bars.with_columns(close=pl.when(noon).then(pl.col("low")).otherwise("close")).write_parquet(five)
    list(runner.replay(HALF_DAY, HALF_DAY, snapshots=list_moments(calendar, HALF_DAY, HALF_DAY, "15m")))
    held = runner.lake.read(INTRADAY_PRICES, since=first, every_revision=True)
    for interval in FILES:
        found = held.filter(pl.col("interval") == interval, pl.col("revision") == 0).sort("ticker", "ts")
        expected = truth(interval, [first, HALF_DAY]).sort("ticker", "ts")
        assert found.height == expected.height > 0 and found["ts"].equals(expected["ts"])
    restated = held.filter(pl.col("revision") == 1)
    assert restated["ts"].dt.convert_time_zone("America/New_York").dt.to_string("%d %H:%M").to_list() == ["26 12:05"]
    assert restated["available_at"].to_list() == [calendar.open_at(HALF_DAY)]
    health = runner.lake.read(SYSTEM_HEALTH).filter(pl.col("check") == "daily bar").sort("session")
    assert health["status"].to_list() == ["ok", "warn"]
    told = r"contradicted by their own shorter bars: \d+ of \d+ daily bars, the first is (\S+): close "
    assert health["message"].str.extract(told).to_list() == [None, bars["ticker"].min()]
