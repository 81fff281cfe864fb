"""Keeps bars that nobody explains yet until a later arrival confirms them or brings the split behind them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import polars as pl

from lake.contract import UTC
from lake.engine import collect
from lake.tables.market import MARKET_PRICES, QUARANTINED_ROWS
from pipeline.engine.stage import Moment, Read
from pipeline.ingestion.params import IngestionParams, JumpParams
from pipeline.ingestion.prices.bar_blocks import LINE
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.ingestion.prices.jumps import BAR, SUSPENDED
from pipeline.ingestion.prices.read_once import BarQuestion, read_once
from pipeline.market.sessions import Sessions

PATIENCE = 10
"""Sessions that a bar may wait; then the new level has been confirmed, or the bar was an error."""
WAITING = Read(
    QUARANTINED_ROWS,
    lookback=PATIENCE,
    upto="previous",
    columns=(*QUARANTINED_ROWS.key, "session"),
    where=(pl.col("rule") == SUSPENDED) & (pl.col("target") == MARKET_PRICES.name),
)
"""What earlier landings left waiting."""


def sessions_of_waiting(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[tuple[date, date]]:
    """Return the sessions whose landings hold bars that wait: they are read again."""
    landed = frames[QUARANTINED_ROWS.name].filter(pl.col("session") < moment.since)["session"]
    return [(day, day) for day in landed.unique().sort()]


def read_waiting(
    quarantined_rows: pl.DataFrame,
    raw_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Return the bars that landings before the moment's first session left waiting, one row per bar, the newest.

    Returns:
        The columns of `read_bars`, the text null; carried (Boolean, true); arrival (Date); shown_at and since (UTC):
        from when the landing, and the bar, could be known; oldest (Date): the bar's session.
        No column where nothing waits.
    """
    if params.jump.waiting == 1 or quarantined_rows.is_empty():
        return pl.DataFrame()
    before = raw_prices.filter(pl.col("session") < moment.since)
    left = before.join(quarantined_rows, on="payload_id", how="semi")
    lines = quarantined_rows.select(*LINE)
    question = BarQuestion(left, instruments, moment, params, of="earlier landings", lines=lines)
    blocks = read_once(question, lambda rows: read_bars(blank_others(rows, lines), instruments, moment.calendar, lines))
    bars = pl.concat(block.load() for block in blocks)
    lag = params.publication_lag(moment.calendar)
    public = {day: moment.calendar.close_at(day) + lag for day in bars["landed"].unique()}
    shown = pl.col("landed").replace_strict(list(public), list(public.values()), default=None, return_dtype=UTC)
    return (
        bars.sort("landed", "payload_id", "line")
        .unique(BAR, keep="last", maintain_order=True)
        .with_columns(arrival="landed", shown_at=shown, oldest="session", carried=True)
        .with_columns(since=pl.coalesce("stated", "shown_at"))
    )


def blank_others(landed: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return the landings without the text of lines that are not asked for, where each is an object of its own.

    A load of history is thousands of lines, of which one or two wait; those left blank are no lines, the others keep
    their numbers.
    """
    asked = dict(lines.group_by("payload_id").agg("line").iter_rows())
    texts = []
    for payload, form, text in landed.select("payload_id", "format", "payload").iter_rows():
        numbers = asked.get(payload, ())
        kept = (line if number in numbers else "" for number, line in enumerate(text.split("\n")))
        texts.append("\n".join(kept) if form == "ndjson" else text)
    return landed.with_columns(payload=pl.Series(texts, dtype=pl.String))


def select_waiting(
    waiting: pl.DataFrame, batch: pl.DataFrame, known: pl.DataFrame, public: datetime, calendar: Sessions
) -> pl.DataFrame:
    """Return an arrival's bars with those that still wait beside them, which `carried` tells apart.

    A bar waits no more where the arrival states it again, where it has been settled since, and after PATIENCE sessions.
    """
    own = batch.with_columns(carried=False)
    if waiting.is_empty():
        return own
    earliest = calendar.offset(batch["arrival"][0], -PATIENCE)
    settled = known.lazy().filter(pl.col("available_at") <= public).select(*BAR, "available_at")
    left = waiting.lazy().filter(pl.col("session") >= earliest).join(batch.lazy(), on=BAR, how="anti")
    later = left.join(settled, on=BAR).filter(pl.col("available_at") > pl.col("since"))
    still = left.join(later, on=BAR, how="anti", maintain_order="left").select(own.columns)
    return pl.concat([own, collect(still, waiting.height + known.height)])


def keep_waiting(suspended: pl.DataFrame, public: datetime, params: JumpParams) -> pl.DataFrame:
    """Return what the arrival leaves waiting; `since` says from when each bar waits."""
    kept = suspended if params.waiting == 2 else suspended.clear()
    return kept.with_columns(carried=True, since=pl.lit(public, dtype=UTC))
