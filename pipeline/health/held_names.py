"""Tells of names whose bars have stopped or whose prices nobody explains, since when, and what the operator can do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.health.checks import Check
from pipeline.health.params import HealthParams
from pipeline.text_format import counted
from pipeline.trading.planning.rules import unexplained_price

MIN_TOGETHER = 3
"""Names whose bars stop in the same session, from which on it is the source that is looked at first."""


def check_holds(trade_plans: pl.DataFrame) -> list[Check]:
    """Name what is not traded because its price lacks an explanation; nothing where there is nothing of the kind."""
    held = trade_plans.filter(pl.col("blocked_by") == unexplained_price.name).sort("ticker")
    if held.is_empty():
        return []
    rulings = held.select("ticker", "verdicts").explode("verdicts").unnest("verdicts")
    told = rulings.filter(pl.col("rule") == unexplained_price.name).select("ticker", "reason").rows()
    listed = "; ".join(f"{ticker} {reason}" for ticker, reason in told)
    message = f"{counted(held.height, 'name')} not traded: {listed}"
    return [Check("book", "explained", "warn", float(held.height), 0.0, message[:500])]


def check_rates(holdings: pl.DataFrame, moment: Moment, params: HealthParams) -> list[Check]:
    """Name the currencies that held names are valued at an old rate of; nothing where there are none."""
    held = holdings.filter(pl.col("session") == moment.session, pl.col("currency").is_not_null())
    oldest = dict(held.sort("rate_session", descending=True).select("currency", "rate_session").iter_rows())
    ages = {currency: (moment.session - day).days for currency, day in sorted(oldest.items())}
    old = [one for one, age in ages.items() if age > params.max_rate_age_days]
    if not params.max_rate_age_days or not old:
        return []
    told = ", ".join(f"{one} of {oldest[one]}" for one in old)
    message = (
        f"held names are valued at old exchange rates: {told}; nothing in them is traded until rates arrive"
        " (`source.files.fx`, `source.yahoo.fx_pairs`)"
    )
    limit = float(params.max_rate_age_days)
    return [Check("book", "exchange rates", "warn", float(max(ages[one] for one in old)), limit, message[:500])]


def check_held_names(holdings: pl.DataFrame, moment: Moment, params: HealthParams) -> list[Check]:
    """Name the positions that rest on a close more than `max_silent` sessions old; nothing where there are none."""
    if not params.max_silent or holdings.is_empty():
        return []
    held = holdings.filter(pl.col("session") == moment.session).select("ticker", "close_session").sort("ticker")
    ages = [(ticker, last, moment.calendar.distance(last, moment.session)) for ticker, last in held.iter_rows()]
    silent = [(ticker, last, age) for ticker, last, age in ages if age > params.max_silent]
    if not silent:
        return []
    oldest = float(max(age for _, _, age in silent))
    message = _tell_source(silent, held.height, moment) or _tell_names(silent)
    return [Check("book", "still traded", "fail", oldest, float(params.max_silent), message[:500])]


def _tell_source(silent: Sequence[tuple[str, date, int]], held: int, moment: Moment) -> str:
    """What is said where most names fell silent at once, which no delisting explains; empty where they did not."""
    last, together = Counter(day for _, day, _ in silent).most_common(1)[0]
    if together < MIN_TOGETHER or 2 * together <= held:
        return ""
    return (
        f"{together} of {counted(held, 'held name')} have no bar since {last}, the same session: the source gives"
        f" none. See whether it has bars up to {moment.session} (a file that ends before, a feed that stopped); until"
        " then they are valued at their last closes and nothing is forecast"
    )


def _tell_names(silent: Sequence[tuple[str, date, int]]) -> str:
    listed = ", ".join(f"{ticker} since {last}" for ticker, last, _ in silent[:10])
    more = f" and {len(silent) - 10} more" if len(silent) > 10 else ""
    return (
        f"{counted(len(silent), 'held name')} without a bar: {listed}{more}; if trading has ended, state it:"
        " `nextgen actions add TICKER DATE delisting --amount VALUE` (per share; 0 writes it off), or rename with"
        " --successor; else it is marked down and written off by itself (`trading.mark_down_after`,"
        " `trading.write_off_after`)"
    )
