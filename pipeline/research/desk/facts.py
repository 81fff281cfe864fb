"""What a session's fills and decisions rest on beside the book: stored rows, measured as the stages measure them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.store import Lake
from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS, TICKER_PRIORITIES
from lake.tables.trading import ALPHAS, EXECUTED_TRADES, STRATEGIC_PRIORITIES, TRADE_PLANS
from pipeline.market.sessions import Sessions
from pipeline.research.desk import DeskSession
from pipeline.research.desk.many_sessions import Row, group_rows, key_rows
from pipeline.research.desk.paths import Paths
from pipeline.research.desk.stored_rows import StoredRows
from pipeline.research.desk.stretches import divide
from pipeline.trading.books.actions import Action
from pipeline.trading.books.money import to_micros
from pipeline.trading.books.quotes import Quotes
from pipeline.trading.currencies.session_rates import OWN
from pipeline.trading.execution.execute import doubt_opens
from pipeline.trading.execution.orders import Bar
from pipeline.trading.execution.volatility_and_volume import LOOKBACK, measure_before_open
from pipeline.trading.mandates.drawdown import LOOKBACK as BEST_WITHIN
from pipeline.trading.mandates.drawdown import find_level
from pipeline.trading.planning.generate_orders import PlanningInputs, gather_inputs, read_forecast
from pipeline.trading.planning.holds import LOOKBACK as WAITING_SESSIONS
from pipeline.trading.planning.holds import WAITING, Doubt, find_doubts, find_waiting
from pipeline.trading.planning.mandated_book import BASIS_CHANGES, find_events
from pipeline.trading.planning.plan import DECIDING, PREDICTION_COLUMNS
from pipeline.trading.planning.stops import FALLS, Bars, find_payouts

BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "high", "low", "close", "volume")
BENCHMARKS = (*PORTFOLIO_VALUE.key, "equal_weight", "benchmark")
OWN_CURRENCY = ""
"""That of the book need not be known: the desk answers where there is no other."""
Falls = Mapping[str, Sequence[Action]]
"""Actions by ticker."""
RANKED = ("session", "ticker", "selected")
NO_QUOTES = Quotes(MARKET_PRICES.empty(), ())
FORECAST_SESSIONS = 2
"""Sessions before whose forecasts a plan sees, as the stage reads them."""


@dataclass(frozen=True, kw_only=True)
class OpenFacts:
    """What fills of a session rest on."""

    actions: Sequence[Action]
    """That take effect since the session before, in their order."""
    known: Sequence[Action]
    """All up to now of the tickers that have one today."""
    quotes: Quotes
    """What their fractions are paid out at."""
    bars: Mapping[str, Bar]
    doubts: Mapping[str, str]
    """Ticker -> why nobody explains its open."""
    has_paths: bool
    """Whether there are bars within the session, by which stops and limits are filled."""


@dataclass(frozen=True, kw_only=True)
class CloseFacts:
    """What decisions at a session's close rest on."""

    inputs: PlanningInputs
    """Of all names; of the book nothing."""
    members: frozenset[str]
    ranked: frozenset[str]
    """The names that were to be forecast."""
    alphas: Mapping[str, Row]
    """Rows of the session, by ticker."""
    events: Mapping[str, tuple[int, str]]
    """Of each ticker the last action of late that makes the next opens uncertain: sessions since, and its kind."""
    falls: Falls
    """Of those the ones on whose ex-date a price falls, by ticker."""
    closes: Mapping[str, Bars]
    """Of the names that have such actions."""
    market: Row
    """The session's row of `strategic_priorities`."""
    closed_at: Mapping[str, int]
    """Millionths, of the names that have a bar."""
    restated: Mapping[tuple[str, date], int]
    """Ticker and session -> the close as it is known now, of those of late that were stated otherwise at first."""


class DeskFacts:
    """Reads a span of sessions once, and tells each of them what it could see."""

    def __init__(self, lake: Lake, calendar: Sessions, asked: Sequence[DeskSession]) -> None:
        first, last, params = asked[0].session, asked[-1].session, asked[0].params
        far, near = calendar.offset(first, -LOOKBACK - 1), calendar.offset(first, -WAITING_SESSIONS - 1)
        self.calendar = calendar
        self._bars = StoredRows.read(lake, MARKET_PRICES, far, last, pl.col("interval") == "1d", BAR_COLUMNS)
        self._actions = StoredRows.read(lake, CORPORATE_ACTIONS, None, last)
        self._waiting = StoredRows.read(lake, QUARANTINED_ROWS, near, last, WAITING.where, WAITING.columns)
        self._forecasts = StoredRows.read(lake, PREDICTIONS, near, last, DECIDING, PREDICTION_COLUMNS)
        self._universe = group_rows(StoredRows.read(lake, TICKER_UNIVERSE, near, last).rows, "session")
        self._alphas = key_rows(StoredRows.read(lake, ALPHAS, near, last).rows)
        self._instruments = StoredRows.read(
            lake, INSTRUMENTS, None, last, columns=(*INSTRUMENTS.key, "role", "currency")
        )
        year = calendar.offset(first, -BEST_WITHIN)
        self._levels = StoredRows.read(lake, PORTFOLIO_VALUE, year, last, columns=BENCHMARKS)
        ranked = StoredRows.read(lake, TICKER_PRIORITIES, near, last, pl.col("selected"), RANKED).rows
        self._ranked = {
            day: frozenset(row["ticker"] for row in rows) for day, rows in group_rows(ranked, "session").items()
        }
        self._market = group_rows(StoredRows.read(lake, STRATEGIC_PRIORITIES, near, last).rows, "session")
        self._chosen = group_rows(self._forecasts.rows.filter(pl.col("horizon") == params.horizon), "session")
        within = (*INTRADAY_PRICES.key, "session")
        self._paths_of = frozenset(StoredRows.read(lake, INTRADAY_PRICES, first, last, columns=within).rows["session"])
        known = self._actions.cut(None, last)
        self._stretches = {
            day: stretch for stretch in divide(self._bars, known, asked, calendar) for day in stretch.sessions
        }
        self._paths = Paths(known)
        self._opened: dict[date, OpenFacts] = {}
        self._closed: dict[date, CloseFacts] = {}

    def open(self, asked: DeskSession) -> OpenFacts:
        """Return what the fills of a session rest on; no setting that is tried changes it."""
        if asked.session not in self._opened:
            self._opened[asked.session] = self._open(asked)
        return self._opened[asked.session]

    def close(self, asked: DeskSession) -> CloseFacts:
        """Return what the decisions of a session rest on; no setting that is tried changes it."""
        if asked.session not in self._closed:
            self._closed[asked.session] = self._close(asked, self.open(asked).bars)
        return self._closed[asked.session]

    def list_levels(self, asked: DeskSession) -> list[float | None]:
        """Return the last values of the benchmark beside which drawdowns are measured, if there is one."""
        session, as_of, params = asked
        listed = self._instruments.cut(None, session, as_of)
        level = find_level(params.mandate, params.philosophy, listed, OWN_CURRENCY)
        since = self.calendar.offset(session, -BEST_WITHIN)
        return self._levels.cut(since, session)[level].to_list() if level else []

    def _open(self, asked: DeskSession) -> OpenFacts:
        session, _, params = asked
        today = self._paths.effective(self.calendar.previous(session), session)
        names = {one.ticker for one in today}
        stretch = self._stretches[session]
        doubtful = session in stretch.alone or session in stretch.many.opened_far
        return OpenFacts(
            actions=today,
            known=self._paths.known(names, session),
            quotes=Quotes(self._recent(asked)[0], names) if names else NO_QUOTES,
            bars=self._make_bars(asked),
            doubts=doubt_opens(*self._recent(asked), session, self.calendar, params) if doubtful else {},
            has_paths=session in self._paths_of,
        )

    def _make_bars(self, asked: DeskSession) -> dict[str, Bar]:
        session = asked.session
        stretch = self._stretches[session]
        today: Sequence[Row] = stretch.today.get(session, [])
        if session in stretch.alone:
            names = [row["ticker"] for row in today]
            alone = measure_before_open(*self._recent(asked), names, session, self.calendar, asked.params)
            before: Mapping[str, Row] = {row["ticker"]: row for row in alone.iter_rows(named=True)}
        else:
            before = stretch.many.at_open.get(session, {})
        return {row["ticker"]: _make_bar(row, before.get(row["ticker"], {})) for row in today}

    def _close(self, asked: DeskSession, bars: Mapping[str, Bar]) -> CloseFacts:
        session, params = asked.session, asked.params
        since = self.calendar.offset(session, -LOOKBACK)
        falls = self._paths.falls(since, session, FALLS if params.stops == 2 else ("split",))
        closes = {ticker: self._stretches[session].closes(ticker, since, session) for ticker in falls}
        inputs = self._gather(asked, falls, closes)
        basis = self._paths.falls(since, session, BASIS_CHANGES)
        return CloseFacts(
            inputs=inputs,
            members=frozenset(ticker for ticker, (member, _, _) in inputs.universe.items() if member),
            ranked=self._ranked.get(session, frozenset()),
            alphas=self._alphas.get(session, {}),
            events=find_events(self._actions.cut(since, session), session, self.calendar) if basis else {},
            falls=falls,
            closes=closes,
            market=self._market[session][0],
            closed_at={ticker: bar.close for ticker, bar in bars.items()},
            restated=self._bars.find_restated(since, asked.as_of),
        )

    def _gather(self, asked: DeskSession, falls: Falls, closes: Mapping[str, Bars]) -> PlanningInputs:
        """What plans know of all names; nothing is held."""
        session, params, calendar = asked.session, asked.params, self.calendar
        stretch, doubts = self._stretches[session], self._find_doubts(asked)
        if session in stretch.alone:
            return self._gather_alone(asked, doubts)
        ended = {ticker for ticker, day in stretch.ended.items() if day < session}
        chosen = {ticker: row for ticker, row in self._choose(session).items() if ticker not in ended}
        conditions = stretch.many.at_close.get(session, {})
        return PlanningInputs(
            session=session,
            conditions={ticker: row for ticker, row in conditions.items() if ticker not in ended},
            forecasts={ticker: read_forecast(row, session, calendar) for ticker, row in chosen.items()},
            reference={ticker: row["reference_close"] for ticker, row in chosen.items()},
            holdings={},
            universe={row["ticker"]: (row["member"], row["reason"], row["sector"]) for row in self._universe[session]},
            stops={},
            sales={},
            payouts=find_payouts(falls, closes) if params.stops == 2 else {},
            doubts=doubts,
            calendar=calendar,
        )

    def _gather_alone(self, asked: DeskSession, doubts: Mapping[str, Doubt]) -> PlanningInputs:
        """The same from frames cut as the stage reads them."""
        session, calendar = asked.session, self.calendar
        forecasts = self._forecasts.cut(calendar.offset(session, -FORECAST_SESSIONS), session)
        bars, actions = self._recent(asked)
        nothing = (PORTFOLIO_HOLDINGS.empty(), bars, actions, TRADE_PLANS.empty(), EXECUTED_TRADES.empty())
        everyone = bars["ticker"].unique().to_list()
        universe = pl.DataFrame(self._universe[session], schema=TICKER_UNIVERSE.schema)
        return gather_inputs(forecasts, *nothing, universe, doubts, session, calendar, asked.params, further=everyone)

    def _choose(self, session: date) -> dict[str, Row]:
        """The forecasts that are decided by, as `choose_forecasts` picks them."""
        found: dict[str, Row] = {}
        since = self.calendar.offset(session, -FORECAST_SESSIONS)
        for day in reversed(self.calendar.between(since, session)):
            for row in sorted(self._chosen.get(day, []), key=_by_role):
                found.setdefault(row["ticker"], row)
        return found

    def _find_doubts(self, asked: DeskSession) -> dict[str, Doubt]:
        session, as_of, params = asked
        calendar = self.calendar
        since = calendar.offset(session, -WAITING_SESSIONS)
        lately = calendar.between(calendar.offset(session, -2 * params.rules.hold_sessions), session)
        stretch = self._stretches[session]
        moved = session in stretch.alone or not stretch.many.moved.isdisjoint(lately)
        waits = self._waiting.has(since, session)
        if not moved and not waits:
            return {}
        bars, actions = self._recent(asked)
        found = find_doubts(bars, actions, session, calendar, params) if moved else {}
        return found | find_waiting(self._waiting.cut(since, session, as_of), bars, session, calendar, params)

    def _recent(self, asked: DeskSession) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Bars and actions of the last sessions, as plans and fills read them."""
        since = self.calendar.offset(asked.session, -LOOKBACK)
        return self._stretches[asked.session].recent(asked.session), self._actions.cut(since, asked.session)


def _by_role(row: Row) -> tuple[str, str]:
    return row["role"], row["model_id"]


def _make_bar(row: Row, before: Row) -> Bar:
    opened, low, high, close = (to_micros(row[name]) for name in ("open", "low", "high", "close"))
    usual, sigma = before.get("median_volume"), before.get("volatility")
    return Bar(opened, row["volume"], usual, sigma, "", OWN, low, high, close)
