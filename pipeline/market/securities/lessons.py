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
    named = companies.name_companies(prediction_accuracy, "made_session")
    now = named.with_columns(asked=pl.lit(session, dtype=pl.Date))
    called = companies.name_tickers(now, "asked")
    holders = companies.name_companies(called, "asked")["ticker"]
    ended = pl.format("{}, ended", named["ticker"])
    ticker = pl.when(holders == named["ticker"]).then(called["ticker"]).otherwise(ended)
    return prediction_accuracy.with_columns(ticker=ticker)


def follow_slices(learned: pl.DataFrame, companies: Securities, session: date) -> pl.DataFrame:
    """Return what was learned of slices, that of single tickers under the name that their company has now.

    What was learned of a company that has no ticker any more is left out.

    Args:
        learned: scope, slice and session: rows of bias_flags or learning_insights.
        companies: who had which ticker when.
        session: whose tickers are wanted.
    """
    of_ticker = pl.col("scope") == "ticker"
    named = learned.filter(of_ticker).with_columns(ticker="slice")
    followed = companies.follow_to(named, "session", session).with_columns(slice="ticker")
    return pl.concat([learned.filter(~of_ticker.fill_null(False)), followed.select(learned.columns)])


def keep_slices(learned: pl.DataFrame, companies: Securities, session: date) -> pl.DataFrame:
    """The same, where what was learned of a company without a ticker is kept, under a name that no ticker has.

    Args:
        learned: as for `follow_slices`.
        companies: who had which ticker when.
        session: whose tickers are wanted.
    """
    of_ticker = (pl.col("scope") == "ticker").fill_null(False)
    mine = learned.filter(of_ticker).with_columns(ticker="slice", made_session="session")
    followed = follow_scores(mine, companies, session).with_columns(slice="ticker")
    return pl.concat([learned.filter(~of_ticker), followed.select(learned.columns)])
