"""When a listing changed the currency that it is quoted in, as is kept of it beside the currency of now."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import polars as pl


class CurrencyChange(NamedTuple):
    """From a session on a name is quoted in another currency."""

    since: date
    before: str
    after: str


def read_changes(instruments: pl.DataFrame) -> dict[str, tuple[CurrencyChange, ...]]:
    """Return the changes of each ticker that has any, in order.

    Args:
        instruments: ticker, currency and earlier_currencies.
    """
    changed = instruments.filter(pl.col("earlier_currencies").is_not_null())
    columns = ("ticker", "currency", "earlier_currencies")
    return {ticker: _parse(told, now) for ticker, now, told in changed.select(columns).iter_rows()}


def _parse(told: str, now: str) -> tuple[CurrencyChange, ...]:
    parts = [part.split(":") for part in told.split(";")]
    following = [currency for currency, _ in parts[1:]] + [now]
    return tuple(
        CurrencyChange(date.fromisoformat(day), before, after)
        for (before, day), after in zip(parts, following, strict=True)
    )
