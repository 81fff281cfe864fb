"""Recovers splits and dividends from the adjusted closes of a vendor that states no actions."""

from __future__ import annotations

import json
from math import log

import polars as pl

from pipeline.ingestion.actions.split_ratios import everyday_ratio, rare_ratio
from pipeline.ingestion.decode_payloads import decode
from pipeline.ingestion.parse_values import day, instant, number
from pipeline.market.sessions import Sessions

KIND = "factors"
"""The landings that hold them: lines of bars whose adjusted close has left the close, and the line after each."""
FIELDS = ("ticker", "session", "close", "adj_close", "available_at")
LEAST = 1e-5
"""Fraction by which adjusted close and close differ at least: below it is rounding, above it a cent on any stock."""
RATIOS = "ratios"
"""The member of a request that says how splits are told from dividends: absent, by everyday ratios alone; 2: by any
that chance can hardly explain."""
MOST_DECIMALS = 6
"""Vendors work their closes out to six decimals, however many a file writes."""
EFFECTIVE = "the price falls with the split"


def recover_actions(raw_prices: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """The actions that the landed adjusted closes imply, in the form of decoded actions.

    A bar that is seen again a session later with another adjusted close went ex on that session. A factor that is the
    ratio of whole numbers of shares is a split, provided that the price moved with it: some vendors show one a day
    early and again on the day. Any other is cash, the spin-off of a company too, worth close x (1 - factor).

    Args:
        raw_prices: landed rows; those of other kinds are passed over.

    Returns:
        payload_id, line, text, fault, ticker, ex_date, kind, numerator, denominator, amount, pay_date, successor and
        available_at as text, and the landing's facts, as `decode` gives them.
    """
    landings = raw_prices.filter(pl.col("kind") == KIND)
    lines = decode(landings, FIELDS)
    seen = _observed_factors(lines, calendar).join(_read_conventions(landings), on="payload_id", how="left")
    implied = _implied_actions(seen)
    beside = lines.drop(FIELDS).join(implied, on=["payload_id", "line"], how="inner", maintain_order="left")
    return beside.with_columns(fault=pl.coalesce("fault", "implied_fault")).drop("implied_fault")


def _observed_factors(lines: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """payload_id, line, ticker, session, close, factor, available_at (String), seen (UTC), and ex_date: the session
    by whose close it was seen, where that is the one after the bar's; null otherwise.
    """
    typed = lines.select(
        "payload_id",
        "line",
        "ticker",
        session=day("session"),
        close=number("close"),
        adjusted=number("adj_close"),
        factor=number("adj_close") / number("close"),
        decimals=pl.col("adj_close").str.extract(r"\.(\d+)$").str.len_chars().fill_null(0).max().over("payload_id"),
        seen=instant("available_at"),
        available_at="available_at",
    ).filter(
        (pl.col("close") > 0) & (pl.col("factor") > 0) & pl.col("factor").is_finite() & pl.col("seen").is_not_null()
    )
    days = calendar.frame(calendar.days[0], calendar.days[-1])
    sighted = days.select(seen="close_at", ex_date="session", ex_position="position")
    placed = typed.join(days.select("session", "position"), on="session", how="inner").sort(
        "seen", "payload_id", "line"
    )
    beside = placed.join_asof(sighted, on="seen", strategy="backward")
    next_day = pl.col("ex_position") == pl.col("position") + 1
    return beside.with_columns(ex_date=pl.when(next_day).then("ex_date"))


def _read_conventions(landings: pl.DataFrame) -> pl.DataFrame:
    """payload_id and ratios (Int32, null where the request says nothing) of the landings."""
    rows = [(identity, _ratios(text)) for identity, text in landings.select("payload_id", "request").iter_rows()]
    read = pl.DataFrame(rows, schema={"payload_id": pl.String, RATIOS: pl.Int32}, orient="row")
    return read.unique("payload_id", maintain_order=True)


def _ratios(request: str) -> int | None:
    try:
        told = json.loads(request)[RATIOS]
    except (ValueError, KeyError, TypeError):
        return None
    return told if isinstance(told, int) else None


def _implied_actions(seen: pl.DataFrame) -> pl.DataFrame:
    """One row per implied action: payload_id, line, implied_fault and the fields of an action as text."""
    candidates = seen.filter(pl.col("ex_date").is_not_null() & ((pl.col("factor") - 1).abs() > LEAST))
    closes = seen.unique(["ticker", "session"], keep="last", maintain_order=True)
    later = closes.select("ticker", ex_date="session", ex_close="close")
    beside = candidates.join(later, on=["ticker", "ex_date"], how="left", maintain_order="left")
    precision = 0.5 / 10.0 ** pl.col("decimals").clip(0, MOST_DECIMALS) / pl.col("adjusted")
    rows = [_action(*row) for row in beside.with_columns(precision=precision).select(*_ACTION_OF).iter_rows()]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


_ACTION_OF = (
    *("payload_id", "line", "ticker", "ex_date", "close", "factor", "ex_close", "available_at"),
    *(RATIOS, "precision"),
)
_SCHEMA = {
    "payload_id": pl.String,
    "line": pl.Int64,
    "implied_fault": pl.String,
    **dict.fromkeys(("ticker", "ex_date", "kind", "numerator", "denominator", "amount"), pl.String),
    **dict.fromkeys(("pay_date", "successor", "available_at"), pl.String),
}


def _action(
    payload: str,
    line: int,
    ticker: str,
    ex_date: object,
    close: float,
    factor: float,
    later: float | None,
    seen: str,
    ratios: int | None,
    precision: float,
) -> tuple[object, ...]:
    ratio = everyday_ratio(factor)
    if ratio is None and ratios == 2:
        ratio = rare_ratio(close, factor, precision)
    if ratio is None:
        return (
            payload,
            line,
            None,
            ticker,
            str(ex_date),
            "dividend",
            None,
            None,
            repr(close * (1 - factor)),
            None,
            None,
            seen,
        )
    fault = None if later is None or _price_followed(later / close, factor) else EFFECTIVE
    new, old = str(ratio.numerator), str(ratio.denominator)
    return (payload, line, fault, ticker, str(ex_date), "split", new, old, None, None, None, seen)


def _price_followed(change: float, factor: float) -> bool:
    """Whether a price change is nearer to the factor than to none."""
    return abs(log(change) - log(factor)) < abs(log(factor)) / 2
