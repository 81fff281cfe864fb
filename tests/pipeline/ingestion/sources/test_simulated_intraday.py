"""The simulated bars within a session are, together, its daily bar; equal seeds draw equal minutes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.tables.intraday import INTRADAY_PRICES, QUARANTINED_INTRADAY
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.intraday_source import SimulatedIntraday
from pipeline.ingestion.sources.simulated.minutes import MINUTE, draw_minutes, join_minutes
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.source import SimulatedSource
from pipeline.ingestion.sources.snapshot_source import SnapshotQuestion
from pipeline.market.sessions import exchange_sessions
from tests.new_lake import new_lake

CALENDAR = exchange_sessions("XNYS")
HALF_DAY = date(2018, 7, 3)
PARAMS = SimulatedParams(names=8, history_sessions=160, intervals=("1d", "1h", "5m", "1m"))


def joined(bars: pl.DataFrame) -> pl.DataFrame:
    """The bars of a session as one bar per ticker."""
    first, last = pl.col("open").first(), pl.col("close").last()
    totals = (first, pl.col("high").max(), pl.col("low").min(), last, pl.col("volume").sum())
    return bars.sort("ticker", "ts").group_by("ticker", maintain_order=True).agg(*totals)


@pytest.mark.parametrize("session", [date(2018, 7, 2), HALF_DAY])
def test_the_bars_of_a_session_are_together_its_daily_bar_whatever_their_length(tmp_path: Path, session: date) -> None:
    source = SourceParams(name="simulated", simulated=PARAMS)
    runner = Runner(new_lake(tmp_path / "lake"), Settings(runtime=RuntimeParams(durable=False), source=source))
    opened, closed = CALENDAR.open_at(session), CALENDAR.close_at(session)
    runner.snapshot(opened + (closed - opened) / 2)
    runner.snapshot(closed)
    bars = runner.lake.read(INTRADAY_PRICES).filter(pl.col("session") == session)
    daily = SimulatedSource(PARAMS, CALENDAR).bars_of(session)[0]
    for interval in ("1h", "5m", "1m"):
        mine = bars.filter(pl.col("interval") == interval)
        assert joined(mine).equals(daily.with_columns(pl.col("volume").cast(bars.schema["volume"]))), interval
        assert mine["ts"].max() == closed
    assert runner.lake.read(QUARANTINED_INTRADAY).is_empty()


def test_what_a_snapshot_shows_is_the_same_whatever_was_asked_before_and_nothing_ends_after_it() -> None:
    session = HALF_DAY
    noon = CALENDAR.open_at(session) + (CALENDAR.close_at(session) - CALENDAR.open_at(session)) / 2
    question = SnapshotQuestion(session=session, as_of=noon, since=CALENDAR.open_at(session))
    other = SimulatedIntraday(PARAMS, CALENDAR)
    other.snapshot("1m", SnapshotQuestion(session=date(2018, 7, 2), as_of=noon, since=CALENDAR.open_at(session)))
    fresh, used = (
        one.snapshot("5m", question)["payload"].to_list() for one in (SimulatedIntraday(PARAMS, CALENDAR), other)
    )
    assert fresh == used
    assert [len(payload.split("\n")) for payload in fresh] == [21] * len(fresh), "half of three and a half hours"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*(st.integers(1, 99_999),) * 4, st.integers(0, 10**9)), min_size=1, max_size=4),
    st.integers(3, 500),
    st.integers(0, 99),
)
def test_any_daily_bar_comes_out_of_its_minutes_again(
    days: list[tuple[int, int, int, int, int]], minutes: int, seed: int
) -> None:
    rows = []
    for number, (*cents, volume) in enumerate(days):
        low, high, opening, close = min(cents), max(cents), cents[1], cents[2]
        scale = 10_000 if low < 100 else 100
        rows.append((f"N{number}", opening / scale, high / scale, low / scale, close / scale, volume))
    bars = pl.DataFrame(rows, schema=["ticker", "open", "high", "low", "close", "volume"], orient="row")
    opened = CALENDAR.open_at(HALF_DAY)
    drawn = draw_minutes(bars, list(range(len(days))), 4, opened, opened + minutes * MINUTE, seed, 0)
    assert joined(drawn.with_columns(ts="start")).equals(bars)
    assert drawn.filter((pl.col("high") < pl.max_horizontal("open", "close")) | (pl.col("volume") < 0)).is_empty()
    assert joined(join_minutes(drawn, 7, opened).with_columns(ts="begin")).equals(bars)
