"""What the book would have been, from stored forecasts: no stage runs, and nothing is written."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from pipeline.trading.params import TradingParams


class NotOnDeskError(Exception):
    """A question that the desk cannot answer to the cent; running the stages again can."""


class DeskSession(NamedTuple):
    """A session with the moment at which it is decided, and under which settings."""

    session: date
    as_of: datetime
    params: TradingParams
