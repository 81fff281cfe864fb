"""Facts as dense matrices, sessions by tickers, free of any price or share scale."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.features.as_of import Epoch, Facts
from pipeline.features.params import FeatureParams
from pipeline.market.sessions import Sessions

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

Value = TypeVar("Value")

DEPTH = 252
"""Sessions the longest feature looks back on, its own included: a trading year."""
MARGIN = 28
"""Further sessions read, so that the first of them knows its bar before, over a halt too."""


@dataclass(frozen=True)
class Panel:
    """One epoch's facts. Every matrix has shape [sessions, tickers] and holds at row s what s itself brought.

    No value depends on where the panel starts: returns link neighbouring bars, prices are shares of their own
    session's close. What spans sessions is linked backwards from the session that asks, in `View`. No matrix can be
    written to.
    """

    first: int
    """Calendar position of row 0; rows before the calendar's first session are empty."""
    tickers: tuple[str, ...]
    bar: Flags
    """The ticker has a bar."""
    growth: Floats
    """Total return factor since the bar before; 1 at a bridged session, NaN where history starts and outside it."""
    log_growth: Floats
    open: Floats
    """Over the session's close; 1 at a bridged session, NaN outside history. The same for high and low."""
    high: Floats
    low: Floats
    volume: Floats
    """Shares as traded; NaN without a bar."""
    ratio: Floats
    """New shares for each old one at the session; 1 without a split."""
    dollars: Floats
    """Close x shares as traded; NaN without a bar."""
    listed: Flags
    """The ticker has a row in ticker_universe."""
    member: Flags
    """... which says it is a member, and it has a bar."""
    sector: Ints
    """Number of the sector in the universe's row; -1 without a row."""
    market: Floats
    """[sessions] log of the members' mean growth; NaN without members."""
    news_signal: Floats
    """Sum of strength x score over the session's articles; unknown scores are left out."""
    news_weight: Floats
    """Sum of strength over the same articles."""
    articles: Floats
    """Articles of the session about the ticker, scored or not."""

    def __post_init__(self) -> None:
        for one in fields(self):
            kept(getattr(self, one.name))

    def row(self, session: date, calendar: Sessions) -> int:
        """The row of a session."""
        return calendar.position(session) - self.first

    def tickers_at(self, asked: Flags) -> list[str]:
        """The tickers of the flagged columns, in order."""
        return [self.tickers[column] for column in np.flatnonzero(asked)]


def kept(matrix: Value) -> Value:
    """The same where it is a matrix, from now on for reading alone."""
    if isinstance(matrix, np.ndarray):
        matrix.setflags(write=False)
    return matrix


def build_panel(epoch: Epoch, ticker_universe: pl.DataFrame, calendar: Sessions, params: FeatureParams) -> Panel:
    """Lay an epoch's facts out from DEPTH + MARGIN sessions before it to its last session."""
    last = calendar.position(epoch.sessions[-1])
    first = calendar.position(epoch.sessions[0]) - DEPTH - MARGIN
    facts, universe = _within(epoch, ticker_universe, calendar, first)
    grid = _Grid(first, last, calendar, facts.market_prices["ticker"].unique().sort())
    bar, bars = _bars(facts, grid, params.stale_sessions)
    listed, member, sector = _membership(universe, grid)
    member &= bar
    return Panel(
        first=first,
        tickers=tuple(grid.tickers),
        bar=bar,
        **bars,
        listed=listed,
        member=member,
        sector=sector,
        market=_market(bars["growth"], member),
        **_news(facts.news_sentiment, grid),
    )


class _Grid:
    """Where a (session, ticker) lies in the matrices."""

    def __init__(self, first: int, last: int, calendar: Sessions, tickers: pl.Series) -> None:
        self.days = np.array(calendar.days[max(first, 0) : last + 1], dtype="datetime64[D]").astype(np.int32)
        self.empty = max(-first, 0)
        self.shape = (last - first + 1, len(tickers))
        self.tickers = tickers
        self.exchange = calendar.exchange

    def rows(self, sessions: pl.Series) -> Ints:
        """Row of each session.

        Raises:
            ValueError: if the exchange did not trade on one of the days.
        """
        days = sessions.to_physical().to_numpy()
        at = np.searchsorted(self.days, days)
        wrong = self.days[np.minimum(at, len(self.days) - 1)] != days
        if wrong.any():
            case = sessions.filter(pl.Series(wrong))
            raise ValueError(
                f"{len(case)} rows lie on days {self.exchange} did not trade, the first on {case[0]}; "
                "quarantine them, or set the exchange they belong to"
            )
        return at.astype(np.int64) + self.empty

    def columns(self, tickers: pl.Series) -> Ints:
        """Column of each ticker; -1 for one that has no column."""
        codes = tickers.cast(pl.Enum(self.tickers), strict=False).to_physical().cast(pl.Int64)
        return codes.fill_null(-1).to_numpy()

    def place(self, at: tuple[Ints, Ints], values: npt.NDArray[np.generic], missing: float) -> Floats:
        """A matrix with the values at their places and `missing` elsewhere."""
        matrix = np.full(self.shape, missing)
        matrix[at] = values
        return matrix


def _within(epoch: Epoch, ticker_universe: pl.DataFrame, calendar: Sessions, first: int) -> tuple[Facts, pl.DataFrame]:
    """Only rows from the panel's first session on to its last: outside them nothing can matter."""
    start, end = calendar.days[max(first, 0)], epoch.sessions[-1]

    def cut(frame: pl.DataFrame, clock: str) -> pl.DataFrame:
        return frame.filter(pl.col(clock).is_between(start, end))

    facts = Facts(
        cut(epoch.facts.market_prices, "session"),
        cut(epoch.facts.corporate_actions, "ex_date"),
        cut(epoch.facts.news_sentiment, "session"),
    )
    return facts, cut(ticker_universe, "session")


def _bars(facts: Facts, grid: _Grid, stale_sessions: int) -> tuple[Flags, dict[str, Floats]]:
    """Which ticker has a bar at which session, and the matrices that follow from bars and actions, by name."""
    prices = facts.market_prices
    at = (grid.rows(prices["session"]), grid.columns(prices["ticker"]))
    close, volume = (prices[name].to_numpy().astype(np.float64) for name in ("close", "volume"))
    bar = np.zeros(grid.shape, dtype=bool)
    bar[at] = True
    ratio, dividend = _effects(facts.corporate_actions, grid, bar)
    growth, bridged = _growth(grid.place(at, close, np.nan), ratio, dividend, bar, stale_sessions)
    shares = {name: grid.place(at, prices[name].to_numpy() / close, np.nan) for name in ("open", "high", "low")}
    return bar, {
        "growth": growth,
        "log_growth": np.log(growth),
        **{name: np.where(bridged, 1.0, share) for name, share in shares.items()},
        "volume": grid.place(at, volume, np.nan),
        "ratio": ratio,
        "dollars": grid.place(at, close * volume, np.nan),
    }


def _growth(close: Floats, ratio: Floats, dividend: Floats, bar: Flags, stale_sessions: int) -> tuple[Floats, Flags]:
    """Growth per session, and which sessions without a bar the last close stands for.

    The total return is that of `daily_total_returns`, worked out on matrices: (close + dividend) x ratio over the
    close of the bar before.
    """
    number = np.arange(len(bar))[:, None]
    latest = np.maximum.accumulate(np.where(bar, number, -1), axis=0)
    before = np.vstack([np.full((1, bar.shape[1]), -1), latest[:-1]])
    previous = np.where(before >= 0, np.take_along_axis(close, np.maximum(before, 0), axis=0), np.nan)
    growth = 1.0 + ((close + dividend) * ratio / previous - 1)
    growth[~(growth > 0)] = np.nan
    waited = number - before - 1
    growth[bar & (waited > stale_sessions)] = np.nan
    bridged = ~bar & (before >= 0) & (waited < stale_sessions)
    growth[bridged] = 1.0
    return growth, bridged


def _effects(corporate_actions: pl.DataFrame, grid: _Grid, bar: Flags) -> tuple[Floats, Floats]:
    """Split ratio and dividend of each session, at the first bar on or after the ex-date; 1 and 0 elsewhere."""
    splits = pl.col("kind") == "split"
    actions = (
        corporate_actions.filter(splits | (pl.col("kind") == "dividend"))
        .select(
            "ticker",
            "ex_date",
            ratio=pl.when(splits).then(pl.col("numerator") / pl.col("denominator")).otherwise(1.0),
            dividend=pl.when(splits).then(0.0).otherwise(pl.col("amount")).fill_null(0.0),
        )
        .sort("ticker", "ex_date", "ratio", "dividend")
    )
    ratio, dividend = np.ones(grid.shape), np.zeros(grid.shape)
    columns = grid.columns(actions["ticker"])
    start = np.searchsorted(grid.days, actions["ex_date"].to_physical().to_numpy()) + grid.empty
    following = np.minimum.accumulate(np.where(bar, np.arange(len(bar))[:, None], len(bar))[::-1], axis=0)[::-1]
    counts = (columns >= 0) & (start < len(bar))
    rows = following[start[counts], columns[counts]]
    met = rows < len(bar)
    at = rows[met], columns[counts][met]
    np.multiply.at(ratio, at, actions["ratio"].to_numpy()[counts][met])
    np.add.at(dividend, at, actions["dividend"].to_numpy()[counts][met])
    return ratio, dividend


def _membership(ticker_universe: pl.DataFrame, grid: _Grid) -> tuple[Flags, Flags, Ints]:
    columns = grid.columns(ticker_universe["ticker"])
    known = columns >= 0
    at = (grid.rows(ticker_universe["session"])[known], columns[known])
    sectors = ticker_universe["sector"].unique().sort()
    codes = ticker_universe["sector"].cast(pl.Enum(sectors)).to_physical().cast(pl.Int64).to_numpy()
    listed, member = np.zeros(grid.shape, dtype=bool), np.zeros(grid.shape, dtype=bool)
    listed[at] = True
    member[at] = ticker_universe["member"].to_numpy()[known]
    sector = np.full(grid.shape, -1)
    sector[at] = codes[known]
    return listed, member, sector


def _market(growth: Floats, member: Flags) -> Floats:
    """Equal weight over the members alone, packed, so that who else has a column cannot change a bit."""
    counted = member & ~np.isnan(growth)
    rows = np.flatnonzero(counted.any(axis=1))
    market = np.full(len(growth), np.nan)
    market[rows] = [np.log(growth[row][counted[row]].mean()) for row in rows]
    return market


def _news(news_sentiment: pl.DataFrame, grid: _Grid) -> dict[str, Floats]:
    """Articles per session and ticker; several scorers of one article share its weight."""
    article = ["article_id", "ticker"]
    rows = news_sentiment.sort("session", "ticker", "article_id", "scorer", "prompt_version").with_columns(
        weight=pl.when(pl.col("score").is_not_null()).then(pl.col("strength"))
        / pl.col("score").is_not_null().sum().over(article),
        article=(pl.int_range(pl.len()).over(article) == 0).cast(pl.Float64),
    )
    columns = grid.columns(rows["ticker"])
    known = columns >= 0
    flat = grid.rows(rows["session"])[known] * grid.shape[1] + columns[known]
    sums = {
        "news_signal": (rows["weight"] * rows["score"]).fill_null(0.0),
        "news_weight": rows["weight"].fill_null(0.0),
        "articles": rows["article"],
    }
    cells = grid.shape[0] * grid.shape[1]
    return {
        name: np.bincount(flat, values.to_numpy()[known], cells).astype(np.float64).reshape(grid.shape)
        for name, values in sums.items()
    }
