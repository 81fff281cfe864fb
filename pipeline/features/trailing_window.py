"""What can be seen at one session's close: the trailing matrices every feature is computed from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.features.panel import DEPTH, Flags, Floats, Ints, Panel, kept
from pipeline.features.params import FeatureParams
from pipeline.market.sessions import Sessions

ENOUGH = 0.8
"""Share of a window's sessions that need a bar for an average of volume."""


class View:
    """The panel cut off after one session, linked backwards from it.

    Only rows up to the session are ever sliced, and levels are linked from the session into the past, so a value
    depends on nothing later and not on where the panel starts. Matrices run oldest first; their last row is the
    session. Prices are in units of the session's close: `close[-1]` is 1. What it gives cannot be written to: every
    feature sees the same matrices, and one that worked in place would change those after it.
    """

    def __init__(self, panel: Panel, session: date, calendar: Sessions, params: FeatureParams) -> None:
        self.session, self.calendar, self.params = session, calendar, params
        self.panel = panel
        self._end = panel.row(session, calendar) + 1
        row = self._end - 1
        self.members: Flags = panel.member[row]
        """[tickers] the universe members that traded: whom ranks and sector means compare with."""
        self.sector: Ints = panel.sector[row]
        self.has_row: Flags = panel.bar[row] & panel.listed[row]
        """[tickers] traded and listed: these get a row."""
        self._values: dict[str, Floats] = {}

    def last(self, name: str, sessions: int) -> npt.NDArray[np.float64]:
        """The panel's matrix `name`, [sessions, tickers] (or [sessions] for the market), ending at the session."""
        matrix: Floats = getattr(self.panel, name)
        return matrix[self._end - sessions : self._end]

    def returns(self, sessions: int) -> Floats:
        """Daily log total returns, [sessions, tickers]; 0 where the last close stands for a missing bar."""
        return self.last("log_growth", sessions)

    @cached_property
    def level(self) -> Floats:
        """[DEPTH, tickers] close grown by total return, in units of the session's close; NaN before history starts."""
        return kept(1.0 / _link_backwards(self.last("growth", DEPTH)))

    def close(self, sessions: int) -> Floats:
        """Grown closes, [sessions, tickers]."""
        return self.level[DEPTH - sessions :]

    @cached_property
    def _high(self) -> Floats:
        return kept(self.level * self.last("high", DEPTH))

    @cached_property
    def _low(self) -> Floats:
        return kept(self.level * self.last("low", DEPTH))

    def high(self, sessions: int) -> Floats:
        """Grown highs, [sessions, tickers]."""
        return self._high[DEPTH - sessions :]

    def low(self, sessions: int) -> Floats:
        """Grown lows, [sessions, tickers]."""
        return self._low[DEPTH - sessions :]

    def typical(self, sessions: int) -> Floats:
        """Grown typical prices, (high + low + close)/3, [sessions, tickers]."""
        return (self.high(sessions) + self.low(sessions) + self.close(sessions)) / 3

    @cached_property
    def _volume(self) -> Floats:
        # A split at session s multiplies the shares of all sessions before s.
        return kept(self.last("volume", 60) * _link_backwards(self.last("ratio", 60)))

    def volume(self, sessions: int) -> Floats:
        """Shares traded on the session's share basis, [sessions <= 60, tickers]; NaN without a bar."""
        return self._volume[60 - sessions :]

    def compute_once(self, name: str, compute: Callable[[View], Floats]) -> Floats:
        """The values of a feature that others build on, computed once."""
        if name not in self._values:
            self._values[name] = kept(compute(self))
        return self._values[name]


def _link_backwards(factors: Floats) -> Floats:
    """Product of all later factors at each row, [sessions, tickers], linked from the last row backwards."""
    linked = np.ones_like(factors)
    np.multiply.accumulate(factors[:0:-1], axis=0, out=linked[-2::-1])
    return linked


def latest(values: Floats) -> Floats:
    """[tickers] the session's own row of [sessions, tickers]."""
    row: Floats = values[-1]
    return row


def ln(values: Floats) -> Floats:
    """Natural logarithm."""
    logs: Floats = np.log(values)
    return logs


def ln1p(values: Floats) -> Floats:
    """Natural logarithm of 1 + values."""
    logs: Floats = np.log1p(values)
    return logs


def total(values: Floats) -> Floats:
    """Sum over sessions of [sessions, tickers], oldest first; NaN where any is."""
    added: Floats = values.sum(axis=0)
    return added


def mean(values: Floats) -> Floats:
    """Mean over sessions of [sessions, tickers]; NaN where any is."""
    return total(values) / len(values)


def weighted_sum(weights: Floats, values: Floats) -> Floats:
    """Weighted sum over sessions; the weights run oldest first like the sessions."""
    return total(weights[:, None] * values)


def mean_present(values: Floats) -> Floats:
    """Mean over the sessions that have a value; NaN where fewer than ENOUGH of them do."""
    present = ~np.isnan(values)
    count = present.sum(axis=0)
    average = total(np.where(present, values, 0.0)) / np.maximum(count, 1)
    return np.where(count >= ENOUGH * len(values), average, np.nan)


def deviation(values: Floats) -> Floats:
    """Sample standard deviation over sessions (divisor n - 1); NaN where any value is."""
    apart = values - mean(values)
    return np.sqrt(total(apart * apart) / (len(values) - 1))


def slope(values: Floats) -> Floats:
    """Least-squares slope over sessions, per session."""
    time = centred_time(len(values))
    return weighted_sum(time, values) / float((time * time).sum())


def centred_time(sessions: int) -> Floats:
    """Session numbers less their mean."""
    return np.arange(sessions, dtype=np.float64) - (sessions - 1) / 2


def divide_or_zero(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, and 0 where the denominator is 0: nothing moved, so nothing leans to either side."""
    still = denominator == 0
    return np.where(still, 0.0 * denominator, numerator / np.where(still, 1.0, denominator))
