"""Actions by ticker, from which a session takes those of a span without a query."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date

import polars as pl

from pipeline.trading.books.actions import Action, select_actions


class Paths:
    """What happened to each ticker, in order."""

    def __init__(self, actions: pl.DataFrame) -> None:
        """Take in the last revisions."""
        self._actions = select_actions(actions, None, date.max)
        self._days = [action.ex_date for action in self._actions]

    def effective(self, after: date, upto: date) -> Sequence[Action]:
        """The actions with an ex-date after a day and up to another one, in the order in which they take effect."""
        return self._actions[bisect_right(self._days, after) : bisect_right(self._days, upto)]

    def known(self, tickers: Collection[str], upto: date) -> Sequence[Action]:
        """All actions of some tickers up to a day."""
        if not tickers:
            return ()
        return [action for action in self._actions[: bisect_right(self._days, upto)] if action.ticker in tickers]

    def falls(self, since: date, upto: date, kinds: Collection[str]) -> dict[str, list[Action]]:
        """The actions of some kinds from a day up to another one, by ticker."""
        found: dict[str, list[Action]] = defaultdict(list)
        for action in self._actions[bisect_left(self._days, since) : bisect_right(self._days, upto)]:
            if action.kind in kinds:
                found[action.ticker].append(action)
        return dict(found)
