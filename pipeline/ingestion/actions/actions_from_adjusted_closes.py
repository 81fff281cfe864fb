"""Recovers splits and dividends from the adjusted closes of a vendor that states no actions."""

from __future__ import annotations

from fractions import Fraction
from math import log

import polars as pl

from pipeline.ingestion.decode_payloads import decode
from pipeline.ingestion.parse_values import day, instant, number
from pipeline.market.sessions import Sessions

KIND = "factors"
"""The landings that hold them: lines of bars whose adjusted close has left the close, and the line after each."""
FIELDS = ("ticker", "session", "close", "adj_close", "available_at")
LEAST = 1e-5
"""Fraction by which adjusted close and close differ at least: below it is rounding, above it a cent on any stock."""
ROUNDING = 3e-6
"""Relative; how far a factor may lie from the ratio of a split: closes have six decimals."""
FEW, MANY = 21, 50
"""Largest share count of a split's ratio, between 0.8 and 1, where large dividends lie, and outside."""
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
    lines = decode(raw_prices.filter(pl.col("kind") == KIND), FIELDS)
    implied = _implied_actions(_observed_factors(lines, calendar))
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
        factor=number("adj_close") / number("close"),
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


def _implied_actions(seen: pl.DataFrame) -> pl.DataFrame:
    """One row per implied action: payload_id, line, implied_fault and the fields of an action as text."""
    candidates = seen.filter(pl.col("ex_date").is_not_null() & ((pl.col("factor") - 1).abs() > LEAST))
    closes = seen.unique(["ticker", "session"], keep="last", maintain_order=True)
    later = closes.select("ticker", ex_date="session", ex_close="close")
    beside = candidates.join(later, on=["ticker", "ex_date"], how="left", maintain_order="left")
    rows = [_action(*row) for row in beside.select(*_ACTION_OF).iter_rows()]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


_ACTION_OF = ("payload_id", "line", "ticker", "ex_date", "close", "factor", "ex_close", "available_at")
_SCHEMA = {
    "payload_id": pl.String,
    "line": pl.Int64,
    "implied_fault": pl.String,
    **dict.fromkeys(("ticker", "ex_date", "kind", "numerator", "denominator", "amount"), pl.String),
    **dict.fromkeys(("pay_date", "successor", "available_at"), pl.String),
}


def _action(
    payload: str, line: int, ticker: str, ex_date: object, close: float, factor: float, later: float | None, seen: str
) -> tuple[object, ...]:
    ratio = _split_ratio(factor)
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


def _split_ratio(factor: float) -> Fraction | None:
    """New shares for each old one, if the factor is such a ratio."""
    largest = FEW if 0.8 < factor < 1 else MANY
    ratio = Fraction(1 / factor).limit_denominator(largest)
    if ratio <= 0 or ratio.numerator > largest or ratio == 1:
        return None
    return ratio if abs(float(ratio) * factor - 1) <= ROUNDING else None


def _price_followed(change: float, factor: float) -> bool:
    """Whether a price change is nearer to the factor than to none."""
    return abs(log(change) - log(factor)) < abs(log(factor)) / 2
