"""Where the profit of a span came from, in each view of the attribution, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from lake.store import Lake
from lake.tables.attribution import ATTRIBUTIONS

DECISION = "decision"
"""The view that is told first: what the book's decisions were worth."""
RECENT = 20
"""Sessions."""
TITLES = {
    DECISION: "By decision",
    "member": "By model",
    "exposure": "By exposure",
    "source": "By account",
}
PARTS = {
    "benchmark": "the benchmark", "cash": "cash beside the benchmark", "horizon": "forecasts", "member": "forecasts",
    "balancing": "balancing and hedges", "market": "the market, by beta", "sector": "sectors",
    "selection": "choice of names", "gain": "prices", "dividend": "dividends", "exchange": "exchange rates",
    "rule": "rules", "rest": "fills and drift from the plan", "timing": "from close to open", "spread": "half-spreads",
    "impact": "impact", "commission": "commission", "interest": "interest", "borrow": "borrowed shares",
    "restated": "learned of earlier sessions", "unexplained": "unexplained",
}  # fmt: skip
"""Part -> what it is called, in the order in which parts are told."""


@dataclass(frozen=True)
class ProfitPart:
    """One part of the profit and what it is made of; in the book's currency."""

    name: str
    """The part in the table."""
    title: str
    amount: Decimal
    items: tuple[tuple[str, Decimal], ...]
    """Sector, horizon, model or rule and its amount, the largest in size first; empty where it is of the whole book."""


@dataclass(frozen=True)
class ProfitView:
    """A view whose parts add up to the profit."""

    name: str
    title: str
    parts: tuple[ProfitPart, ...]

    @property
    def profit(self) -> Decimal:
        """What the parts add up to."""
        return sum((part.amount for part in self.parts), Decimal(0))


def read_origins(lake: Lake, first: date | None, last: date | None) -> tuple[ProfitView, ...]:
    """Return the views over a span of sessions; none where no session of it was attributed."""
    rows = lake.read(ATTRIBUTIONS, since=first, until=last)
    summed = rows.group_by("view", "part", "item").agg(pl.col("amount").sum()).sort("view", "part", "item")
    views = (_view(name, summed.filter(pl.col("view") == name)) for name in TITLES)
    return tuple(view for view in views if view.parts)


def sum_profit(attributions: pl.DataFrame) -> pl.DataFrame:
    """Return view, part, item (without single tickers) with the sums over sessions, views and parts in their order."""
    days = attributions["session"].unique().sort()
    of_book = pl.col("view") != "source"
    rows = attributions.with_columns(item=pl.when(of_book).then("item").otherwise(pl.lit("")))
    ways = {"last": days.tail(1).to_list(), "recent": days.tail(RECENT).to_list()}
    sums = [pl.col("amount").filter(pl.col("session").is_in(list(chosen))).sum().alias(n) for n, chosen in ways.items()]
    summed = rows.group_by("view", "part", "item").agg(*sums, pl.col("amount").sum())
    views, parts = (pl.Enum(list(names)) for names in (TITLES, PARTS))
    ordered = summed.sort(pl.col("view").cast(views), pl.col("part").cast(parts), "item")
    return ordered.with_columns(title=pl.col("part").replace_strict(PARTS))


def _view(name: str, summed: pl.DataFrame) -> ProfitView:
    present = set(summed["part"])
    parts = (_part(part, summed.filter(pl.col("part") == part)) for part in PARTS if part in present)
    return ProfitView(name, TITLES[name], tuple(parts))


def _part(name: str, summed: pl.DataFrame) -> ProfitPart:
    named = summed.filter(pl.col("item") != "").sort(pl.col("amount").cast(pl.Float64).abs(), descending=True)
    items = tuple((_describe(name, item), Decimal(amount)) for item, amount in named.select("item", "amount").rows())
    return ProfitPart(name, PARTS[name], sum(summed["amount"].to_list(), Decimal(0)), items)


def _describe(part: str, item: str) -> str:
    if part == "horizon":
        return "1 session" if item == "1" else f"{item} sessions"
    return item.replace("_", " ") if part == "rule" else item
