"""Frames the features stage reads, made from random walks; every column the tests are not about is filled in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from lake.tables.features import FEATURE_ROWS
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.news import NEWS_SENTIMENT
from pipeline.engine.stage import Moment
from pipeline.features.catalogue import BUILT_IN
from pipeline.features.feature_set import current_set, extend
from pipeline.features.features import features
from pipeline.features.params import FeatureParams
from pipeline.market.sessions import Sessions
from pipeline.plugins.extensions import Extensions
from tests.frames.sessions import weekday_sessions

HASH = "0" * 64
WITH_FEATURES = FEATURE_ROWS.for_columns(feature.name for feature in BUILT_IN)
"""The contract with the columns of the built-in features."""
DECISION_LAG = timedelta(minutes=20)
CALENDAR = weekday_sessions(date(2020, 1, 1), date(2025, 12, 31))
SECTORS = ("energy", "health", "tech")


@dataclass(frozen=True)
class Market:
    """Everything the features stage reads."""

    market_prices: pl.DataFrame
    corporate_actions: pl.DataFrame
    ticker_universe: pl.DataFrame
    instruments: pl.DataFrame
    news_sentiment: pl.DataFrame
    calendar: Sessions = CALENDAR
    intraday_prices: pl.DataFrame = field(default_factory=INTRADAY_PRICES.empty)
    feature_rows: pl.DataFrame = field(default_factory=FEATURE_ROWS.empty)

    @property
    def sessions(self) -> list[date]:
        """The sessions with bars, in order."""
        return self.market_prices["session"].unique().sort().to_list()

    def until(self, session: date) -> Market:
        """What a run at the session sees: nothing dated later, nothing public later than its decision."""
        as_of = as_of_session(session, self.calendar)
        return replace(
            self,
            market_prices=_cut(self.market_prices, "session", session, as_of),
            corporate_actions=_cut(self.corporate_actions, "ex_date", session, as_of),
            ticker_universe=self.ticker_universe.filter(pl.col("session") <= session),
            news_sentiment=_cut(self.news_sentiment, "session", session, as_of),
            intraday_prices=_cut(self.intraday_prices, "session", session, as_of),
        )

    def since(self, first: date) -> Market:
        """The same without what is dated earlier."""
        return replace(
            self,
            market_prices=self.market_prices.filter(pl.col("session") >= first),
            corporate_actions=self.corporate_actions.filter(pl.col("ex_date") >= first),
            ticker_universe=self.ticker_universe.filter(pl.col("session") >= first),
            news_sentiment=self.news_sentiment.filter(pl.col("session") >= first),
            intraday_prices=self.intraday_prices.filter(pl.col("session") >= first),
        )


def as_of_session(session: date, calendar: Sessions = CALENDAR) -> datetime:
    """The decision moment of a session."""
    return calendar.close_at(session) + DECISION_LAG


def moment(session: date, since: date | None = None, calendar: Sessions = CALENDAR) -> Moment:
    """A run at a session's decision moment."""
    return Moment(
        session=session,
        since=since or session,
        as_of=as_of_session(session, calendar),
        seed=1,
        versions={"feature_rows": 7},
        calendar=calendar,
        extensions=extend(),
    )


def run(
    market: Market,
    session: date,
    since: date | None = None,
    params: FeatureParams | None = None,
    extensions: Extensions | None = None,
) -> pl.DataFrame:
    """The features stage on the market as given, checked against the contract; of the built-in features, or others."""
    rows = features(
        market.market_prices.sort(MARKET_PRICES.key),
        market.corporate_actions.sort(CORPORATE_ACTIONS.key),
        market.ticker_universe.sort(TICKER_UNIVERSE.key),
        market.instruments.sort(INSTRUMENTS.key),
        market.news_sentiment.sort(NEWS_SENTIMENT.key),
        market.intraday_prices.sort(INTRADAY_PRICES.key),
        market.feature_rows,
        replace(moment(session, since, market.calendar), extensions=extensions or extend()),
        params or FeatureParams(),
    )
    return FEATURE_ROWS.check(rows)


def random_market(tickers: int, sessions: int, *, seed: int = 0, calendar: Sessions = CALENDAR) -> Market:
    """Tickers on random walks with some splits, dividends and news; all of them members in every session."""
    rng = np.random.default_rng(seed)
    names = [f"T{number:03d}" for number in range(tickers)]
    days = list(calendar.days[:sessions])
    common = rng.normal(0, 0.008, sessions)
    parts = [_walk(name, days, common, rng, calendar) for name in names]
    return Market(
        market_prices=pl.concat(parts),
        corporate_actions=random_actions(names, days, rng, calendar),
        ticker_universe=universe(names, days),
        instruments=listings(names),
        news_sentiment=random_news(names, days, rng, calendar),
        calendar=calendar,
    )


def bars(ticker: str, days: list[date], calendar: Sessions = CALENDAR, **values: object) -> pl.DataFrame:
    """Daily bars; values are scalars or sequences, and what is not given is a quiet bar at 100."""
    filled = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "volume": 1_000_000, **values}
    count = len(days)
    columns = {
        "ticker": ticker,
        "interval": "1d",
        "session": days,
        "ts": [calendar.close_at(day) for day in days],
        "revision": 0,
        **filled,
        "currency": "USD",
        "source": "test",
        "available_at": [calendar.close_at(day) + timedelta(minutes=15) for day in days],
        "payload_id": HASH,
        "line": 0,
        "volume_rounding": [None] * count,
    }
    columns.update({name: values[name] for name in ("revision", "available_at") if name in values})
    spread = {
        name: [value] * count if isinstance(value, int | float | str | datetime) else value
        for name, value in columns.items()
    }
    return pl.DataFrame(spread, schema=MARKET_PRICES.schema)


def action(ticker: str, ex_date: date, calendar: Sessions = CALENDAR, **values: object) -> pl.DataFrame:
    """One corporate action: a 2:1 split known at the open of its ex-date unless told otherwise."""
    row = {
        "ticker": ticker,
        "ex_date": ex_date,
        "kind": "split",
        "sequence": 0,
        "revision": 0,
        "numerator": 2,
        "denominator": 1,
        "amount": None,
        "pay_date": None,
        "successor": None,
        "source": "test",
        "available_at": calendar.open_at(ex_date),
        "payload_id": HASH,
        **values,
    }
    return pl.DataFrame([row], schema=CORPORATE_ACTIONS.schema)


def dividend(
    ticker: str, ex_date: date, amount: float, calendar: Sessions = CALENDAR, **values: object
) -> pl.DataFrame:
    """One cash dividend."""
    terms = {"kind": "dividend", "numerator": None, "denominator": None, "amount": amount, **values}
    return action(ticker, ex_date, calendar, **terms)


def article(number: int, ticker: str, session: date, score: float | None, **values: object) -> pl.DataFrame:
    """One article's bearing on a ticker, public an hour before the session's close."""
    row = {
        "article_id": f"{number:064x}",
        "ticker": ticker,
        "scorer": "lexicon",
        "prompt_version": "v1",
        "session": session,
        "available_at": CALENDAR.close_at(session) - timedelta(hours=1),
        "score": score,
        "strength": 1.0,
        **values,
    }
    return pl.DataFrame([row], schema=NEWS_SENTIMENT.schema)


def universe(tickers: list[str], days: list[date], *, member: bool = True) -> pl.DataFrame:
    """A universe row for every ticker and session; sectors go round."""
    rows = [(day, number) for day in days for number in range(len(tickers))]
    return pl.DataFrame(
        {
            "session": [day for day, _ in rows],
            "ticker": [tickers[number] for _, number in rows],
            "member": [member] * len(rows),
            "reason": ["member" if member else "history"] * len(rows),
            "sector": [SECTORS[number % len(SECTORS)] for _, number in rows],
            "close": [100.0] * len(rows),
            "dollar_volume": [1e8] * len(rows),
            "history": [500] * len(rows),
            "stale": [0] * len(rows),
        },
        schema=TICKER_UNIVERSE.schema,
    )


def listings(tickers: list[str], role: str = "stock") -> pl.DataFrame:
    """What each ticker is."""
    names = ("ticker", "name", "sector", "role", "exchange", "currency", "listed_on", "source", "payload_id")
    rows = [(ticker, ticker, "tech", role, "XNYS", "USD", date(2000, 1, 3), "test", HASH) for ticker in tickers]
    told = (dict(zip(names, row, strict=True)) for row in rows)
    return pl.DataFrame(list(told), schema=INSTRUMENTS.schema)


def feature_rows(tickers: list[str], days: list[date], *, seed: int = 0, complete: bool = True) -> pl.DataFrame:
    """Feature rows of random values, for tests of what comes after the features stage."""
    rng = np.random.default_rng(seed)
    count = len(tickers) * len(days)
    return pl.DataFrame(
        {
            "feature_set": [current_set().name] * count,
            "session": [day for day in days for _ in tickers],
            "ticker": tickers * len(days),
            "complete": [complete] * count,
            **{feature.name: rng.normal(size=count).astype(np.float32) for feature in BUILT_IN},
        },
        schema=WITH_FEATURES.schema,
    ).sort(FEATURE_ROWS.key)


def random_actions(
    names: list[str], days: list[date], rng: np.random.Generator, calendar: Sessions = CALENDAR
) -> pl.DataFrame:
    """A split for one ticker in three, two dividends for one in two."""
    parts = [CORPORATE_ACTIONS.empty()]
    for number, name in enumerate(names):
        if number % 3 == 0:
            parts.append(action(name, days[int(rng.integers(1, len(days)))], calendar))
        if number % 2 == 0:
            first, second = rng.choice(np.arange(1, len(days)), 2, replace=False)
            parts.extend(dividend(name, days[int(at)], 0.4, calendar) for at in (first, second))
    return pl.concat(parts)


def random_news(
    names: list[str], days: list[date], rng: np.random.Generator, calendar: Sessions = CALENDAR
) -> pl.DataFrame:
    """About one article per ticker and five sessions; one score in ten unknown."""
    count = max(len(names) * len(days) // 5, 1)
    sessions = [days[int(at)] for at in rng.integers(0, len(days), count)]
    scores = [None if rng.random() < 0.1 else float(rng.uniform(-1, 1)) for _ in range(count)]
    return pl.DataFrame(
        {
            "article_id": [f"{number:064x}" for number in range(count)],
            "ticker": [names[int(at)] for at in rng.integers(0, len(names), count)],
            "scorer": ["lexicon"] * count,
            "prompt_version": ["v1"] * count,
            "session": sessions,
            "available_at": [calendar.close_at(day) - timedelta(hours=1) for day in sessions],
            "score": scores,
            "strength": rng.uniform(0.1, 1, count),
        },
        schema=NEWS_SENTIMENT.schema,
    )


def _walk(
    name: str, days: list[date], common: np.ndarray, rng: np.random.Generator, calendar: Sessions
) -> pl.DataFrame:
    count = len(days)
    close = 50 * np.exp(np.cumsum(common + rng.normal(0, 0.015, count)))
    opened = close * np.exp(rng.normal(0, 0.006, count))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.005, count)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.005, count)))
    volume = rng.integers(100_000, 5_000_000, count)
    return bars(name, days, calendar, open=opened, high=high, low=low, close=close, volume=volume)


def _cut(frame: pl.DataFrame, clock: str, session: date, as_of: datetime) -> pl.DataFrame:
    return frame.filter((pl.col(clock) <= session) & (pl.col("available_at") <= as_of.astimezone(UTC)))
