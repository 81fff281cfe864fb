"""What would have been posted of some tickers from their first fill on, had everything been known from the start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from pipeline.market.sessions import Sessions
from pipeline.trading.books.action_postings import Morning
from pipeline.trading.books.actions import Action
from pipeline.trading.books.book import Book, LedgerEvent
from pipeline.trading.books.quotes import Quotes
from pipeline.trading.books.trades import FilledTrade, build_fill_events, limit_to_held
from pipeline.trading.currencies.session_rates import NO_FOREIGN, SessionRates


def rebuild_events(
    fills: Sequence[FilledTrade],
    actions: Sequence[Action],
    quotes: Quotes,
    until: date,
    calendar: Sessions,
    rates: SessionRates = NO_FOREIGN,
) -> list[LedgerEvent]:
    """Return every event of some tickers in order, each at the session at which it would have been posted.

    Cash is not looked at: fills are facts, whatever paid for them. A sale is limited to the shares that were there.

    Args:
        fills: of these tickers, sorted as they were filled.
        actions: of these tickers, as known now, in the order they take effect.
        quotes: around the sessions at which fractions may be left.
        until: the last session to post.
        calendar: the sessions.
        rates: how amounts of foreign names are converted, as known now.
    """
    fills_at, actions_at = defaultdict(list), defaultdict(list)
    for trade in fills:
        if trade.session is not None and trade.session <= until:
            fills_at[trade.session].append(trade)
    first = min(fills_at, default=until)
    for action in actions:
        if first < action.ex_date <= until and (session := calendar.at_or_after(action.ex_date)) <= until:
            actions_at[session].append(action)
    morning = Morning(Book(), actions, quotes, first, calendar, rates)
    posted: list[LedgerEvent] = []
    for session in _sessions(fills_at, actions_at, actions, until, calendar):
        morning.session = session
        posted += morning.apply_all(actions_at[session])
        posted += _fill(morning, fills_at[session])
    return posted


def _sessions(
    fills_at: Iterable[date], actions_at: Iterable[date], actions: Iterable[Action], until: date, calendar: Sessions
) -> list[date]:
    """The sessions at which anything may happen, those on which something is paid included."""
    days = {*fills_at, *actions_at}
    first = min(days, default=until)
    paid = {a.pay_date for a in actions if a.pay_date is not None and first < a.pay_date <= until}
    return sorted(day for day in days | {calendar.at_or_after(day) for day in paid} if day <= until)


def _fill(morning: Morning, trades: Iterable[FilledTrade]) -> list[LedgerEvent]:
    posted = []
    for trade in trades:
        limited = limit_to_held(trade, morning.book)
        for event in build_fill_events(limited, morning.book, morning.ts):
            if event.kind == "commission" or limited.shares:
                morning.book.post(event, morning.session)
                posted.append(event)
    return posted
