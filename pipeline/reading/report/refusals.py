"""What stood in the way of trades: the rules that refused first, how often, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.store import Lake
from lake.tables.control import TRADING_SWITCHES
from lake.tables.trading import TRADE_PLANS
from pipeline.trading.philosophy.rules import BOOK_RULES
from pipeline.trading.planning.rules import RULES
from pipeline.trading.planning.trading_stops import TradingStop, read_stops

EXPLAINED = 16
"""Rules whose last refusal is told in its own words; a lake's plans are read anew for it."""
_MEANINGS = {rule.name: rule.doc for rule in RULES}
_MEANINGS_IN_A_BOOK = {rule.name: rule.doc for rule in BOOK_RULES}


@dataclass(frozen=True)
class Refusal:
    """A rule that refused plans before any other did."""

    rule: str
    plans: int
    share: float
    """Of all refused plans."""
    buys: int
    """Those of them that were to buy; the others would have sold or kept."""
    meaning: str
    """The rule in a sentence; empty for one that the program does not have, such as a plugin's."""
    last_reason: str
    """What it said the last time."""


@dataclass(frozen=True)
class PlanFacts:
    """What was considered over a span, what was taken, and what refused the rest."""

    considered: int
    taken: int
    filled: int
    refused: int
    refusals: tuple[Refusal, ...]
    """The most frequent first."""
    stops: tuple[str, ...] = ()
    """The operator's pauses and kills that concerned these sessions, a sentence each."""


def read_plans(lake: Lake, first: date, last: date, filled: int) -> PlanFacts:
    """Count the plans of a span by what became of them.

    Args:
        lake: whose plans.
        first: the first session at whose close they were made.
        last: the last one.
        filled: orders filled in the span.
    """
    plans = lake.read(
        TRADE_PLANS, since=first, until=last, columns=("session", "ticker", "side", "taken", "blocked_by", "alpha")
    )
    refused = plans.filter(pl.col("blocked_by").is_not_null())
    counts = (
        refused.group_by("blocked_by")
        .agg(pl.len(), (pl.col("side") == "buy").sum().alias("buys"), pl.col("session").max())
        .sort(["len", "blocked_by"], descending=[True, False])
    )
    meanings = _MEANINGS_IN_A_BOOK if refused["alpha"].is_not_null().any() else _MEANINGS
    reasons = _last_reasons(lake, counts.head(EXPLAINED))
    return PlanFacts(
        considered=plans.height,
        taken=plans.filter("taken").height,
        filled=filled,
        refused=refused.height,
        refusals=tuple(
            Refusal(rule, count, count / refused.height, buys, meanings.get(rule, ""), reasons.get(rule, ""))
            for rule, count, buys, _ in counts.iter_rows()
        ),
        stops=tuple(_tell_stops(read_stops(lake.read(TRADING_SWITCHES)), first, last)),
    )


def _tell_stops(stops: Iterable[TradingStop], first: date, last: date) -> Iterator[str]:
    for one in stops:
        if one.session <= last and (one.lifted_from is None or one.lifted_from >= first):
            lifted = f"; resumed at {one.lifted_at:%Y-%m-%d %H:%M:%S} UTC" if one.lifted_at else "; it still holds"
            words = one.describe()
            yield f"{words[0].upper()}{words[1:]}{lifted}."


def _last_reasons(lake: Lake, counts: pl.DataFrame) -> dict[str, str]:
    """Rule -> what it said of the last plan that it was the first to refuse."""
    found: dict[str, str] = {}
    for session in counts["session"].unique():
        rules: Sequence[str] = counts.filter(pl.col("session") == session)["blocked_by"].to_list()
        plans = lake.read(
            TRADE_PLANS,
            since=session,
            until=session,
            where=pl.col("blocked_by").is_in(rules),
            columns=("blocked_by", "verdicts"),
        )
        for rule, verdicts in plans.iter_rows():
            found[rule] = next((one["reason"] for one in verdicts if one["rule"] == rule), "")
    return found
