"""Turns landed exchange rates into facts: one for each pair and day, each change of a known one a further revision."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from lake.tables.market import FX_RATES, RAW_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.rates.validate_rates import validate_rates

Entity = tuple[str, str, date]
"""Base, quote and day."""


class KnownRate(NamedTuple):
    """The last revision of a rate."""

    revision: int
    rate: Decimal
    available_at: datetime


def fx_rates(raw_prices: pl.DataFrame, fx_rates: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Keep the sound rates that are new or differ from what is known; one that is not yet public is left for later.

    A rate is known when its source says so, else at the end of its day: the one its chart is kept in, or the close of
    the session of that day or the next one. A changed one is known at the landing that brought it. Works on a range of
    sessions: landings in order.
    """
    found = validate_rates(raw_prices).good
    last = {(base, quote, day): KnownRate(*rest) for base, quote, day, *rest in _last_revisions(fx_rates).iter_rows()}
    order = ["landed", "fetched_at", "stated", "payload_id", "line"]
    rows = []
    for line in found.sort(order, nulls_last=True).iter_rows(named=True):
        entity = (line["base"], line["quote"], line["session"])
        revision = _revise(line, last.get(entity), moment, params)
        if revision is not None:
            last[entity] = revision
            rows.append(line | revision._asdict())
    columns = {name: [row[name] for row in rows] for name in FX_RATES.columns}
    return pl.DataFrame(columns, schema=FX_RATES.schema).sort(FX_RATES.key)


def _last_revisions(fx_rates: pl.DataFrame) -> pl.DataFrame:
    ordered = fx_rates.sort(FX_RATES.key).unique(FX_RATES.entity, keep="last", maintain_order=True)
    return ordered.select(*FX_RATES.entity, *KnownRate._fields)


def _revise(line: dict[str, Any], last: KnownRate | None, moment: Moment, params: IngestionParams) -> KnownRate | None:
    """The revision that a line makes of what is known; None where it says nothing new, or nothing public yet."""
    stated: datetime | None = line["stated"]
    landed = moment.calendar.close_at(line["landed"]) + params.publication_lag(moment.calendar)
    if last is None:
        known = stated or line["ended"] or _end_of_day(line["session"], moment, params)
    elif line["rate"] == last.rate or (stated is not None and stated <= last.available_at):
        return None
    else:
        known = stated or landed
    if known > landed:
        return None
    return KnownRate(0 if last is None else last.revision + 1, line["rate"], known)


def _end_of_day(day: date, moment: Moment, params: IngestionParams) -> datetime:
    """The publication of the first session on or after a day, which is held within the calendar."""
    calendar = moment.calendar
    held = min(max(day, calendar.days[0]), calendar.days[-1])
    return calendar.close_at(calendar.at_or_after(held)) + params.publication_lag(moment.calendar)


STAGE = Stage(
    name="fx_rates",
    function=fx_rates,
    reads=(
        Read(RAW_PRICES, where=pl.col("kind") == "rates"),
        Read(FX_RATES, lookback=None, upto="previous", every_revision=True),
    ),
    writes=FX_RATES,
    params=IngestionParams(),
    section="ingestion",
)
