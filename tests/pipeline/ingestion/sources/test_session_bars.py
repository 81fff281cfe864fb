"""Bars within sessions, whose days are all that a lake decides by, land as the daily bars that they make together."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.bars import Bars
from pipeline.ingestion.sources.files.blocks.session_bars import sum_to_sessions
from pipeline.ingestion.sources.files.checks.judged_rows import Asked
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from pipeline.ingestion.sources.simulated.intraday_source import SimulatedIntraday
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.source import SimulatedSource
from pipeline.ingestion.sources.snapshot_source import SnapshotQuestion
from pipeline.market.sessions import exchange_sessions
from tests.pipeline.ingestion.sources.markets import bars as landed_bars
from tests.real_data import REAL_DATA

CALENDAR = exchange_sessions("XNYS")
HALF_DAY = date(2018, 7, 3)
DAYS = (date(2018, 7, 2), HALF_DAY, date(2018, 7, 5))
SIMULATED = SimulatedParams(names=4, history_sessions=160, intervals=("1d", "1h", "5m"))
ASKED = Asked(CALENDAR, date(2018, 1, 1), date(2018, 12, 31), "USD", "5m", "start")
VALUES = ("open", "high", "low", "close", "volume")


def simulated(interval: str, *days: date) -> pl.DataFrame:
    """ticker, ts (text, UTC) and the values of bars within sessions, as text."""
    source = SimulatedIntraday(SIMULATED, CALENDAR)
    asked = [SnapshotQuestion(session=day, as_of=CALENDAR.close_at(day), since=CALENDAR.open_at(day)) for day in days]
    payloads = [text for one in asked for text in source.snapshot(interval, one)["payload"]]
    return pl.DataFrame([json.loads(line) for text in payloads for line in text.split("\n")])


def source_of(path: Path, rows: pl.DataFrame, **given: Any) -> FilesSource:
    """A source over a file with these rows."""
    rows.write_csv(path)
    return FilesSource(FilesParams(prices=(str(path),), **given), CALENDAR)


@pytest.mark.parametrize("interval", ["1h", "5m"])
def test_days_of_bars_within_them_are_those_of_daily_bars(tmp_path: Path, interval: str) -> None:
    rows = simulated(interval, *DAYS)
    source = source_of(tmp_path / "bars.csv", rows.sample(fraction=1.0, shuffle=True, seed=1), interval=interval)
    assert source.coverage() == (DAYS[0], DAYS[-1])
    found = landed_bars(source.prices(DAYS[0], DAYS[-1], history=True))
    daily = SimulatedSource(SIMULATED, CALENDAR)
    expected = pl.concat(daily.bars_of(day)[0].with_columns(session=pl.lit(str(day))) for day in DAYS)
    both = [frame.select("ticker", "session", pl.col(VALUES).cast(pl.Float64)) for frame in (found, expected)]
    assert_frame_equal(*both, check_row_order=False)
    asked = {json.loads(request)["interval"] for request in source.prices(DAYS[0], DAYS[-1], history=True)["request"]}
    assert asked == {"1d"}, "what lands is a daily bar"


@pytest.mark.slow
def test_hours_of_real_names_come_to_the_daily_bars_of_the_same_vendor() -> None:
    hours, days = (REAL_DATA / "lean_us_equity" / f"{name}_unadjusted.parquet" for name in ("hour", "daily"))
    if not hours.exists():
        pytest.skip(f"{hours} is not here")
    source = FilesSource(FilesParams(prices=(str(hours),), interval="1h", zone="America/New_York"), CALENDAR)
    found = landed_bars(source.prices(*source.coverage(), history=True)).with_columns(pl.col(VALUES).cast(pl.Float64))
    told = pl.read_parquet(days).with_columns(session=pl.col("date").cast(pl.String))
    both = found.join(told, on=["ticker", "session"], suffix="_told")
    assert both.height > 29_000
    for name, share in zip(VALUES, (1.0, 0.999, 0.999, 0.996, 0.996), strict=True):
        alike = ((pl.col(name) / pl.col(f"{name}_told") - 1).abs() < 1e-6).mean()
        assert both.select(alike).item() >= share, name


def test_a_session_is_summed_the_same_when_it_is_fetched_by_itself(tmp_path: Path) -> None:
    source = source_of(tmp_path / "bars.csv", simulated("5m", *DAYS), interval="5m")
    whole = landed_bars(source.prices(DAYS[0], DAYS[-1], history=True)).filter(pl.col("session") == str(HALF_DAY))
    single = landed_bars(source.prices(HALF_DAY, HALF_DAY, history=False)).filter(pl.col("session") == str(HALF_DAY))
    assert whole.height
    assert_frame_equal(single, whole)


def test_a_session_that_the_files_end_within_is_left_to_the_next_fetch(tmp_path: Path) -> None:
    rows, noon = simulated("5m", *DAYS), CALENDAR.open_at(DAYS[-1]) + timedelta(hours=3)
    cut = rows.filter(pl.col("ts").str.to_datetime(time_zone="UTC") < noon)
    path = tmp_path / "bars.csv"
    source = source_of(path, cut, interval="5m")
    assert source.coverage() == (DAYS[0], HALF_DAY)
    assert set(landed_bars(source.prices(DAYS[0], DAYS[-1], history=True))["session"]) == {"2018-07-02", "2018-07-03"}
    rows.write_csv(path)
    assert source.coverage() == (DAYS[0], DAYS[-1])
    assert landed_bars(source.prices(DAYS[-1], DAYS[-1], history=False))["session"].to_list()[-1] == str(DAYS[-1])


def test_what_lies_outside_hours_or_is_broken_is_no_part_of_a_day_and_is_told(tmp_path: Path) -> None:
    rows = simulated("5m", DAYS[0])
    extra = [
        {"ts": "2018-07-02T12:00:00+00:00", "open": "1", "high": "999", "low": "1", "close": "2", "volume": "7"},
        {"ts": "2018-07-02T15:00:00+00:00", "open": "5", "high": "4", "low": "6", "close": "5", "volume": "7"},
    ]
    first = rows["ticker"][0]
    spoilt = pl.concat([pl.DataFrame([{"ticker": first, **one} for one in extra]).select(rows.columns), rows])
    clean = landed_bars(source_of(tmp_path / "a.csv", rows, interval="5m").prices(DAYS[0], DAYS[0], history=True))
    source = source_of(tmp_path / "b.csv", spoilt.filter(pl.col("ts") != "2018-07-02T15:00:00Z"), interval="5m")
    assert_frame_equal(landed_bars(source.prices(DAYS[0], DAYS[0], history=True)), clean, check_row_order=False)
    told = {one.rule: one.rows for one in source.understand().set_aside}
    assert told == {"the bar lies within the session": 1, "high is not below low": 1}
    assert source.understand().problems == ()
    assert set(source.understand().first_bars["session"]) == {"2018-07-02"}


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "Asia/Tokyo"])
def test_times_without_a_zone_are_asked_about_with_the_zone_in_which_they_lie_within_hours(
    tmp_path: Path, zone: str
) -> None:
    local = pl.col("ts").str.to_datetime(time_zone="UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    rows = simulated("5m", *DAYS).with_columns(ts=local.dt.to_string("%Y-%m-%dT%H:%M:%S"))
    with pytest.raises(SourceError, match=f"the time has a zone.*100 % .* --set source.files.zone={zone};"):
        source_of(tmp_path / "bars.csv", rows, interval="5m").check_reachable()
    told = source_of(tmp_path / "bars.csv", rows, interval="5m", zone=zone)
    told.check_reachable()
    aware = source_of(tmp_path / "aware.csv", simulated("5m", *DAYS), interval="5m")
    found, expected = (landed_bars(one.prices(DAYS[0], DAYS[-1], history=True)) for one in (told, aware))
    assert_frame_equal(found, expected, check_row_order=False)


def around_the_clock(first: int, last: int, zone: str = "") -> pl.DataFrame:
    """Bars of each hour from one to another in New York, those of trading threefold, written in a zone or with it."""
    rows = []
    for day in DAYS[:1] + DAYS[2:]:
        for hour in range(first, last):
            at = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo("America/New_York"))
            told = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if zone else at
            names = ("AAA", "BBB", "CCC") if 10 <= hour < 16 else ("AAA",)
            bar = {"ts": told.isoformat(), "open": 1, "high": 2, "low": 1, "close": 2, "volume": 7}
            rows += [{"ticker": name} | bar for name in names]
    return pl.DataFrame(rows)


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", ""])
def test_early_and_late_trading_stops_no_load(tmp_path: Path, zone: str) -> None:
    rows = around_the_clock(4, 20, zone)
    if zone:  # an hour more or less of early and late trading tells no zone from the next
        told = zone if zone == "America/New_York" else "ZONE"
        with pytest.raises(SourceError, match=f"the time has a zone.*--set source.files.zone={told}[;,]"):
            source_of(tmp_path / "bars.csv", rows, interval="1h").check_reachable()
    source = source_of(tmp_path / "bars.csv", rows, interval="1h", **({"zone": zone} if zone else {}))
    source.check_reachable()
    assert {one.rule for one in source.understand().set_aside} == {"the bar lies within the session"}
    landed = source.prices(DAYS[0], DAYS[-1], history=True)
    bars = [
        json.loads(line) for text in landed.filter(pl.col("kind") == "bars")["payload"] for line in text.split("\n")
    ]
    assert {(one["ticker"], one["bars"]) for one in bars} == {("AAA", "7"), ("BBB", "6"), ("CCC", "6")}, "from 9:30 on"


def test_times_in_a_zone_that_was_stated_wrongly_lead_to_the_right_one(tmp_path: Path) -> None:
    rows = around_the_clock(4, 20, "America/New_York")
    with pytest.raises(SourceError, match=r"within the session.*--set source\.files\.zone=America/New_York"):
        source_of(tmp_path / "bars.csv", rows, interval="1h", zone="Asia/Tokyo").check_reachable()


def test_a_zone_is_not_proposed_where_none_fits(tmp_path: Path) -> None:
    around = [f"2018-07-02T{hour:02}:00:00" for hour in range(24)]
    one = {"ticker": "AAA", "open": "1", "high": "2", "low": "1", "close": "2", "volume": "7"}
    rows = pl.DataFrame([one | {"ts": at} for at in around])
    with pytest.raises(SourceError, match="zone=ZONE, the zone that the file's times"):
        source_of(tmp_path / "bars.csv", rows, interval="1h").check_reachable()


CENTS = st.integers(1, 500)
BAR = st.tuples(st.integers(0, 77), CENTS, CENTS, CENTS, CENTS, st.integers(0, 10**6))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["AAA", "BBB"]), st.sampled_from(DAYS[:1] + DAYS[2:]), BAR), max_size=12))
def test_any_bars_come_to_what_is_counted_by_hand(given_bars: list[tuple[str, date, tuple[int, ...]]]) -> None:
    rows: list[dict[str, Any]] = []
    expected: dict[tuple[str, date], dict[int, tuple[float, ...]]] = {}
    for ticker, day, (slot, *cents, volume) in given_bars:
        at = CALENDAR.open_at(day) + timedelta(minutes=5 * slot)
        values = (cents[0] / 100, max(cents) / 100, min(cents) / 100, cents[1] / 100, float(volume))
        told = dict(zip(VALUES, values, strict=True))
        rows.append({"ticker": ticker, "ts": at.astimezone(UTC).isoformat(), "day": day} | told)
        expected.setdefault((ticker, day), {}).setdefault(slot, values)
    schema = {"ticker": pl.String, "ts": pl.String, "day": pl.Date, **dict.fromkeys(VALUES, pl.Float64)}
    lines = pl.DataFrame(rows, schema=schema)
    number = pl.int_range(lines.height, dtype=pl.UInt32, eager=True)
    bars = Bars(
        lines, {name: name for name in ("ticker", "ts", *VALUES)}, lines["ticker"], lines["day"], number, number
    )
    found = sum_to_sessions(bars, ASKED)
    by_hand = {
        (ticker, day): (
            slots[min(slots)][0],
            max(one[1] for one in slots.values()),
            min(one[2] for one in slots.values()),
            slots[max(slots)][3],
            sum(one[4] for one in slots.values()),
            len(slots),
        )
        for (ticker, day), slots in expected.items()
    }
    table = found.lines.select("open", "high", "low", "close", "volume", "bars").rows()
    assert dict(zip(zip(found.symbol, found.day, strict=True), table, strict=True)) == by_hand
    assert list(found.symbol) == sorted(found.symbol)


def test_a_day_was_seen_when_its_last_bar_was() -> None:
    seen = ["2018-07-02T20:01:00+00:00", "2018-07-03T08:00:00+00:00"]
    at = [CALENDAR.open_at(DAYS[0]) + timedelta(minutes=5 * slot) for slot in range(2)]
    lines = pl.DataFrame({"ticker": ["AAA"] * 2, "ts": [one.isoformat() for one in at], "seen": seen}).with_columns(
        *(pl.lit(value).alias(name) for name, value in zip(VALUES, (1.0, 2.0, 1.0, 2.0, 5.0), strict=True))
    )
    number = pl.Series([0, 1], dtype=pl.UInt32)
    fields = {name: name for name in ("ticker", "ts", *VALUES)} | {"available_at": "seen"}
    found = sum_to_sessions(Bars(lines, fields, lines["ticker"], pl.Series([DAYS[0]] * 2), number, number), ASKED)
    assert found.lines[found.fields["available_at"]].to_list() == [seen[1]]
    assert datetime.fromisoformat(seen[1]).date() == HALF_DAY


WEEK = (date(2018, 7, 9), date(2018, 7, 10), date(2018, 7, 11), date(2018, 7, 12))


@pytest.mark.parametrize(("said", "right"), [("1h", "5m"), ("5m", "1m")])
def test_bars_that_are_shorter_than_was_said_name_their_length(tmp_path: Path, said: str, right: str) -> None:
    step = timedelta(minutes=int(right[:-1]))
    starts = [CALENDAR.open_at(day) + step * n for day in WEEK for n in range(60)]
    bar = {"ticker": "AAA", "open": "1", "high": "2", "low": "1", "close": "2", "volume": "7"}
    rows = pl.DataFrame([bar | {"ts": at.isoformat()} for at in starts])
    (problem,) = source_of(tmp_path / "bars.csv", rows, interval=said).understand().problems
    assert problem.endswith(f"--set source.files.interval={right}")
    assert not source_of(tmp_path / "bars.csv", rows, interval=right).understand().problems


@pytest.mark.parametrize("interval", ["5m", "1h"])
@pytest.mark.parametrize("stamp", ["start", "end"])
def test_times_that_mark_the_other_end_of_a_bar_name_it(tmp_path: Path, interval: str, stamp: str) -> None:
    rows = simulated(interval, *WEEK)
    step = timedelta(minutes=5 if interval == "5m" else 60)
    closes = {day.isoformat(): CALENDAR.close_at(day) for day in WEEK}
    if stamp == "end":
        ends = [min(datetime.fromisoformat(at) + step, closes[at[:10]]) for at in rows["ts"]]
        rows = rows.with_columns(ts=pl.Series([end.isoformat() for end in ends]))
    other = "end" if stamp == "start" else "start"
    (problem,) = source_of(tmp_path / "bars.csv", rows, interval=interval, stamp=other).understand().problems
    assert f"a time marks the {stamp} of its bar: --set source.files.stamp={stamp}" in problem
    assert not source_of(tmp_path / "bars.csv", rows, interval=interval, stamp=stamp).understand().problems


def test_days_alone_are_no_times_of_bars(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        [
            {"ticker": "AAA", "date": str(day), "open": 1, "high": 2, "low": 1, "close": 2, "volume": 7}
            for day in CALENDAR.between(date(2018, 3, 1), date(2018, 5, 31))
        ]
    )
    (problem,) = source_of(tmp_path / "bars.csv", rows, interval="5m").understand().problems
    assert "they have days and no times of day: --set source.files.interval=1d" in problem
