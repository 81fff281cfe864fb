"""Separates sound bars from those that are set aside, each with the rule it breaks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from lake.contract import UTC
from lake.tables.market import MARKET_PRICES
from pipeline.engine.stage import Moment
from pipeline.ingestion.decode_payloads import SET_ASIDE
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.bar_rules import VALUES, read_bars
from pipeline.ingestion.prices.jumps import BAR, MEMORY, SUSPENDED, judge_jumps

LOOKBACK = 30
"""Sessions before the first one computed whose known bars are read: MEMORY and what a daily fetch asks for again."""
REACH = LOOKBACK - MEMORY
"""Sessions before the first one computed from which a daily fetch may still bring bars."""
REPEAT = "a repeat of another row"
TWO_VALUES = "one bar has two values"
SUPERSEDED = "a later answer of the same session replaced it"
TOO_OLD = f"the bar is at most {REACH} sessions old; load older ones as history"


NOT_YET = "the bar was available by the landing"
COLUMNS = tuple(MARKET_PRICES.columns)


class ValidatedBars(NamedTuple):
    """The two parts of what was delivered; together they are all of it."""

    good: pl.DataFrame
    """The contract's columns of market_prices, and `new`: False where the bar was known with these values."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text (the line as delivered) and rule."""


def validate_bars(
    raw_prices: pl.DataFrame,
    market_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> ValidatedBars:
    """Judge all bars landed in the moment's sessions, one session of arrival after the other.

    A bar arrives with its landing, or at the availability that the vendor states: what was restated in a load of
    history then comes out as the revision it was. Each arrival sees only what was public by its own session's
    publication, so that judging many landings at once, or once more, ends as judging them day by day.

    Args:
        raw_prices: landed rows; those that are not bars are passed over.
        market_prices: known bars, every revision, from LOOKBACK sessions before the moment's first.
        instruments: what is listed.
        corporate_actions: for the splits.
        moment: the sessions, and their calendar.
        params: lags and limits.
    """
    bars = _add_arrival(read_bars(raw_prices, instruments, moment.calendar), moment, params)
    splits = corporate_actions.filter(pl.col("kind") == "split")
    known = market_prices.select(COLUMNS)
    good = [known.clear().with_columns(new=pl.lit(False))]
    bad = [bars.filter(pl.col("rule").is_not_null()).select(*SET_ASIDE)]
    sound = bars.filter(pl.col("rule").is_null())
    for batch in sound.sort("arrival", *BAR).partition_by("arrival", maintain_order=True):
        public = moment.calendar.close_at(batch["arrival"][0]) + params.publication_lag
        stand, aside = _validate_arrival(batch, _last_known(known, batch, public, moment), splits, moment, params)
        good.append(stand)
        bad.append(aside)
        known = pl.concat([known, stand.filter("new").drop("new")])
    return ValidatedBars(pl.concat(good).sort(MARKET_PRICES.key), pl.concat(bad).sort("payload_id", "line"))


def _add_arrival(bars: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Add arrival (Date), the first session whose publication could show the bar, and the rules about age."""
    calendar, since = moment.calendar, moment.calendar.at_or_after(moment.since)
    oldest = calendar.position(since) - REACH
    days = calendar.frame(calendar.offset(since, -REACH), moment.session)
    shown = days.select(arrival="session", stated=pl.col("close_at") + params.publication_lag)
    stated = bars.filter(pl.col("stated").is_not_null()).select("payload_id", "line", "stated").sort("stated")
    arrivals = stated.join_asof(shown, on="stated", strategy="forward").drop("stated")
    timed = bars.join(arrivals, on=["payload_id", "line"], how="left", maintain_order="left")
    late = pl.col("stated").is_not_null() & (pl.col("arrival").is_null() | (pl.col("arrival") > pl.col("landed")))
    return timed.with_columns(
        pl.coalesce("arrival", "landed"),
        rule=pl.coalesce(
            "rule",
            pl.when(pl.col("position") < oldest).then(pl.lit(TOO_OLD)),
            pl.when(late).then(pl.lit(NOT_YET)),
        ),
    )


def _last_known(known: pl.DataFrame, batch: pl.DataFrame, public: datetime, moment: Moment) -> pl.DataFrame:
    """The bars as they stood at the arrival, from MEMORY sessions before the batch on, with their position."""
    first = moment.calendar.offset(batch["session"].min(), -MEMORY)  # type: ignore[arg-type]
    last = moment.calendar.frame(first, moment.session).select("session", "position")
    return (
        known.filter((pl.col("available_at") <= public) & (pl.col("session") >= first))
        .sort(MARKET_PRICES.key)
        .unique(BAR, keep="last", maintain_order=True)
        .join(last, on="session", how="left", maintain_order="left")
    )


def _validate_arrival(
    batch: pl.DataFrame, known: pl.DataFrame, splits: pl.DataFrame, moment: Moment, params: IngestionParams
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars of one arrival that stand, and those that do not."""
    batch = _drop_repeats(batch)
    aside = batch.filter(pl.col("rule").is_not_null()).select(*SET_ASIDE)
    batch = _compare_with_known(batch.filter(pl.col("rule").is_null()), known)
    verdicts = judge_jumps(batch.filter("new"), known, splits, moment.calendar.zone, params.jump)
    suspended = batch.join(verdicts.suspended, on=BAR, how="semi", maintain_order="left")
    stand = batch.join(verdicts.suspended, on=BAR, how="anti", maintain_order="left")
    stand = stand.join(verdicts.confirmed, on=BAR, how="left", maintain_order="left")
    stand = _add_availability(stand, moment, params.publication_lag).select(*COLUMNS, "new")
    return stand, pl.concat([aside, suspended.with_columns(rule=pl.lit(SUSPENDED)).select(*SET_ASIDE)])


def _drop_repeats(batch: pl.DataFrame) -> pl.DataFrame:
    """Set aside all but one of identical rows, all of conflicting ones, and what a later answer replaced."""
    twice = batch.select(BAR).is_duplicated()
    if not twice.any():
        return batch
    asked_at = pl.coalesce("stated", "fetched_at")
    first = pl.int_range(pl.len()).over(BAR, order_by=["text", "payload_id", "line"]) == 0
    repeats = batch.filter(twice).with_columns(replaced=asked_at < asked_at.max().over(BAR))
    last = repeats.filter(~pl.col("replaced")).with_columns(
        rule=pl.when(pl.struct(VALUES).n_unique().over(BAR) > 1)
        .then(pl.lit(TWO_VALUES))
        .when(~first)
        .then(pl.lit(REPEAT))
    )
    replaced = repeats.filter("replaced").with_columns(rule=pl.lit(SUPERSEDED))
    return pl.concat([batch.filter(~twice), last.drop("replaced"), replaced.drop("replaced")])


def _compare_with_known(batch: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Add the revision the bar is (Int32), and `new`: whether it differs from what is known, bit for bit."""
    beside = batch.join(
        known.select(*BAR, *(pl.col(name).alias(f"known_{name}") for name in (*VALUES, "revision"))),
        on=BAR,
        how="left",
        maintain_order="left",
    )
    same = pl.all_horizontal(pl.col(name) == pl.col(f"known_{name}") for name in VALUES).fill_null(False)
    revision = (pl.col("known_revision") + (~same).cast(pl.Int32)).fill_null(0).cast(pl.Int32)
    return beside.with_columns(revision=revision, new=~same)


def _add_availability(stand: pl.DataFrame, moment: Moment, lag: timedelta) -> pl.DataFrame:
    """Add available_at: when the bar, as it now stands, could first have been known.

    The first value of a load of history was public soon after its bar; what a daily fetch brings, and any change, no
    earlier than the landing; what the vendor states goes before both; a confirmed jump waits for its confirmation.
    """
    landed = {day: moment.calendar.close_at(day) + lag for day in stand["landed"].unique().to_list()}
    at_landing = pl.col("landed").replace_strict(landed, return_dtype=UTC) if landed else pl.lit(None, dtype=UTC)
    unstated = pl.when(pl.col("history") & (pl.col("revision") == 0)).then(None).otherwise(at_landing)
    return stand.with_columns(
        available_at=pl.max_horizontal(
            pl.col("ts") + lag, pl.coalesce("stated", unstated), pl.col("confirmed_at") + lag
        ).cast(UTC)
    )
