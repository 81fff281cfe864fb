"""What a fit learns from: windows of features by reference, and what the return turned out to be.

The target is the total return from close to close `h` sessions later in units of sigma x sqrt(h), so that quiet and
wild tickers weigh alike. It is kept in two forms. `outcome` is the raw one: intervals have to cover what a holder
earns. `relative` is less the session's mean over the members: the common move of the market is large, and noise to
anybody who ranks tickers, so points are fitted without it and state no market drift.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.features.catalogue import NAMED_SETS
from pipeline.features.feature_set import FeatureSet, current_set
from pipeline.features.tensors import WindowIndex, select_features, training_windows
from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.endings import forward_returns_of_named
from pipeline.market.returns import daily_total_returns, forward_total_returns
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions
from pipeline.models.params import ModelParams
from pipeline.models.scaling import daily_sigma, horizon_sigma

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Tensor = npt.NDArray[np.float32]
log = logging.getLogger(__name__)
OPTIONAL = frozenset(feature.name for features in NAMED_SETS.values() for feature in features)
"""The features of named sets."""
MIN_KNOWN = 0.75
"""Share of the complete rows that have to know a feature of a named set for it to be learned from."""
BLOCK = 4_096
"""Windows gathered at a time: 26 MB at 80 features, so that no fit ever holds all of them."""


@dataclass(frozen=True)
class Examples:
    """Labelled windows, ordered by session, then ticker. n examples, H horizons, F features."""

    index: WindowIndex
    """All windows by reference, those without a label too."""
    calendar: Sessions
    """The exchange's sessions; `session` counts in it."""
    horizons: tuple[int, ...]
    """H sessions ahead."""
    number: Index
    """[n] the window's number in `index`."""
    ticker: pl.Series
    """[n] the company, by its first ticker where it was renamed."""
    session: Index
    """[n] position in the calendar of the window's last row."""
    sigma: Floats
    """[n] daily volatility as known at the session, as a fraction."""
    outcome: Floats
    """[n, H] total return in units of sigma x sqrt(h), not clipped."""
    clipped: Floats
    """[n, H] the same within the clip."""
    relative: Floats
    """[n, H] `clipped` less its mean over the session's examples."""
    feature_set: str
    """The set whose rows the windows are made of."""

    def __post_init__(self) -> None:
        # Members are fitted on the same examples one after the other: what one wrote would be what the next learns.
        for array in (self.number, self.session, self.sigma, self.outcome, self.clipped, self.relative):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.session)

    @property
    def features(self) -> tuple[str, ...]:
        """Input features in the order of the windows' last axis."""
        return self.index.feature_names

    def between(self, first: int, last: int) -> Index:
        """Which examples have their session in first..last (positions, both included)."""
        low, high = np.searchsorted(self.session, [first, last + 1])
        return np.arange(low, high, dtype=np.int64)

    def windows(self, rows: Index) -> Tensor:
        """Gather the windows of these examples: [rows, window, F]."""
        return self.index.gather(self.number[rows])

    def last_rows(self, rows: Index) -> Tensor:
        """The last row of each of these windows: [rows, F]."""
        return self.index.last_rows(self.number[rows])

    def thin(self, rows: Index, max_rows: int, turn: int = 0) -> Index:
        """Keep whole sessions in strides so that about `max_rows` of these remain; each turn takes the next stride.

        Labels of neighbouring sessions overlap and names of one session move together, so that little is lost.
        """
        stride = -(-len(rows) // max_rows)
        session = self.session[rows]
        return rows[(session - session[-1] + turn) % stride == 0] if stride > 1 else rows

    def take(self, rows: Index) -> Examples:
        """These examples alone, with the same windows to gather from; positions in rising order."""
        return replace(
            self,
            number=self.number[rows],
            ticker=self.ticker[rows],
            session=self.session[rows],
            sigma=self.sigma[rows],
            outcome=self.outcome[rows],
            clipped=self.clipped[rows],
            relative=self.relative[rows],
        )

    def subtract(self, location: Floats) -> Examples:
        """The same windows with a forecast [n, H] taken out of the targets that are fitted: what is left to learn."""
        return replace(self, clipped=self.clipped - location, relative=self.relative - location)

    def fingerprint(self, rows: Index) -> str:
        """sha256 of which (session, ticker) pairs these examples are."""
        pairs = pl.DataFrame({"session": self.session, "ticker": self.ticker})[rows]
        lines = pairs.select(pl.concat_str("session", "ticker", separator=" "))
        text = f"{self.calendar.days[0]}\n" + "\n".join(lines.to_series())
        return hashlib.sha256(text.encode()).hexdigest()


def cut_blocks(rows: Index, size: int = BLOCK) -> Iterator[Index]:
    """Cut positions into consecutive blocks."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def list_input_features(params: ModelParams, chosen: FeatureSet, feature_rows: pl.DataFrame) -> tuple[str, ...]:
    """The features the models see: those named, or the whole set without what this lake has no data for.

    A feature of a named set that more than a quarter of the complete rows lack, as where no bars within sessions are
    taken, would leave few windows to learn from. Those of plugins, and those that are named, are taken as they are.
    """
    if params.features:
        return params.features
    rows = feature_rows.filter("complete")
    optional = [name for name in chosen.definitions if name in OPTIONAL]
    known = select_features(rows, optional).null_count().row(0)
    scarce = {name for name, lacking in zip(optional, known, strict=True) if lacking > (1 - MIN_KNOWN) * rows.height}
    if scarce:
        log.warning("%d features are known too seldom to learn from, the first is %s", len(scarce), min(scarce))
    return tuple(name for name in chosen.names if name not in scarce)


def label_examples(
    feature_rows: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    calendar: Sessions,
    params: ModelParams,
    chosen: FeatureSet | None = None,
) -> Examples:
    """Return every window whose ticker was a member at its last session and whose outcomes are all known.

    Membership is taken as of each session, so that a ticker that later vanished teaches as much as one that stayed;
    a delisting counts with its final value per share. A window with a missing row or value is left out.

    A window and its outcome are one company's, under any ticker. The rows are those of the built-in set of features, or
    of the one given.

    Raises:
        ValueError: if a complete row lacks the value of an input feature.
    """
    chosen = chosen or current_set()
    frames = (feature_rows, market_prices, corporate_actions, ticker_universe)
    if params.outcomes == 2:
        feature_rows, market_prices, corporate_actions, ticker_universe = _name_companies(*frames)
    rows = feature_rows.filter(pl.col("feature_set") == chosen.name)
    names = list_input_features(params, chosen, rows)
    _check_values(rows, names, further=frozenset(chosen.definitions))
    index = training_windows(rows, calendar, params.window, names)
    labels = [f"return_{horizon}" for horizon in params.horizons]
    outcomes = _outcomes(market_prices, corporate_actions, calendar, params)
    members = ticker_universe.filter("member").select("ticker", "session")
    labelled = (
        index.keys.with_row_index("number")
        .join(members, on=["ticker", "session"], how="semi")
        .join(outcomes, on=["ticker", "session"], how="inner")
        .join(calendar.frame(calendar.days[0], calendar.days[-1]).select("session", "position"), on="session")
        .sort("session", "ticker")
    )
    number, session = (labelled[name].cast(pl.Int64).to_numpy() for name in ("number", "position"))
    sigma = daily_sigma(index.last_rows(number), index.feature_names)
    returns = labelled.select(labels).to_numpy().astype(np.float64).reshape(len(number), len(labels))
    outcome = returns / horizon_sigma(sigma, params.horizons)
    clipped = np.clip(outcome, -params.clip, params.clip)
    relative = clipped - session_means(clipped, session)[_run(session)]
    return Examples(
        index=index,
        calendar=calendar,
        horizons=params.horizons,
        number=number,
        ticker=labelled["ticker"],
        session=session,
        sigma=sigma,
        outcome=outcome,
        clipped=clipped,
        relative=relative,
        feature_set=chosen.name,
    )


def _name_companies(
    feature_rows: pl.DataFrame, market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, universe: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    companies = Securities.trace(corporate_actions, market_prices)
    rows, bars, members = (
        companies.name_companies(frame, "session") for frame in (feature_rows, market_prices, universe)
    )
    return rows, bars, restate_in_gaps(companies.name_actions(corporate_actions), bars), members


def session_means(values: Floats, session: Index) -> Floats:
    """Mean of each session's rows: values [n, ...] sorted by session -> [sessions, ...]."""
    counts = np.bincount(_run(session))
    means: Floats = session_sums(values, session) / counts.reshape(-1, *[1] * (values.ndim - 1))
    return means


def session_sums(values: Floats, session: Index) -> Floats:
    """Sum of each session's rows: values [n, ...] sorted by session -> [sessions, ...].

    Rows are added in their order, so that the result is the same to the bit wherever it is computed.
    """
    if len(session) == 0:
        return values[:0]
    sums: Floats = np.add.reduceat(values, np.flatnonzero(np.diff(session, prepend=session[0] - 1)), axis=0)
    return sums


def _run(session: Index) -> Index:
    """Number of each row's session among the distinct ones, from 0."""
    return np.cumsum(np.diff(session, prepend=session[:1]) != 0)


def _check_values(feature_rows: pl.DataFrame, names: tuple[str, ...], further: frozenset[str]) -> None:
    """Every fit would fail or learn nonsense, and none could say why. Further features may lack some values."""
    complete = feature_rows.filter(pl.col("complete"))
    values = select_features(complete, names)
    for name in names:
        lacking = ~values[name].is_finite().fill_null(False)
        count = int(lacking.sum())
        if count and not (name in further and count < complete.height):
            first = complete.filter(lacking).sort("session", "ticker").row(0, named=True)
            raise ValueError(
                f"{count} of {complete.height} complete feature rows lack a value of {name!r}, the first "
                f"is {first['ticker']} at {first['session']}; compute the features again, or leave it out of "
                "models.features"
            )


def _outcomes(
    market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, calendar: Sessions, params: ModelParams
) -> pl.DataFrame:
    """ticker, session and `return_<h>` for each horizon; rows where all are known."""
    bars = market_prices.filter(pl.col("interval") == "1d")
    horizons = params.horizons
    if params.outcomes == 2:
        known = forward_returns_of_named(bars, corporate_actions, horizons, calendar)
    else:
        delistings = corporate_actions.filter(pl.col("kind") == "delisting")
        known = forward_total_returns(daily_total_returns(bars, corporate_actions), horizons, calendar, delistings)
    joined = known.select("ticker", "session").unique(maintain_order=True)
    for horizon in horizons:
        at = known.filter(pl.col("horizon") == horizon)
        column = at.select("ticker", "session", pl.col("forward_return").alias(f"return_{horizon}"))
        joined = joined.join(column, on=["ticker", "session"], how="inner", maintain_order="left")
    return joined
