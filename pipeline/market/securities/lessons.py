"""Calls what was learned of a ticker by the name that its company has now, so that lessons outlive a rename."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipeline.market.securities.following import Securities


def follow_scores(prediction_accuracy: pl.DataFrame, companies: Securities, session: date) -> pl.DataFrame:
    """Return the scores under the tickers of a session; those of a company that has none any more are kept apart.

    Args:
        prediction_accuracy: ticker and made_session, the day on which the ticker was the company's.
        companies: who had which ticker when.
        session: whose tickers are wanted.
    """
    concerned = prediction_accuracy["ticker"].is_in(companies.names)
    if not concerned.any():
        return prediction_accuracy
    of_companies = prediction_accuracy.select("ticker", "made_session").filter(concerned)
    named = companies.name_companies(of_companies, "made_session")
    now = named.with_columns(asked=pl.lit(session, dtype=pl.Date))
    called = companies.name_tickers(now, "asked")
    holders = companies.name_companies(called, "asked")["ticker"]
    ended = pl.format("{}, ended", named["ticker"])
    ticker = named.select(ticker=pl.when(holders == named["ticker"]).then(called["ticker"]).otherwise(ended))["ticker"]
    return prediction_accuracy.with_columns(prediction_accuracy["ticker"].scatter(concerned.arg_true(), ticker))


def follow_slices(learned: pl.DataFrame, companies: Securities, session: date) -> pl.DataFrame:
    """Return what was learned of slices, that of single tickers under the name that their company has now.

    What was learned of a company that has no ticker any more is left out.

    Args:
        learned: scope, slice and session: rows of bias_flags or learning_insights.
        companies: who had which ticker when.
        session: whose tickers are wanted.
    """
    if not learned["scope"].is_in(["ticker", "pair"]).any():
        return learned
    of_ticker = ticker_of().is_not_null()
    named = learned.filter(of_ticker).with_columns(ticker=ticker_of())
    followed = _rename(companies.follow_to(named, "session", session))
    return pl.concat([learned.filter(~of_ticker), followed.select(learned.columns)])


def ticker_of() -> pl.Expr:
    """The ticker that a slice is about, alone or in a pair; null where it is about none."""
    paired = pl.when(pl.col("scope") == "pair").then(pl.col("slice").str.extract(r"ticker:(\S+)"))
    return pl.when(pl.col("scope") == "ticker").then("slice").otherwise(paired)


def _rename(followed: pl.DataFrame) -> pl.DataFrame:
    """The slices with `ticker` in the place of the one that they name."""
    paired = pl.col("slice").str.replace(r"ticker:\S+", pl.concat_str(pl.lit("ticker:"), pl.col("ticker")))
    return followed.with_columns(slice=pl.when(pl.col("scope") == "ticker").then("ticker").otherwise(paired))


def keep_slices(learned: pl.DataFrame, companies: Securities, session: date) -> pl.DataFrame:
    """The same, where what was learned of a company without a ticker is kept, under a name that no ticker has.

    Args:
        learned: as for `follow_slices`.
        companies: who had which ticker when.
        session: whose tickers are wanted.
    """
    of_ticker = ticker_of().is_not_null()
    mine = learned.filter(of_ticker).with_columns(ticker=ticker_of(), made_session="session")
    followed = _rename(follow_scores(mine, companies, session))
    return pl.concat([learned.filter(~of_ticker), followed.select(learned.columns)])
