"""What a feature says its values are made of: which columns of the facts, how many sessions back, and whose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Whose = Literal["ticker", "market", "members", "sector", "everyone"]
"""`ticker`: its own. `market`: those of the members of each session. `members`, `sector`: those of the members at its
own session that it is compared with, of all or of its sector. `everyone`: those of all tickers, where it is not known
with whom it is compared."""
Basis = Literal["grown", "growth", "traded", "shares", "news", "within"]
"""`grown`: prices linked by total return, where the last close stands for a bar that lacks. `growth`: each session's
return, and what is multiplied with it. `traded`: the session's own numbers. `shares`: volumes on the session's share
basis. `news`: what articles say. `within`: bars within the session."""
Condition = Literal["always", "news", "others"]
"""`news`: only where the session has scored articles. `others`: only where the sector has another member."""

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Use:
    """Some columns at some sessions: what changes one of them can change the value, and nothing else can.

    Where an action lies between two prices used, or between two volumes, the action is used too, and with a dividend
    the close of its session.
    """

    columns: tuple[str, ...]
    """Of market_prices, or of news_sentiment; there `article_id` stands for a row's being there at all."""
    back: frozenset[int]
    """How many sessions before the value's own; 0 is its own."""
    basis: Basis
    of: Whose = "ticker"
    compares: str = ""
    """The feature of the others that it is compared with: those without a value of it don't count."""
    only: Condition = "always"
    anchored: bool = False
    """True where the unit of the prices stays in the value, so that every action since the oldest of them counts."""


def grown(columns: str, sessions: int | Iterable[int]) -> Use:
    """Prices grown by total return.

    Args:
        columns: their names, apart by blanks.
        sessions: how many up to the value's own, or which, counted back from it.
    """
    return _use(columns, sessions, "grown")


def growth(columns: str, sessions: int | Iterable[int]) -> Use:
    """Returns of single sessions, and columns multiplied with them; a session without a return is left out."""
    return _use(columns, sessions, "growth")


def traded(columns: str, sessions: int | Iterable[int]) -> Use:
    """Numbers of single bars as traded, compared with nothing but each other."""
    return _use(columns, sessions, "traded")


def shares(sessions: int | Iterable[int]) -> Use:
    """Volumes on one share basis."""
    return _use("volume", sessions, "shares")


def news(columns: str, sessions: int | Iterable[int]) -> Use:
    """What articles say: `score strength`, or `article_id` where only their number counts."""
    return _use(columns, sessions, "news")


def market(sessions: int | Iterable[int]) -> Use:
    """The equal-weight return of each session's members."""
    return replace(growth("close", sessions), of="market")


def compared(uses: Iterable[Use], feature: str, whom: Literal["members", "sector"]) -> tuple[Use, ...]:
    """What the members are compared by, each made of its own facts.

    Args:
        uses: what a value of the feature compared is made of.
        feature: its name.
        whom: all members, or those of the sector.
    """
    return tuple(replace(use, of=whom, compares=feature) for use in uses)


def _use(columns: str, sessions: int | Iterable[int], basis: Basis) -> Use:
    back = range(sessions) if isinstance(sessions, int) else sessions
    return Use(tuple(columns.split()), frozenset(back), basis)
