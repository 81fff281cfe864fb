"""Which listings are quoted in another currency than the book's, and by which rate each decision converts them."""

from __future__ import annotations

import polars as pl

OTHER_CURRENCY = "the book is kept in"
"""Words in the reason of what is quoted in another currency."""


def add_quoted(observed: pl.DataFrame, bars: pl.DataFrame, currency: str) -> pl.DataFrame:
    """Add what is not quoted in the book's currency.

    Args:
        observed: session, ticker, company, and currency and unit of the listing.
        bars: session, ticker (the company) and currency.
        currency: the book's.

    Returns:
        observed with foreign (String): the currency of the listing, or else of the last bar, where it is not the
        book's, its unit before it; and traded_in (String): the currency of the last bar.
    """
    quoted = bars.select(company="ticker", session="session", traded_in="currency")
    if bars["currency"].n_unique() == 1:  # then a company's first bar says what its last does
        quoted = quoted.group_by("company").agg(pl.col("session").min(), pl.col("traded_in").first())
    quoted = quoted.unique(maintain_order=True).sort("session", "company")
    ordered = observed.with_row_index("number").sort("session", "ticker")
    beside = ordered.join_asof(quoted, on="session", by="company", strategy="backward", check_sortedness=False)
    other = [pl.when(pl.col(name) != currency).then(name) for name in ("currency", "traded_in")]
    in_unit = pl.format("{} ({})", pl.col("unit"), other[0])
    return beside.with_columns(foreign=pl.coalesce(in_unit, *other)).sort("number").drop("number")


def find_rates(fx_rates: pl.DataFrame, sessions: pl.DataFrame, book: str, max_age_days: int) -> pl.DataFrame:
    """Return what each currency was worth in the book's at each decision: the last rate of a day before the session.

    A pair or its inverse, whichever is of the later day; the pair itself where both are of one.

    Args:
        fx_rates: every revision: base, quote, session, revision, rate and available_at.
        sessions: session and decided_at; what is public later does not exist for the decision.
        book: the book's currency.
        max_age_days: how old a rate may be.

    Returns:
        session, currency and rate (Float64).
    """
    direct, worth = pl.col("quote") == book, pl.col("rate").cast(pl.Float64)
    stated = fx_rates.filter(direct | (pl.col("base") == book)).select(
        "revision",
        "available_at",
        direct=direct,
        day="session",
        currency=pl.when(direct).then("base").otherwise("quote"),
        rate=pl.when(direct).then(worth).otherwise(1 / worth),
    )
    ages = pl.DataFrame({"age": range(1, max_age_days + 1)}, schema={"age": pl.Int64})
    seen = stated.join(ages, how="cross").with_columns(session=pl.col("day") + pl.duration(days="age"))
    known = seen.join(sessions.select("session", "decided_at"), on="session").filter(
        pl.col("available_at") <= pl.col("decided_at")
    )
    last = known.sort("session", "currency", "day", "direct", "revision").unique(
        ["session", "currency"], keep="last", maintain_order=True
    )
    return last.select("session", "currency", "rate")


def convert_foreign(observed: pl.DataFrame, rates: pl.DataFrame, max_age_days: int) -> pl.DataFrame:
    """Convert the dollar volume of what is foreign, where a rate is known and the bars are in the listing's currency.

    Returns:
        observed with rate (Float64; 1 where nothing is converted) and unconverted (String): null but for foreign names
        that cannot be converted, the rest of their reason there.
    """
    foreign = pl.col("foreign").is_not_null()
    beside = observed.join(rates, on=["session", "currency"], how="left", maintain_order="left")
    alike = pl.col("traded_in").is_null() | (pl.col("traded_in") == pl.col("currency"))
    missing = f", and no rate of it is known that is at most {max_age_days} days old" if rates.height else ""
    unlike = pl.when(alike).then(pl.lit(missing)).otherwise(pl.lit(""))
    can = alike & pl.col("rate").is_not_null()
    return beside.with_columns(
        rate=pl.when(foreign & can).then("rate").otherwise(1.0),
        unconverted=pl.when(foreign & ~can).then(unlike),
    ).with_columns(dollar_volume=pl.col("dollar_volume") * pl.col("rate"))
