"""Writes off held names whose bars stopped without a word, and takes that back when something is heard of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

import polars as pl

from lake.tables.books import PORTFOLIO_HOLDINGS, POSITION_ENDS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.trading.books.actions import ACTION_COLUMNS, select_actions
from pipeline.trading.books.marks import Carried, Closes, drop_bars_of_others, read_carried, sessions_of_carried_closes
from pipeline.trading.books.money import half_even
from pipeline.trading.books.quotes import Span
from pipeline.trading.params import TradingParams

LOOKBACK = 10
"""Sessions of bars that are read: what trades again is seen in the first of them that a cycle runs in."""
MILLION = 1_000_000


def position_ends(
    portfolio_holdings: pl.DataFrame,
    position_ends: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return what is written off at `moment.session`, and what was and is heard of again (that session alone).

    A held name without a bar for `write_off_after` sessions is written off before the open, at a share of its last
    close; a short one is not, as nobody forgives what is owed. A bar of the same company, or an action that says what
    became of it, takes the write-off back, and a split or a close that is learned later restates its amount: the books
    then follow what is known.
    """
    if params.settlement == 1:
        return POSITION_ENDS.empty()
    held = portfolio_holdings.filter(pl.col("session") < moment.session, pl.col("shares") > 0)
    last = _last_said(position_ends)
    rows = [*_take_back(last, corporate_actions, market_prices, moment, params)]
    taken_back = {(row["ticker"], row["last_session"]) for row in rows}
    standing = [row for row in _standing(last) if (row["ticker"], row["last_session"]) not in taken_back]
    rows += _restate(standing, corporate_actions, market_prices, moment)
    if params.write_off_after:
        rows += _write_off(held, last, corporate_actions, market_prices, moment, params)
    stated = {"session": moment.session, "available_at": moment.calendar.close_at(moment.session)}
    return pl.DataFrame([row | stated for row in rows], schema=POSITION_ENDS.schema).sort(POSITION_ENDS.key)


def _last_said(position_ends: pl.DataFrame) -> pl.DataFrame:
    return position_ends.sort("revision").unique(["ticker", "last_session"], keep="last", maintain_order=True)


def _standing(last: pl.DataFrame) -> Iterator[dict[str, Any]]:
    return last.filter(~pl.col("withdrawn")).iter_rows(named=True)


def _take_back(
    last: pl.DataFrame, actions: pl.DataFrame, market_prices: pl.DataFrame, moment: Moment, params: TradingParams
) -> Iterator[dict[str, Any]]:
    for end in _standing(last):
        mine, since = pl.col("ticker") == end["ticker"], end["last_session"]
        traded = market_prices.filter(mine, pl.col("session") > since)["session"].min()
        ended = pl.col("kind").is_in(["delisting", "rename"]) & (pl.col("ex_date") > since)
        told = actions.filter(mine, ended, pl.col("ex_date") <= moment.session).sort("ex_date")
        if isinstance(traded, date) and moment.calendar.distance(since, traded) <= params.max_gap:
            yield end | {"revision": end["revision"] + 1, "withdrawn": True, "reason": f"it traded again on {traded}"}
        elif told.height:
            reason = f"a {told['kind'][0]} with ex-date {told['ex_date'][0]} says what became of it"
            yield end | {"revision": end["revision"] + 1, "withdrawn": True, "reason": reason}


def _restate(
    standing: list[dict[str, Any]], actions: pl.DataFrame, market_prices: pl.DataFrame, moment: Moment
) -> Iterator[dict[str, Any]]:
    """Say again what is worth something else by now: the shares at the end are those after every split up to it."""
    if not (stated := [end for end in standing if end["fraction"] is not None]):
        return
    closes = Closes(market_prices, select_actions(actions, None, moment.session), [end["ticker"] for end in stated])
    for end in stated:
        close = _value_at_end(end, closes, moment)
        if close is not None and (amount := _share_of(close, end["fraction"])) != end["amount"]:
            what, on = f"its close of {end['last_session']}", f"the shares of {end['ended_on']}"
            reason = f"{what} is {close / MILLION:.6g} on {on} by what is known now"
            yield end | {"revision": end["revision"] + 1, "amount": amount, "reason": reason}


def _value_at_end(end: Mapping[str, Any], closes: Closes, moment: Moment) -> int | None:
    """What a share was worth on the shares of its end, as known now, in millionths; None where nothing can say it."""
    ticker, since, ended_on = end["ticker"], end["last_session"], end["ended_on"]
    eve = moment.calendar.previous(ended_on)
    if end["carried"] is not None:
        return round(Fraction(end["carried"]) * MILLION / closes.count_splits_to_open(ticker, since, eve, ended_on))
    mark = closes.mark_at_open(ticker, eve, ended_on)
    return mark[1] if mark and mark[0] == since else None


def _share_of(close: int, fraction: float) -> float:
    """What a share is written off at, of a close in millionths."""
    return half_even(close * round(fraction * MILLION), MILLION) / MILLION


def _write_off(
    held: pl.DataFrame,
    last: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> Iterator[dict[str, Any]]:
    session, previous = moment.session, moment.calendar.previous(moment.session)
    if all(moment.calendar.distance(day, previous) < params.write_off_after for day in held["close_session"].unique()):
        return
    bars = drop_bars_of_others(market_prices, held, moment.calendar, params.max_gap)
    traded = set(bars.filter(pl.col("session") == session)["ticker"].to_list())
    revisions = {(row["ticker"], row["last_session"]): row["revision"] for row in last.iter_rows(named=True)}
    told = corporate_actions.filter(pl.col("kind").is_in(["delisting", "rename"]), pl.col("ex_date") <= session)
    closes = Closes(bars, select_actions(corporate_actions, None, session), held["ticker"])
    carried = read_carried(held)
    for ticker, since in held.sort("ticker").select("ticker", "close_session").iter_rows():
        ended = not told.filter(pl.col("ticker") == ticker, pl.col("ex_date") > since).is_empty()
        silent = moment.calendar.distance(since, previous)
        if ended or ticker in traded or silent < params.write_off_after:
            continue
        mark = closes.mark_at_open(ticker, previous, session) or closes.mark_anew(ticker, since, session)
        end = {
            "ticker": ticker,
            "last_session": since,
            "revision": revisions.get((ticker, since), -1) + 1,
            "ended_on": session,
            "fraction": params.write_off_value,
            "withdrawn": False,
            "reason": f"no bar for {silent} sessions since {since}, and no word of what became of it",
            "carried": None if mark else _undo_splits(carried[ticker], ticker, since, closes),
        }
        close = mark[1] if mark else _value_at_end(end, closes, moment) or 0
        yield end | {"amount": _share_of(close, params.write_off_value)}


def _undo_splits(carried: Carried, ticker: str, since: date, closes: Closes) -> float:
    """What a share was held at last for want of a bar, on the shares of the session that it is held at that since."""
    return float(carried.close * closes.count_splits(ticker, since, carried.basis) / MILLION)


def sessions_of_last_closes(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[Span]:
    """Return the sessions of the closes that held names carry, and at which names stand written off."""
    standing = _last_said(frames["position_ends"]).filter(~pl.col("withdrawn"), pl.col("fraction").is_not_null())
    ended = standing["last_session"].unique().sort()
    return [*sessions_of_carried_closes(frames, moment), *((day, day) for day in ended)]


STAGE = Stage(
    name="position_ends",
    function=position_ends,
    reads=(
        Read(PORTFOLIO_HOLDINGS, lookback=1, upto="previous"),
        Read(POSITION_ENDS, lookback=None, upto="previous", every_revision=True),
        Read(CORPORATE_ACTIONS, lookback=None, columns=ACTION_COLUMNS),
        Read(
            MARKET_PRICES,
            lookback=LOOKBACK,
            where=pl.col("interval") == "1d",
            columns=(*MARKET_PRICES.key, "session", "close"),
            further=sessions_of_last_closes,
        ),
    ),
    writes=POSITION_ENDS,
    params=TradingParams(),
    section="trading",
)
