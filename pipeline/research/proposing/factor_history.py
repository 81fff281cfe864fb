"""What factors are tried on: a lake's facts as they were known at each session, and what came after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from pipeline.config.settings import Settings
from pipeline.engine.executor import Executor
from pipeline.features.as_of import Facts
from pipeline.features.as_of import epochs as list_epochs
from pipeline.features.engine.expressions import Expression
from pipeline.features.engine.price_basis import TradedPrices, compute_in_basis
from pipeline.features.facts.lay_out import lay_out_facts
from pipeline.features.features import STAGE, EpochPanel, lay_out, lay_out_epoch
from pipeline.features.panel import Floats, Panel
from pipeline.market.sessions import Sessions
from pipeline.research import ResearchError
from pipeline.research.proposing.grammar import WORDS
from pipeline.research.proposing.rank_scores import ForwardReturns

MIN_HISTORY = 250
"""Sessions with outcomes, below which nothing is proposed."""


@dataclass(frozen=True)
class FactorPart:
    """Sessions that share one state of knowledge."""

    facts: TradedPrices
    first: int
    """The row of the first of them in the facts."""
    rows: slice
    """Where they stand in the history."""
    columns: npt.NDArray[np.intp]
    """Where each of the facts' tickers stands in the history."""


@dataclass(frozen=True)
class FactorHistory:
    """Sessions and names on which factors are tried."""

    sessions: tuple[date, ...]
    names: tuple[str, ...]
    outcomes: ForwardReturns
    parts: tuple[FactorPart, ...]

    def compute(self, expressions: Sequence[Expression]) -> Floats:
        """Return the values of expressions: [E, S, N] float32, each session's as it could know them, NaN else."""
        found = np.full((len(expressions), len(self.sessions), len(self.names)), np.nan, dtype=np.float32)
        for part in self.parts:
            values = compute_in_basis(expressions, part.facts, part.first)
            count = part.rows.stop - part.rows.start
            found[:, part.rows, part.columns] = values[:, :count]
        return found  # type: ignore[return-value]


def read_history(lake: Lake, settings: Settings, horizon: int, last: date | None = None) -> FactorHistory:
    """Lay out what a lake knew, session by session, up to a day.

    Args:
        lake: what is published of it.
        settings: its own.
        horizon: sessions over which outcomes are counted.
        last: the last day whose prices are used; all there are where None.

    Raises:
        ResearchError: if there is too little history.
    """
    executor = Executor(lake, settings)
    days = _find_days(lake, executor.calendar, horizon, last)
    frames, moment = executor.read_now(STAGE, days[0], days[-1])
    facts = Facts(*(frames[name] for name in ("market_prices", "corporate_actions", "news_sentiment")))
    params = settings.features
    calendar = executor.calendar
    epochs = list(lay_out(facts, frames["ticker_universe"], frames["instruments"], moment, params))
    expressions = [word(20) for word in WORDS.values()]
    names = tuple(sorted({name for one in epochs for name in one.panel.tickers}))
    place, columns = {day: at for at, day in enumerate(days)}, {name: at for at, name in enumerate(names)}
    parts = []
    for one in epochs:
        rows = slice(place[one.epoch.sessions[0]], place[one.epoch.sessions[-1]] + 1)
        laid = lay_out_facts(expressions, one.epoch, one.panel, calendar, frames["intraday_prices"])
        first = one.panel.row(one.epoch.sessions[0], calendar)
        where = np.array([columns[name] for name in one.panel.tickers])
        parts.append(FactorPart(laid, first, rows, where))
    *_, known_at_last = list_epochs(facts, moment)
    whole = lay_out_epoch(
        replace(known_at_last, sessions=days), frames["ticker_universe"], frames["instruments"], calendar, params
    )
    outcomes = _look_ahead(epochs, whole.panel, days, columns, _Timed(calendar, horizon))
    return FactorHistory(tuple(days), names, outcomes, tuple(parts))


def _find_days(lake: Lake, calendar: Sessions, horizon: int, last: date | None) -> list[date]:
    span = lake.clock_span(MARKET_PRICES, until=last or date.max)
    days = calendar.between(*span) if span else []
    if len(days) < MIN_HISTORY + horizon:
        raise ResearchError(
            f"there are {len(days)} sessions of prices{f' up to {last}' if last else ''}, and to try factors takes"
            f" {MIN_HISTORY + horizon}; load more history"
        )
    return days


def look_ahead(growth: Floats, member: npt.NDArray[np.bool_], horizon: int) -> ForwardReturns:
    """Return the outcomes of log growth factors.

    Args:
        growth: [S, N] log return from the session before to each session; NaN where there is none.
        member: [S, N]
        horizon: sessions.
    """
    sums = np.full(growth.shape, np.nan)
    if len(growth) > horizon:
        windows = np.lib.stride_tricks.sliding_window_view(growth[1:], horizon, axis=0)
        sums[: len(windows)] = windows.sum(axis=-1)
    counted = np.where(member & np.isfinite(sums), sums, np.nan)
    with np.errstate(invalid="ignore"):
        known = np.isfinite(counted).sum(axis=1)
        level = np.nansum(counted, axis=1) / np.maximum(known, 1)
    return ForwardReturns(horizon=horizon, returns=sums - level[:, None], member=member)


def _look_ahead(
    epochs: Sequence[EpochPanel], whole: Panel, days: Sequence[date], columns: Mapping[str, int], executor: _Timed
) -> ForwardReturns:
    """ForwardReturns by what is known at the end; membership as each session knew it."""
    member, growth = (np.full((len(days), len(columns)), fill) for fill in (False, np.nan))
    place = {day: at for at, day in enumerate(days)}
    for one in epochs:
        where = [columns[name] for name in one.panel.tickers]
        for day in one.epoch.sessions:
            member[place[day], where] = one.panel.member[one.panel.row(day, executor.calendar)]
    first = whole.row(days[0], executor.calendar)
    growth[:, [columns[name] for name in whole.tickers]] = whole.log_growth[first : first + len(days)]
    return look_ahead(growth, member, executor.horizon)


class _Timed(NamedTuple):
    calendar: Sessions
    horizon: int
