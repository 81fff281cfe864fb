"""Separates an older system's sound forecasts and trades from those that are set aside, with the rule they break."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

import polars as pl

from lake.contract import CENTS, PRICE, Column, Table
from lake.tables.imports import IMPORTED_PREDICTIONS, IMPORTED_TRADES
from lake.tables.market import QUARANTINED_ROWS
from pipeline.ingestion.decode_payloads import decode
from pipeline.ingestion.parse_values import day, first_broken, instant, number, present
from pipeline.ingestion.prices.bar_rules import is_well_formed
from pipeline.market.sessions import Sessions

PREDICTION_FIELDS = ("ticker", "session", "made_at", "horizon", "value", "probability_up", "model")
TRADE_FIELDS = ("id", "ticker", "side", "shares", "price", "day", "at", "fees", "profit")
SET_ASIDE = ("payload_id", "line", "ticker", "source", "landed", "text", "rule")
SIDES = {
    **dict.fromkeys(("buy", "b", "bot", "bought", "long", "cover", "1", "+1", "open"), "buy"),
    **dict.fromkeys(("sell", "s", "sld", "sold", "short", "-1", "close"), "sell"),
}
"""How systems write a side, in small letters."""
NEAR = timedelta(days=14)
"""Within it an exchange has sessions; the longest closures of the last hundred years were shorter."""
MOST = {PRICE: 1e12, CENTS: 1e16}
"""What the decimals hold; beyond it a number is no amount."""


class ValidatedImports(NamedTuple):
    """The two parts of what was delivered; together they are all of it."""

    good: pl.DataFrame
    """The contract's columns, and landed (Date)."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text (the row as delivered) and rule."""


def validate_predictions(raw_imports: pl.DataFrame, calendar: Sessions) -> ValidatedImports:
    """Judge the delivered forecasts.

    A forecast without a session starts from the last close before it was made. It was public when it was made, as far
    as the older system says when that was; else from its import on. What was imported last of a key counts.

    Args:
        raw_imports: landed rows; those that are no forecasts are passed over.
        calendar: the exchange's sessions.
    """
    forecasts = raw_imports.filter(pl.col("kind") == "predictions")
    if forecasts.is_empty():
        return _nothing(IMPORTED_PREDICTIONS)
    lines = decode(forecasts, PREDICTION_FIELDS)
    texts = lines.rename({name: f"{name}_text" for name in PREDICTION_FIELDS if name not in ("ticker", "model")})
    typed = texts.with_columns(
        made_at=instant("made_at_text"),
        horizon=pl.col("horizon_text")
        .str.extract(r"^\s*(\d{1,6})(?:\.0+)?\s*(?:d|days?|sessions?)?\s*$")
        .cast(pl.Int32),
        point=number("value_text"),
        probability_up=number("probability_up_text"),
        model=pl.when(present("model")).then(pl.col("model").str.strip_chars()).otherwise("source"),
    )
    placed = _closed_before(typed, calendar).with_columns(
        session=pl.coalesce(day("session_text"), pl.when(~present("session_text")).then("closed")),
        available_at=pl.coalesce("made_at", "fetched_at"),
    )
    placed = _with_close(placed, calendar)
    rules = {
        "ticker is well-formed": is_well_formed("ticker"),
        "session is present": present("session_text") | present("made_at_text"),
        "the time it was made is readable": ~present("made_at_text") | pl.col("made_at").is_not_null(),
        "session is readable": pl.col("session").is_not_null(),
        "the exchange trades that day": pl.col("close_at").is_not_null(),
        "horizon is a number of sessions": pl.col("horizon").is_not_null(),
        "value is a number": pl.col("point").is_finite().fill_null(False),
        "probability_up is a number": ~present("probability_up_text")
        | pl.col("probability_up").is_finite().fill_null(False),
    }
    return _validate(placed, rules, IMPORTED_PREDICTIONS)


def validate_trades(raw_imports: pl.DataFrame, calendar: Sessions) -> ValidatedImports:
    """Judge the delivered fills.

    Without a side, the sign of the shares is the side. A fill with a time belongs to the day the exchange had then; one
    with a day alone has no time. It was public when it was filled; with a day alone, from that session's close on.

    Args:
        raw_imports: landed rows; those that are no trades are passed over.
        calendar: the exchange's sessions.
    """
    fills = raw_imports.filter(pl.col("kind") == "trades")
    if fills.is_empty():
        return _nothing(IMPORTED_TRADES)
    lines = decode(fills, TRADE_FIELDS)
    texts = lines.rename({name: f"{name}_text" for name in TRADE_FIELDS if name not in ("ticker", "id")})
    shares = number("shares_text")
    side = pl.col("side_text").str.strip_chars().str.to_lowercase().replace_strict(SIDES, default=None)
    signed = pl.when(shares < 0).then(pl.lit("sell")).when(shares > 0).then(pl.lit("buy"))
    typed = texts.with_columns(
        trade_id=pl.col("id").str.strip_chars(),
        ts=instant("at_text"),
        side=pl.when(present("side_text")).then(side).otherwise(signed),
        shares=_exact(shares.abs(), PRICE),
        price=_exact(number("price_text"), PRICE),
        fees=_exact(number("fees_text"), CENTS),
        profit=_exact(number("profit_text"), CENTS),
    )
    local = pl.col("ts").dt.convert_time_zone(calendar.zone).dt.date()
    placed = _with_close(typed.with_columns(session=pl.coalesce(local, day("day_text"))), calendar).with_columns(
        available_at=pl.coalesce("ts", "close_at", "fetched_at")
    )
    amounts = {
        f"{name} is a number": (~present(f"{name}_text") if name in ("fees", "profit") else pl.lit(False))
        | pl.col(name).is_not_null()
        for name in ("shares", "price", "fees", "profit")
    }
    rules = {
        "ticker is well-formed": is_well_formed("ticker"),
        "the time is present": present("at_text") | present("day_text"),
        "the time is readable": pl.col("session").is_not_null() & (~present("at_text") | pl.col("ts").is_not_null()),
        "the exchange trades that day": pl.col("close_at").is_not_null(),
        "trade_id is present": present("id"),
        **amounts,
        "side is buy or sell": pl.col("side").is_not_null(),
    }
    return _validate(placed, rules, IMPORTED_TRADES)


def _nothing(contract: Table) -> ValidatedImports:
    """Of nothing delivered: the case of every session that imports nothing, so it has to cost nothing."""
    aside = QUARANTINED_ROWS.empty().select(*SET_ASIDE[:4], landed="session", text="row", rule="rule")
    return ValidatedImports(contract.empty().with_columns(landed=pl.lit(None, pl.Date)), aside)


def _validate(typed: pl.DataFrame, rules: dict[str, pl.Expr], contract: Table) -> ValidatedImports:
    """Hold the rows to the rules of reading, then to the contract; of a key the last import stands."""
    typed = typed.with_columns(broken=pl.coalesce("fault", first_broken(rules)))
    unread = typed.filter(pl.col("broken").is_not_null()).with_columns(rule="broken").select(SET_ASIDE)
    read = typed.filter(pl.col("broken").is_null())
    last = read.filter(pl.col("fetched_at") == pl.col("fetched_at").max().over(contract.key))
    columns = [_max_length_rule(name, column) for name, column in contract.columns.items()]
    carried = [pl.col("landed").alias("~landed"), pl.col("text").alias("~text")]
    good, bad = _split(last.select(*columns, *carried), contract)
    named = {"~landed": "landed", "~text": "text"}
    aside = pl.concat([unread, bad.rename(named).select(SET_ASIDE)])
    kept = good.rename({"~landed": "landed"}).drop("~text").sort(contract.key)
    return ValidatedImports(kept, aside.sort("payload_id", "line"))


def _split(rows: pl.DataFrame, contract: Table) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The contract's own parting; where a row lay is no part of what it says."""
    place = ["payload_id", "line"]
    values = [name for name in contract.columns if name not in place]
    first = pl.int_range(pl.len()).over(values, order_by=place) == 0
    again = rows.filter(~first).with_columns(rule=pl.lit("a repeat of another row"))
    good, bad = contract.split(rows.filter(first))
    return good, pl.concat([bad.select(again.columns), again])


def _max_length_rule(name: str, column: Column) -> pl.Expr:
    return pl.col(name).cast(column.dtype)


def _exact(value: pl.Expr, dtype: pl.Decimal) -> pl.Expr:
    """A number as an exact decimal, rounded half to even; null where it does not fit."""
    fits = value.is_finite() & (value.abs() < MOST[dtype])
    return pl.when(fits).then(value.round(dtype.scale, mode="half_to_even")).cast(dtype, strict=False)


def _known_days(rows: pl.DataFrame, at: str, calendar: Sessions) -> pl.DataFrame:
    """session, open_at and close_at around the moments or days of a column; a calendar of decades is slow to build."""
    first, last = rows[at].min(), rows[at].max()
    if not isinstance(first, date) or not isinstance(last, date):
        return calendar.frame(date.max, date.min)
    first, last = (one.date() if isinstance(one, datetime) else one for one in (first, last))
    return calendar.frame(first - NEAR, last + NEAR)


def _closed_before(rows: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """Add closed (Date): the last session that had closed when the row was made; null where that is not known."""
    closes = _known_days(rows, "made_at", calendar).select(made_at="close_at", closed="session")
    numbered = rows.with_row_index("number")
    made = numbered.filter(pl.col("made_at").is_not_null()).select("number", "made_at").sort("made_at")
    found = made.join_asof(closes, on="made_at", strategy="backward").select("number", "closed")
    return numbered.join(found, on="number", how="left", maintain_order="left").drop("number")


def _with_close(rows: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """Add close_at (UTC), the close of the row's session; null where the exchange did not trade."""
    closes = _known_days(rows, "session", calendar).select("session", "close_at")
    return rows.join(closes, on="session", how="left", maintain_order="left")
