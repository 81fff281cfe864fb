"""Stage `features`: compute every feature of every listed ticker that traded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.tables.features import FEATURE_ROWS
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.news import NEWS_SENTIMENT
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.as_of import Epoch, Facts, epochs, name_epoch
from pipeline.features.carried.carried_values import CarriedValues
from pipeline.features.engine.expressions import Expression
from pipeline.features.evaluate import evaluate
from pipeline.features.facts.reach import span_bars, span_members, span_news, uses_bars
from pipeline.features.feature import Feature
from pipeline.features.feature_set import FeatureSet, feature_set
from pipeline.features.panel import DEPTH, MARGIN, Panel, build_panel
from pipeline.features.params import FeatureParams
from pipeline.features.tensors import Tensor
from pipeline.features.trailing_window import View
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions
from pipeline.market.unscheduled_closures import calendar_known_at

BAR_COLUMNS = (
    *MARKET_PRICES.key, "session", "open", "high", "low", "close", "volume", "volume_rounding", "available_at",
)  # fmt: skip
ACTION_COLUMNS = (
    *CORPORATE_ACTIONS.key, "numerator", "denominator", "amount", "successor", "available_at", "withdrawn",
)  # fmt: skip
SHORT_COLUMNS = (
    *INTRADAY_PRICES.key, "session", "open", "high", "low", "close", "volume", "available_at",
)  # fmt: skip


def features(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    news_sentiment: pl.DataFrame,
    intraday_prices: pl.DataFrame,
    feature_rows: pl.DataFrame,
    moment: Moment,
    params: FeatureParams,
) -> pl.DataFrame:
    """One row per listed stock that has a bar, for each session of the range.

    A row is computed from the sessions up to its own and from what was public by then, whatever else the frames
    hold; computing a range at once or session by session gives the same bits. A ticker's history is that of the
    company that has it at the session, under whatever ticker it traded before.

    Features that the run takes over from another set keep the values that its rows have.
    """
    chosen = feature_set(moment.extensions)
    carried = CarriedValues(feature_rows, moment.extensions, chosen)
    facts = Facts(market_prices, corporate_actions, news_sentiment)
    blocks: list[_Block] = []
    for layout in lay_out(facts, ticker_universe, instruments, moment, params):
        run = _Computation(layout, _KnownBars(intraday_prices, moment, layout.companies), params)
        kept = [one for one in layout.epoch.sessions if carried.covers(one, run.list_tickers(one))]
        anew = [one for one in layout.epoch.sessions if one not in set(kept)]
        blocks += run.compute(chosen.features, anew)
        blocks += [
            one._replace(values=carried.complete(one.session, one.values)) for one in run.compute(carried.fresh, kept)
        ]
    return _frame(sorted(blocks, key=lambda one: one.session), chosen)


class EpochPanel(NamedTuple):
    """The facts of sessions that share one state of knowledge, by company."""

    epoch: Epoch
    panel: Panel
    companies: Securities


def lay_out(
    facts: Facts, ticker_universe: pl.DataFrame, instruments: pl.DataFrame, moment: Moment, params: FeatureParams
) -> Iterator[EpochPanel]:
    """Lay out what the sessions to compute could know, one state of knowledge after the other."""
    chosen = replace(facts, corporate_actions=_choose_actions(facts.corporate_actions, moment, params))
    for epoch in epochs(chosen, moment):
        yield lay_out_epoch(epoch, ticker_universe, instruments, moment.calendar, params)


def lay_out_epoch(
    epoch: Epoch, ticker_universe: pl.DataFrame, instruments: pl.DataFrame, calendar: Sessions, params: FeatureParams
) -> EpochPanel:
    """Lay out one state of knowledge: companies in the place of tickers, without the benchmarks."""
    benchmarks = instruments.filter(pl.col("role") == "benchmark").select("ticker")
    listed = ticker_universe.join(benchmarks, on="ticker", how="anti", maintain_order="left")
    companies = _trace_companies(epoch, params)
    named = name_epoch(epoch, companies)
    panel = build_panel(named, companies.name_companies(listed, "session"), calendar, params)
    return EpochPanel(named, panel, companies)


class _Parts(NamedTuple):
    """Features by how they are computed, and where each of both together stands among all."""

    viewed: list[Feature]
    expressed: list[Expression]
    order: list[int]


def _part(features: Sequence[Feature]) -> _Parts:
    kernels = [feature.kernel for feature in features]
    viewed = [feature for feature in features if not isinstance(feature.kernel, Expression)]
    expressed = [kernel for kernel in kernels if isinstance(kernel, Expression)]
    places = sorted(range(len(kernels)), key=lambda place: isinstance(kernels[place], Expression))
    return _Parts(viewed, expressed, np.argsort(places).tolist())


class _KnownBars(NamedTuple):
    """Bars within sessions, and what decides which of them were known when, and whose they are."""

    intraday_prices: pl.DataFrame
    moment: Moment
    companies: Securities


@dataclass(frozen=True)
class _Computation:
    """What is computed from one state of knowledge."""

    layout: EpochPanel
    bars: _KnownBars
    params: FeatureParams

    def list_tickers(self, session: date) -> list[str]:
        """Those that get a row, sorted."""
        panel = self.layout.panel
        row = panel.row(session, self.bars.moment.calendar)
        return sorted(self.layout.companies.list_tickers(panel.tickers_at(panel.bar[row] & panel.listed[row]), session))

    def compute(self, features: Sequence[Feature], sessions: Sequence[date]) -> Iterator[_Block]:
        """Yield the values of some sessions, the columns in the order of the features."""
        if not sessions:
            return
        viewed, expressed, order = _part(features)
        panel, moment = self.layout.panel, self.bars.moment
        first = panel.row(sessions[0], moment.calendar)
        values = self._compute_expressions(expressed, first)
        for session in sessions:
            view = View(panel, session, _calendar_at(session, moment, self.params), self.params)
            tickers = self.layout.companies.list_tickers(panel.tickers_at(view.has_row), session)
            seen = evaluate(view, viewed) if viewed else np.empty((len(tickers), 0), dtype=np.float32)
            number = panel.row(session, moment.calendar) - first
            both = np.hstack([seen, values[:, number, view.has_row].T])
            yield _Block(session, tickers, both[:, order]).in_order()

    def _compute_expressions(self, expressions: Sequence[Expression], first: int) -> Tensor:
        """[expressions, rows of the panel from the first on, tickers of the panel]."""
        panel = self.layout.panel
        if not expressions:
            return np.empty((0, len(panel.bar) - first, len(panel.tickers)), dtype=np.float32)
        from pipeline.features.engine.price_basis import compute_in_basis  # compiles what it runs
        from pipeline.features.facts.lay_out import choose_bars, lay_out_facts

        calendar = self.bars.moment.calendar
        facts = lay_out_facts(expressions, self.layout.epoch, panel, calendar, choose_bars(*self.bars))
        return compute_in_basis(expressions, facts, first).astype(np.float32, copy=False)


def _choose_actions(corporate_actions: pl.DataFrame, moment: Moment, params: FeatureParams) -> pl.DataFrame:
    """What bears on the bars in reach, and of all history what says whose a ticker was."""
    recent = pl.col("ex_date") >= moment.calendar.offset(moment.since, -(DEPTH + MARGIN))
    told = pl.col("kind").is_in(["rename", "delisting"]) & pl.lit(params.securities == 2)
    return corporate_actions.filter(recent | told)


def _trace_companies(epoch: Epoch, params: FeatureParams) -> Securities:
    """Who had which ticker as known in the epoch; by an earlier program's lights every ticker is one company."""
    actions = epoch.facts.corporate_actions
    return Securities.trace(actions.clear() if params.securities == 1 else actions, epoch.facts.market_prices)


def _calendar_at(session: date, moment: Moment, params: FeatureParams) -> Sessions:
    return calendar_known_at(moment.calendar, session) if params.calendar == 2 else moment.calendar


class _Block(NamedTuple):
    """The rows of one session."""

    session: date
    tickers: list[str]
    values: npt.NDArray[np.float32]

    def in_order(self) -> _Block:
        """The rows by ticker: columns of the panel are by company."""
        order = sorted(range(len(self.tickers)), key=self.tickers.__getitem__)
        if order == list(range(len(order))):
            return self
        return _Block(self.session, [self.tickers[at] for at in order], self.values[order])


def _frame(blocks: list[_Block], chosen: FeatureSet) -> pl.DataFrame:
    values = np.concatenate([block.values for block in blocks])
    sessions = pl.Series([block.session for block in blocks], dtype=pl.Date)
    counts = [len(block.tickers) for block in blocks]
    columns = np.ascontiguousarray(values.T)
    return pl.DataFrame(
        [
            pl.repeat(chosen.name, len(values), dtype=pl.String, eager=True).alias("feature_set"),
            sessions.gather(np.repeat(np.arange(len(blocks)), counts)).alias("session"),
            pl.Series("ticker", [ticker for block in blocks for ticker in block.tickers], dtype=pl.String),
            pl.Series("complete", ~np.isnan(values[:, : chosen.own]).any(axis=1), dtype=pl.Boolean),
            *(pl.Series(name, column, nan_to_null=True) for name, column in zip(chosen.names, columns, strict=True)),
        ]
    )


STAGE = Stage(
    name="features",
    function=features,
    reads=(
        Read(
            MARKET_PRICES,
            lookback=DEPTH + MARGIN,
            every_revision=True,
            where=pl.col("interval") == "1d",
            columns=BAR_COLUMNS,
        ),
        Read(CORPORATE_ACTIONS, lookback=None, every_revision=True, columns=ACTION_COLUMNS),
        Read(TICKER_UNIVERSE, lookback=60, columns=(*TICKER_UNIVERSE.key, "member", "sector"), further=span_members),
        Read(INSTRUMENTS, lookback=None),
        Read(NEWS_SENTIMENT, lookback=31, further=span_news),
        Read(
            INTRADAY_PRICES,
            upto="held",
            every_revision=True,
            columns=SHORT_COLUMNS,
            further=span_bars,
            wanted=uses_bars,
        ),
        Read(FEATURE_ROWS, upto="held", wanted=lambda extensions: bool(extensions.carried)),
    ),
    writes=FEATURE_ROWS,
    params=FeatureParams(),
    section="features",
    uses=("features",),
    catches_up=True,
    splits_by="sessions",
)
