"""What bars within a session say of it: right by plain arithmetic, known in time, and nothing where bars lack."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from math import isclose, log, pi

import polars as pl
import pytest

from pipeline.features.facts.declarations import BAR_FACTS
from pipeline.features.facts.five_minute_bars import BAR_COLUMNS, known_in_time, summarise
from tests.frames.features import CALENDAR
from tests.frames.intraday import short_bars

DAY = CALENDAR.days[10]
SLOTS = (CALENDAR.close_at(DAY) - CALENDAR.open_at(DAY)) // timedelta(minutes=5)
NAMES = [fact.name for fact in BAR_FACTS]


def facts_of(bars: pl.DataFrame) -> dict[str, float | None]:
    rows = summarise(bars.select(BAR_COLUMNS), CALENDAR)
    return rows.row(0, named=True) if rows.height else {}


def plainly(bars: list[dict]) -> dict[str, float]:
    """The same over a list of all slots, one after the other."""
    changes = [log(bars[0]["close"] / bars[0]["open"])]
    changes += [log(b["close"] / a["close"]) for a, b in pairwise(bars)]
    volume, last = sum(bar["volume"] for bar in bars), bars[-1]["close"]
    traded = sum((bar["high"] + bar["low"] + bar["close"]) / 3 * bar["volume"] for bar in bars)
    high, low = max(bar["high"] for bar in bars), min(bar["low"] for bar in bars)
    return {
        "realised_variance": sum(change**2 for change in changes),
        "falling_variance": sum(change**2 for change in changes if change < 0),
        "bipower_variation": pi / 2 * sum(abs(a * b) for a, b in pairwise(changes)),
        "first_half_hour": log(bars[5]["close"] / bars[0]["open"]),
        "last_half_hour": log(last / bars[-7]["close"]),
        "first_half_hour_volume": sum(bar["volume"] for bar in bars[:6]) / volume,
        "last_half_hour_volume": sum(bar["volume"] for bar in bars[-6:]) / volume,
        "close_over_average": log(last / (traded / volume)),
        "close_in_range": (2 * last - high - low) / (high - low),
    }


def test_every_fact_is_what_plain_arithmetic_gives() -> None:
    bars = short_bars("AAA", DAY)
    found, wanted = facts_of(bars), plainly(bars.to_dicts())
    assert list(wanted) == NAMES
    for name in NAMES:
        assert isclose(found[name], wanted[name], rel_tol=1e-12, abs_tol=1e-15), name


def test_bars_of_one_minute_are_put_together_to_five() -> None:
    ones = short_bars("AAA", DAY, minutes=1)
    fives = [ones[start : start + 5] for start in range(0, ones.height, 5)]
    plain = [
        {
            "open": part["open"][0],
            "close": part["close"][-1],
            "high": part["high"].max(),
            "low": part["low"].min(),
            "volume": part["volume"].sum(),
        }
        for part in fives
    ]
    found = facts_of(ones)
    for name, value in plainly(plain).items():
        assert isclose(found[name], value, rel_tol=1e-12, abs_tol=1e-15), name


def test_bars_of_five_minutes_count_alone_where_there_are_both() -> None:
    both = pl.concat([short_bars("AAA", DAY, minutes=1, seed=5), short_bars("AAA", DAY)])
    assert facts_of(both) == facts_of(short_bars("AAA", DAY))


def test_a_half_hour_without_its_ends_is_unknown_and_the_rest_is_known() -> None:
    found = facts_of(short_bars("AAA", DAY, skip=(5, SLOTS - 7)))
    assert found["first_half_hour"] is None and found["last_half_hour"] is None
    assert all(found[name] is not None for name in NAMES if name not in ("first_half_hour", "last_half_hour"))


@pytest.mark.parametrize("lacking", [0.19, 0.21])
def test_a_session_whose_bars_lack_for_more_than_a_fifth_says_nothing(lacking: float) -> None:
    gone = tuple(range(10, 10 + int(lacking * SLOTS)))
    assert bool(facts_of(short_bars("AAA", DAY, skip=gone))) == (lacking < 0.2)


def test_hourly_bars_and_bars_outside_the_session_say_nothing() -> None:
    hourly = short_bars("AAA", DAY).with_columns(interval=pl.lit("1h"))
    assert facts_of(hourly) == {}
    late = short_bars("AAA", DAY)
    late = pl.concat([late, late[-1:].with_columns(pl.col("ts") + timedelta(minutes=5), close=1.0, low=1.0)])
    assert facts_of(late) == facts_of(short_bars("AAA", DAY))


def test_a_bar_counts_as_it_was_known_at_its_own_decision() -> None:
    bars, lag = short_bars("AAA", DAY), timedelta(minutes=20)
    decided = CALENDAR.close_at(DAY) + lag
    in_time = bars[3:4].with_columns(revision=pl.lit(1, pl.Int32), close=1.0, available_at=decided)
    too_late = bars[3:4].with_columns(
        revision=pl.lit(2, pl.Int32), close=2.0, available_at=decided + timedelta(microseconds=1)
    )
    known = known_in_time(
        pl.concat([bars, in_time, too_late]).sort("ticker", "interval", "ts", "revision"), CALENDAR, lag
    )
    assert known.height == bars.height and known["close"][3] == 1.0
    assert known_in_time(bars.with_columns(available_at=decided + timedelta(days=1)), CALENDAR, lag).is_empty()
