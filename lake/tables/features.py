"""Engineered features, one row per ticker and session, and the windows models look through."""

from dataclasses import dataclass

import polars as pl

from lake.contract import Column, Rule, Table
from lake.tables.vocabulary import SESSION, TICKER, count, day, flag

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

# In the formulas: C, O, H, L are a session's prices grown by total return (splits and dividends taken out),
# V its shares on today's share basis, ln the natural logarithm, t this session. Windows count exchange
# sessions and end at t. A session without a bar stands at the last close, for at most
# `FeatureParams.stale_sessions` in a row; averages of volume leave it out and need bars for 80 % of the window.
_CATALOGUE: dict[str, tuple[tuple[str, str, str], ...]] = {
    "returns": (
        *(
            (f"return_{n}", "log return", f"ln C(t)/C(t-{n}): total return over {n} sessions")
            for n in (1, 2, 3, 5, 10, 20, 60, 120)
        ),
        (
            "momentum_120_20",
            "log return",
            "ln C(t-20)/C(t-120): momentum without its last month (Jegadeesh and Titman 1993)",
        ),
    ),
    "trend": (
        *((f"sma_ratio_{n}", "log ratio", f"ln C over the simple average of C, {n} sessions") for n in (5, 20, 60)),
        (
            "macd_12_26",
            "average true ranges",
            "exponential averages of C, span 12 less span 26, over atr_14 (Appel); weights end after 78 sessions",
        ),
        (
            "macd_histogram_12_26_9",
            "average true ranges",
            "the MACD line less its exponential average of span 9 (weights end after 27), over atr_14 (Appel)",
        ),
        ("slope_20", "log return per session", "least-squares slope of ln C on time, 20 sessions"),
        ("slope_60", "log return per session", "least-squares slope of ln C on time, 60 sessions"),
        ("trend_fit_60", "correlation", "correlation of ln C with time, 60 sessions"),
        (
            "directional_14",
            "-1 to 1",
            "(+DM - -DM)/(+DM + -DM), sums over 14 sessions (Wilder 1978, not smoothed); 0 without movement",
        ),
        (
            "adx_14",
            "0 to 1",
            "mean over 14 sessions of |directional_14| (Wilder 1978, simple averages)",
        ),
    ),
    "oscillators": (
        (
            "rsi_14",
            "-1 to 1",
            "(gains - losses)/(gains + losses) of C, 14 sessions: Cutler's RSI/50 - 1; 0 if C never moved",
        ),
        ("stochastic_14", "-1 to 1", "2 (C - lowest L)/(highest H - lowest L) - 1, 14 sessions (Lane's %K); 0 if flat"),
        (
            "williams_28",
            "-1 to 1",
            "1 - 2 (highest H - C)/(highest H - lowest L), 28 sessions (Williams' %R); 0 if flat",
        ),
        (
            "cci_20",
            "hundreds",
            "(P - mean P)/(1.5 mean |P - mean P|), P = (H + L + C)/3, 20 sessions (Lambert 1980, over 100); 0 if flat",
        ),
        ("bollinger_20", "half bands", "(C - mean C)/(2 sd of C), 20 sessions (Bollinger); 0 if flat"),
    ),
    "volatility": (
        *(
            (f"volatility_{n}", "log return per session", f"sample standard deviation of return_1, {n} sessions")
            for n in (5, 20, 60)
        ),
        ("parkinson_20", "log return per session", "sqrt(mean (ln H/L)^2 / (4 ln 2)), 20 sessions (Parkinson 1980)"),
        (
            "garman_klass_20",
            "log return per session",
            "sqrt(mean of (ln H/L)^2/2 - (2 ln 2 - 1)(ln C/O)^2), 20 sessions (Garman and Klass 1980)",
        ),
        ("downside_20", "log return per session", "sqrt(mean of min(return_1, 0)^2), 20 sessions"),
        ("volatility_ratio_5_20", "ratio less 1", "volatility_5 over volatility_20, less 1"),
        ("skewness_60", "ratio", "third central moment of return_1 over sd^3 (population), 60 sessions"),
    ),
    "volume": (
        ("relative_volume_20", "ratio less 1", "V over its mean, 20 sessions, less 1"),
        ("relative_volume_5_60", "ratio less 1", "mean V of 5 sessions over that of 60, less 1"),
        ("dollar_volume_20", "ln currency", "ln(1 + mean of close x shares as traded), 20 sessions"),
        ("dollar_volume_z_60", "standard deviations", "ln(1 + close x shares): distance from its mean, 60 sessions"),
        (
            "on_balance_slope_20",
            "average volumes per session",
            "least-squares slope of on-balance volume (Granville 1963) over mean V, 20 sessions",
        ),
        (
            "amihud_20",
            "ln per million currency",
            "ln(1e-9 + mean |return_1| per million traded), 20 sessions, those without trade left out (Amihud 2002)",
        ),
        (
            "money_flow_14",
            "-1 to 1",
            "P x V of sessions with rising P less falling, over both, 14 sessions; 0 if none (Quong and Soudack)",
        ),
    ),
    "range": (
        ("atr_14", "fraction of price", "mean true range over C, 14 sessions, simple average (Wilder 1978)"),
        ("gap_1", "log return", "ln O(t)/C(t-1)"),
        ("intraday_1", "log return", "ln C/O of the session"),
        ("close_location_1", "-1 to 1", "(2 C - H - L)/(H - L) of the session; 0 if H = L"),
        ("range_ratio_1_20", "ratio less 1", "ln H/L of the session over its mean, 20 sessions, less 1"),
        ("high_20", "log ratio", "ln C over the highest H, 20 sessions"),
        ("low_20", "log ratio", "ln C over the lowest L, 20 sessions"),
        (
            "high_252",
            "log ratio",
            "ln C over the highest H, 252 sessions or all there are if at least 120 (George and Hwang 2004)",
        ),
        ("low_252", "log ratio", "ln C over the lowest L, 252 sessions or all there are if at least 120"),
    ),
    "rank": tuple(
        (
            f"rank_{of}",
            "-1 to 1",
            f"share of universe members with a lower {of} less share with a higher one, itself left out",
        )
        for of in ("return_5", "return_20", "return_60", "volatility_20", "dollar_volume_20", "relative_volume_20")
    ),
    "market": (
        ("market_return_20", "log return", "equal-weight return of the universe's members, 20 sessions"),
        (
            "market_volatility_20",
            "log return per session",
            "sample sd of the members' equal-weight return, 20 sessions",
        ),
        (
            "beta_60",
            "ratio",
            "covariance of return_1 with the members' equal-weight return over its variance, 60 sessions",
        ),
        ("correlation_60", "correlation", "of return_1 with the members' equal-weight return, 60 sessions"),
        *(
            (
                f"residual_return_{n}",
                "log return",
                f"return_{n} less beta_60 times the members' equal-weight return over {n} sessions",
            )
            for n in (1, 5, 20, 60)
        ),
        (
            "residual_volatility_60",
            "log return per session",
            "volatility_60 x sqrt(1 - correlation_60^2): what the market does not explain",
        ),
        ("sector_return_5", "log return", "return_5 less its mean over the sector's members"),
        ("sector_return_20", "log return", "return_20 less its mean over the sector's members"),
    ),
    "calendar": (
        ("weekday_sin", "-1 to 1", "sin(2 pi weekday/7), Monday 0"),
        ("weekday_cos", "-1 to 1", "cos(2 pi weekday/7), Monday 0"),
        ("month_since", "sessions", "sessions of the month before this one"),
        ("month_till", "sessions", "sessions of the month after this one, as the exchange has scheduled them"),
        ("month_turn", "0 or 1", "1 on the last and the first three sessions of a month (Lakonishok and Smidt 1988)"),
        ("half_day", "0 or 1", "1 if the session is shorter than 80 % of the longest of the last 20"),
    ),
    "sentiment": (
        (
            "sentiment_1",
            "-1 to 1",
            "S/(W + prior): S sums strength x score and W strength over the session's articles; no news is 0",
        ),
        *(
            (
                f"sentiment_{n}",
                "-1 to 1",
                f"the same over {3 * n} sessions, weights halving every {n}; no news is 0, unknown scores are left out",
            )
            for n in (3, 5, 10)
        ),
        ("news_count_1", "ln count", "ln(1 + articles of the session), scored or not"),
        ("news_count_10", "ln count", "ln(1 + articles of 10 sessions), scored or not"),
        ("sentiment_surprise", "-2 to 2", "sentiment_1 less sentiment_10 of the session before; 0 without news today"),
        ("sector_sentiment_5", "-1 to 1", "mean sentiment_5 over the sector's members"),
    ),
}

FEATURES: tuple[Feature, ...] = tuple(
    Feature(name, family, unit, doc) for family, rows in _CATALOGUE.items() for name, unit, doc in rows
)
"""Every feature there is, in the order of the columns."""

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
        **{feature.name: Column(pl.Float32(), feature.unit, feature.doc, nullable=True) for feature in FEATURES},
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
        "window_hash": Column(pl.String(), "sha256", "hash of the window's values in order", pattern=r"[0-9a-f]{64}"),
        "feature_rows_version": Column(
            pl.Int64(), "table version", "the version of feature_rows it refers to", provenance=True
        ),
    },
    rules={"present is at most length": Rule(pl.col("present") <= pl.col("length"), "count each session once")},
)

TABLES = (FEATURE_ROWS, FEATURE_WINDOWS)
