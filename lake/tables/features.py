"""Engineered features, one row per ticker and session, and the windows models look through."""

from dataclasses import dataclass

import polars as pl

from lake.contract import Column, Rule, Table
from lake.tables.vocabulary import SESSION, TICKER, count, day, flag, text

FEATURE_SET = Column(
    pl.String(),
    "version",
    "the version of the feature library; it changes whenever any feature does",
    pattern=r"f[0-9]+",
)


@dataclass(frozen=True)
class Feature:
    """One engineered feature."""

    name: str
    family: str
    unit: str
    doc: str


CURRENT_FEATURE_SET = "f1"

FEATURES: tuple[Feature, ...] = ()

FEATURE_ROWS = Table(
    name="feature_rows",
    domain="features",
    doc="What was computable about a ticker at a session's close; null where history is too short.",
    key=("feature_set", "session", "ticker"),
    mode="append",
    owner="features",
    clock="session",
    columns={
        "feature_set": FEATURE_SET,
        "session": SESSION,
        "ticker": TICKER,
        "complete": flag("every feature has a value"),
        **{
            feature.name: Column(pl.Float32(), feature.unit, feature.doc, nullable=True)
            for feature in FEATURES
        },
    },
)

FEATURE_WINDOWS = Table(
    name="feature_windows",
    domain="features",
    doc="A model's view of a ticker: `length` consecutive sessions of feature rows, by reference, ending at `session`.",
    key=("features_id", "ticker"),
    mode="append",
    owner="windows",
    clock="session",
    columns={
        "features_id": Column(
            pl.String(),
            "id",
            "the batch: feature set, session and a hash of the values",
            pattern=r"f[0-9]+-[0-9]{8}-[0-9a-f]{12}",
        ),
        "ticker": TICKER,
        "session": SESSION,
        "feature_set": FEATURE_SET,
        "length": count("sessions", "rows the window asks for"),
        "first_session": day("session of the window's first row"),
        "present": count("sessions", "complete feature rows found in the window"),
        "usable": flag("all of its rows are there and complete"),
        "window_hash": Column(
            pl.String(), "sha256", "hash of the window's values in order", pattern=r"[0-9a-f]{64}"
        ),
        "feature_rows_version": Column(
            pl.Int64(), "table version", "the version of feature_rows it refers to", provenance=True
        ),
    },
    rules={
        "present is at most length": Rule(pl.col("present") <= pl.col("length"), "count each session once")
    },
)

TABLES = (FEATURE_ROWS, FEATURE_WINDOWS)
