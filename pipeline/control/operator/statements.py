"""What the operator can say of corporate actions, and what is put on record of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

import polars as pl

from pipeline.control.operator.decisions import DecisionError, Origin
from pipeline.ingestion.actions.action_rules import FIRST_KINDS
from pipeline.ingestion.actions.rename_rules import SWAP
from pipeline.ingestion.actions.validate_actions import NATURES

Verb = Literal["add", "correct", "withdraw", "release"]
KINDS = (*FIRST_KINDS, *NATURES)
"""What an action may be called."""
TERMS = ("numerator", "denominator", "amount", "pay_date", "successor", "currency", "cash", "cost_share")
"""What can be said of an action beside whose, when and of which kind it is."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the operator says of one action."""

    verb: Verb
    ticker: str
    ex_date: date
    kind: str
    """One of KINDS."""
    reason: str
    terms: Mapping[str, str] = field(default_factory=dict)
    """Of TERMS, as text; in a correction, what changes."""
    sequence: int | None = None
    """Which of several of one kind on one day is meant."""
    another: bool = False
    """True to add one beside those of its kind and day."""
    session: date | None = None
    """The session that is to learn it; None: the next whose cycle can."""


@dataclass(frozen=True, kw_only=True)
class StatedAction:
    """What was put on record."""

    payload_id: str
    verb: Verb
    ticker: str
    ex_date: date
    kind: str
    session: date
    """The session that learns it."""
    takes_effect: date
    """The session from which it counts: the ex-date where that lies ahead."""
    reason: str
    stated_at: datetime
    origin: Origin
    actions: tuple[dict[str, Any], ...]
    """What stands of that kind, ticker and day from then on."""


def effect_of(kind: str) -> str:
    """The kind of the facts that a kind of statement makes: what it does to the price of a share."""
    return NATURES[kind][0] if kind in NATURES else kind


def spell_out(said: Statement, facts: pl.DataFrame) -> list[Statement]:
    """Return a statement with those that it implies: of a swap of tickers, one of each company that takes part.

    Args:
        said: the statement.
        facts: rows of corporate_actions, the swaps that are known among them.

    Raises:
        DecisionError: if a swap is to be corrected.
    """
    if said.verb == "add":
        to = said.terms.get("successor", "").upper()
        both = said.kind == SWAP and to not in ("", said.ticker)
        return [said, replace(said, ticker=to, terms={**said.terms, "successor": said.ticker})] if both else [said]
    ring = [said.ticker, *_others(said, facts)] if effect_of(said.kind) == "rename" else [said.ticker]
    if len(ring) > 1 and said.verb == "correct":
        raise DecisionError(f"{' and '.join(ring)} swap their tickers; withdraw that, and state anew what is so")
    return [replace(said, ticker=ticker) for ticker in ring]


def _others(said: Statement, facts: pl.DataFrame) -> Iterator[str]:
    """The tickers that take part in a swap beside the one spoken of."""
    swaps = facts.filter(pl.col("nature") == SWAP, pl.col("ex_date") == said.ex_date)
    to = dict(swaps.select("ticker", "successor").iter_rows())
    ticker, seen = said.ticker, {said.ticker}
    while (ticker := to.get(ticker, "")) in to and ticker not in seen:
        yield ticker
        seen.add(ticker)
