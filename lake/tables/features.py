"""Engineered features, one row per ticker and session, and the windows models look through."""

import polars as pl

from lake.contract import Column, Rule, Table
from lake.tables.vocabulary import SESSION, TICKER, count, day, flag

FEATURE_SET = Column(
    pl.String(),
    "version",
    "the set of features: a name made from their declarations and code; it changes whenever any of them does",
    pattern=r"f[0-9a-f]+(\+[0-9a-f]{8})*",
)

FEATURE_ROWS = Table(
    name="feature_rows",
    domain="features",
    doc="The features of a ticker at a session's close; null where its history is too short.",
    key=("feature_set", "session", "ticker"),
    mode="append",
    owner="features",
    clock="session",
    columns={
        "feature_set": FEATURE_SET,
        "session": SESSION.refer_to(
            "market_prices.session",
            "news_sentiment.session",
            "corporate_actions.ex_date",
            "ticker_universe.session",
            "intraday_prices.session",
        ),
        "ticker": TICKER.refer_to(
            "market_prices.ticker",
            "news_sentiment.ticker",
            "corporate_actions.ticker",
            "ticker_universe.ticker",
            "intraday_prices.ticker",
        ),
        "complete": flag("every feature of the base set (the part before any +) has a value"),
    },
    further=Column(pl.Float32(), "see the feature", "a feature that the row's set has", nullable=True),
)

FEATURE_WINDOWS = Table(
    name="feature_windows",
    domain="features",
    doc="A model's input for a ticker: refers to the feature rows of `length` consecutive sessions up to `session`.",
    key=("features_id", "ticker"),
    mode="append",
    owner="windows",
    clock="session",
    columns={
        "features_id": Column(
            pl.String(),
            "id",
            "the batch: base of the feature set, session and a hash of the values",
            pattern=r"f[0-9a-f]+-[0-9]{8}-[0-9a-f]{12}",
        ),
        "ticker": TICKER.refer_to("feature_rows.ticker"),
        "session": SESSION,
        "feature_set": FEATURE_SET,
        "length": count("sessions", "rows that the window spans"),
        "first_session": day("session of the window's first row").refer_to("feature_rows.session", until="session"),
        "present": count("sessions", "complete feature rows found in the window"),
        "usable": flag("all of its rows exist and are complete"),
        "window_hash": Column(pl.String(), "sha256", "hash of the window's values in order", pattern=r"[0-9a-f]{64}"),
        "feature_rows_version": Column(
            pl.Int64(), "table version", "the version of feature_rows it refers to", provenance=True
        ),
    },
    rules={"present is at most length": Rule(pl.col("present") <= pl.col("length"), "count each session once")},
)
