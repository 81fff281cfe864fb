"""The market of a simulation read from the lake's tables, and its fills and ledger rows as theirs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.contract import CENTS
from lake.tables.books import LEDGER_ENTRIES
from pipeline.market.sessions import Sessions
from pipeline.trading.books.actions import select_actions
from pipeline.trading.books.book import build_entries
from pipeline.trading.books.money import to_micros
from pipeline.trading.execution.arithmetic import Block
from pipeline.trading.execution.costs import split_slippage
from pipeline.trading.params import Costs
from pipeline.trading.simulation.entries import LEGS, OF_FILL, EntryRows, FillRows, Recorder
from pipeline.trading.simulation.market import BARS, Market, name_order

MILLION = 1_000_000
NEAR_A_TIE, LARGE = 0.49, 1e7
"""A price in currency below `LARGE` times a million is off by less than 0.01 in doubles, so that only near a tie, half
a millionth, its decimal digits have to be asked."""


def read_market(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    conditions: pl.DataFrame,
    sessions: Sequence[date],
    calendar: Sessions,
    unknown_volatility: float,
) -> Market:
    """Return sessions and names as arrays.

    Args:
        market_prices: daily bars of names in the book's currency, some from before the first session.
        corporate_actions: last revisions, write-offs among them; at least `ACTION_COLUMNS`.
        conditions: session, ticker, median_volume and volatility as known before each session.
        sessions: in a row.
        calendar: the sessions there are.
        unknown_volatility: fraction per session, where none is known.
    """
    bars = market_prices.filter(pl.col("interval") == "1d")
    actions = select_actions(corporate_actions, None, sessions[-1])
    named = {name for a in actions for name in (a.ticker, a.successor) if name}
    tickers = tuple(sorted(named.union(bars["ticker"]), key=name_order))
    usual, sigma = conditions["median_volume"].fill_null(0.0), conditions["volatility"].fill_null(np.nan).to_numpy()
    known = np.where(np.isfinite(sigma), sigma, unknown_volatility)
    opens, closes = (spread(bars, count_micros(bars[name]), sessions, tickers) for name in ("open", "close"))
    return Market(
        calendar=calendar,
        sessions=tuple(sessions),
        tickers=tickers,
        opens=opens,
        closes=closes,
        volumes=spread(bars, bars["volume"].cast(pl.Float64).to_numpy(), sessions, tickers),
        usual_volumes=spread(conditions, usual.to_numpy(), sessions, tickers),
        volatilities=spread(conditions, known, sessions, tickers, unknown_volatility),
        actions=tuple(actions),
        bars=bars.select(list(BARS)),
    )


def spread(
    frame: pl.DataFrame, values: Block, sessions: Sequence[date], tickers: Sequence[str], missing: float = 0.0
) -> Block:
    """Return [sessions, tickers] of the values of a frame's rows, which have session and ticker.

    Rows of other sessions or tickers are left out; `missing` stands where there is no row.
    """
    rows = {session: number for number, session in enumerate(sessions)}
    columns = {ticker: number for number, ticker in enumerate(tickers)}
    found = frame.select(
        row=pl.col("session").replace_strict(rows, default=-1, return_dtype=pl.Int64),
        column=pl.col("ticker").replace_strict(columns, default=-1, return_dtype=pl.Int64),
    )
    row, column = found["row"].to_numpy(), found["column"].to_numpy()
    block, wanted = np.full((len(sessions), len(tickers)), missing), (row >= 0) & (column >= 0)
    block[row[wanted], column[wanted]] = values[wanted]
    return block


def count_micros(prices: pl.Series) -> Block:
    """Return prices in whole millionths, each as `to_micros` has it.

    Args:
        prices: currency per share, floats.
    """
    plain = prices.to_numpy()
    scaled = plain * MILLION
    micros: Block = np.rint(scaled)
    doubtful = (np.abs(scaled - micros) > NEAR_A_TIE) | (plain >= LARGE)
    micros[doubtful] = [to_micros(price) for price in plain[doubtful].tolist()]
    return micros


def build_ledger(market: Market, recorder: Recorder) -> pl.DataFrame:
    """Return the rows of a simulation as rows of ledger_entries, each as the stage writes it."""
    entries = recorder.entries
    of_event = entries.source < 0
    fill_sessions = recorder.fills.session[np.maximum(entries.source, 0)] if len(recorder.fills.session) else 0
    event_sessions = np.array([row for row, _ in recorder.events])[np.where(of_event, -1 - entries.source, 0)]
    sessions = np.where(of_event, event_sessions, fill_sessions)
    first = np.searchsorted(sessions, sessions)
    place = pl.Series("sequence", np.arange(len(sessions)) - first, dtype=LEDGER_ENTRIES.schema["sequence"])
    events = build_entries([event for _, event in recorder.events], market.sessions[0])
    both = pl.concat([_place(events, of_event), _place(_build_fill_rows(market, recorder), ~of_event)])
    whole = both.sort("place").drop("place")
    days = pl.Series("session", market.sessions, dtype=pl.Date).gather(sessions)
    return whole.with_columns(place, days).select(list(LEDGER_ENTRIES.schema))


def _place(rows: pl.DataFrame, mine: npt.NDArray[np.bool_]) -> pl.DataFrame:
    return rows.with_columns(place=pl.Series(np.flatnonzero(mine)))


def _build_fill_rows(market: Market, recorder: Recorder) -> pl.DataFrame:
    """The legs of fills; their session and sequence are still to be put in."""
    fills, of_fill = list_fills(market, recorder), recorder.entries.source >= 0
    entries = EntryRows(*(column[of_fill] for column in recorder.entries))
    kinds, accounts = (pl.Series(names, dtype=pl.String) for names in zip(*LEGS, strict=True))
    trades = fills.select("trade_id", "session", "ticker")[entries.source]
    fee = entries.leg % OF_FILL >= OF_FILL - 2
    event = np.stack([entries.source, fee])
    starts = np.flatnonzero(np.append(True, (event[:, 1:] != event[:, :-1]).any(axis=0)))
    number = np.arange(len(fee)) - np.repeat(starts, np.diff(np.append(starts, len(fee))))
    opens = pl.Series([market.calendar.open_at(day) for day in market.sessions], dtype=LEDGER_ENTRIES.schema["ts"])
    rows = trades.with_columns(
        event_id=pl.when(pl.Series(fee)).then(pl.format("{}:commission", "trade_id")).otherwise("trade_id"),
        kind=kinds.gather(entries.leg),
        account=accounts.gather(entries.leg),
        amount=money_of(entries.amount),
        shares=pl.Series(entries.shares),
        ts=opens.gather(fills["row"].gather(entries.source)),
        sequence=pl.lit(0),
        effective=pl.col("session"),
        reference=pl.col("trade_id"),
    ).with_columns(entry_id=pl.format("{}#{}", "event_id", pl.Series(number)))
    missing = [
        pl.lit(None, kind).alias(name) for name, kind in LEDGER_ENTRIES.schema.items() if name not in rows.columns
    ]
    named = rows.with_columns(missing).select(list(LEDGER_ENTRIES.schema))
    return named.cast(LEDGER_ENTRIES.schema)


def list_fills(market: Market, recorder: Recorder, costs: Costs | None = None) -> pl.DataFrame:
    """Return the fills of a simulation: trade_id, session, row, ticker, side, shares, fill_price, gross and commission.

    Args:
        market: sessions and names.
        recorder: what was recorded.
        costs: the schedule, if spread_cost and impact_cost are wanted beside them.
    """
    fills = recorder.fills
    frame = _tell_fills(market, fills).with_columns(trade_id=pl.format("{}:{}:{}", "session", "ticker", "side"))
    if costs is None:
        return frame
    opens = market.opens[fills.session, fills.name]
    apart = split_slippage(np.abs(fills.shares).astype(np.float64), opens, fills.gross.astype(np.float64), costs)
    spread_cost, impact_cost = (money_of(part.astype(np.int64)) for part in apart)
    return frame.with_columns(spread_cost=spread_cost, impact_cost=impact_cost)


def _tell_fills(market: Market, fills: FillRows) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "session": pl.Series(market.sessions, dtype=pl.Date).gather(fills.session),
            "row": pl.Series(fills.session),
            "ticker": pl.Series(market.tickers, dtype=pl.String).gather(fills.name),
            "side": pl.Series(["buy", "sell"]).gather((fills.shares < 0).astype(np.int8)),
            "shares": np.abs(fills.shares),
            "fill_price": pl.Series(fills.price).cast(pl.Decimal(38, 6)) / MILLION,
            "gross": money_of(fills.gross),
            "commission": money_of(fills.commission),
        }
    )


def money_of(cents: npt.NDArray[np.int64]) -> pl.Series:
    """Return cents as the contracts' money column."""
    return (pl.Series(cents).cast(pl.Decimal(38, 2)) / 100).cast(CENTS)
