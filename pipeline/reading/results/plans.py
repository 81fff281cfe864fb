"""What was planned: which rule decided how often, how narrowly it refused, and what the operator decided."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.config import ConfigError
from pipeline.config.loading import load
from pipeline.control.schedule.schedule_file import Calendars
from pipeline.reading.market_time import market_exchange
from pipeline.trading.philosophy.rules import BOOK_RULES
from pipeline.trading.planning.rule import MeasuredRule
from pipeline.trading.planning.rules import RULES, list_rules, unit_of
from pipeline.trading.planning.trading_stops import explain_stop, read_stops

DECIDED = {"approve": "approved", "veto": "vetoed"}


def last_decisions(decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per plan: the last decision on it."""
    ordered = decisions.sort("decided_at", "decision_id")
    return ordered.unique(subset=["plan_id"], keep="last", maintain_order=True)


def read_rules(lake: Path, plans: pl.DataFrame, calendars: Callable[[], Calendars]) -> tuple[MeasuredRule, ...]:
    """The rules behind some plans: the built-in ones and, where others refused, those that the lake's plugins declare.

    A rule whose plugin is broken or no longer named is left out.

    Args:
        lake: the lake's folder.
        plans: rows of `trade_plans`.
        calendars: gives the exchanges' sessions, on which plugins are tried.
    """
    built_in: tuple[MeasuredRule, ...] = BOOK_RULES if plans["steps"].is_not_null().any() else RULES
    known = {rule.name for rule in built_in}
    if known.issuperset(plans["verdicts"].explode().struct.field("rule").drop_nulls().unique()):
        return built_in
    from pipeline.plugins.plugins import Plugins  # loads the members, which no other plan needs

    try:
        settings = load(lake, os.environ).settings
        loaded = Plugins.load(settings.plugins.paths(lake), calendars()(settings.market.exchange))
        declared = [rule for plugin in loaded.files for rule in plugin.rules]
        return (*built_in, *declared) if built_in is BOOK_RULES else list_rules(declared)
    except (ConfigError, OSError, ValueError):  # the verdict on health says what is wrong with the configuration
        return built_in


def explain_stopped(
    lake: Path, plans: pl.DataFrame, switches: pl.DataFrame, calendars: Callable[[], Calendars]
) -> dict[str, str]:
    """Order -> the operator's pause or kill that keeps it from its open; what goes there is left out.

    Args:
        lake: the lake's folder.
        plans: rows of `trade_plans`.
        switches: rows of `trading_switches`.
        calendars: gives the exchanges' sessions.
    """
    stops, orders = read_stops(switches), plans.filter("taken")
    if not stops or orders.is_empty():
        return {}
    calendar = calendars()(market_exchange(lake))
    found = {
        plan_id: explain_stop(stops, planned, decided_at, calendar.open_at(opens))
        for plan_id, planned, decided_at, opens in orders.select(
            "plan_id", "session", "decided_at", "for_session"
        ).iter_rows()
    }
    return {plan_id: reason for plan_id, reason in found.items() if reason}


def plan_rows(
    plans: pl.DataFrame,
    decisions: pl.DataFrame,
    rules: tuple[MeasuredRule, ...] = RULES,
    stopped: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Orders first, then what was refused, then what is kept as it is; each by its edge.

    Args:
        plans: rows of `trade_plans`.
        decisions: the last decision on each plan.
        rules: those that may have refused, with the units of their distances.
        stopped: orders that a pause or kill keeps from their open, with the reason.

    Returns:
        The plans with `verdict` (order, approved, vetoed, stopped, refused or keep), `stopped` (the reason, else
        null), `off` (how far the first refusing rule was from passing, in its unit; empty where that is not a matter of
        more or less) and `nearness`, which orders by rule and then by how narrow it was.
    """
    return _add_stops(add_decision(_add_distance(plans, rules), decisions), stopped or {})


def add_weights(plans: pl.DataFrame, holdings: pl.DataFrame, nav: float) -> pl.DataFrame:
    """Adds what each order is worth and what the name weighs before and after it.

    Args:
        plans: rows of `trade_plans`.
        holdings: rows of `portfolio_holdings` of the last session.
        nav: the book's value, in its currency.

    Returns:
        `amount` (in the book's currency; null where nothing is ordered), `held` and `after` (fractions of the value),
        and `weights`, both of them.
    """
    held = holdings.select("ticker", pl.col("weight").alias("held"))
    rows = plans.join(held, on="ticker", how="left", maintain_order="left").with_columns(pl.col("held").fill_null(0.0))
    rate = pl.col("rate").cast(pl.Float64).fill_null(1.0)
    rows = rows.with_columns(amount=pl.when("taken").then(pl.col("shares") * pl.col("close") * rate))
    signed = pl.when(pl.col("side") == "sell").then(-pl.col("amount")).otherwise("amount").fill_null(0.0)
    rows = rows.with_columns(after=pl.col("held") + (signed / nav if nav else 0.0))
    return rows.with_columns(weights=pl.struct("held", "after"))


@dataclass(frozen=True)
class PlannedExposure:
    """How much of the book is invested now and once all orders are filled at the last close."""

    now: float
    after: float
    bought: float
    sold: float
    """In the book's currency."""


def planned_exposure(plans: pl.DataFrame, now: float) -> PlannedExposure:
    """What the orders of `add_weights` change together; what is vetoed or stopped is left out.

    Args:
        plans: with `amount`, `held` and `after`.
        now: the book's exposure.
    """
    orders = plans.filter(pl.col("taken") & ~pl.col("verdict").is_in(["vetoed", "stopped"]))
    moved = float((orders["after"] - orders["held"]).sort().sum())
    sums = [float(orders.filter(pl.col("side") == side)["amount"].sort().sum()) for side in ("buy", "sell")]
    return PlannedExposure(now, now + moved, *sums)


def _add_distance(plans: pl.DataFrame, rules: tuple[MeasuredRule, ...]) -> pl.DataFrame:
    refusing = pl.col("verdicts").list.eval(pl.element().filter(pl.element().struct.field("verdict") == "refuse"))
    first = refusing.list.first()
    refused = pl.when(pl.col("blocked_by").is_not_null()).then(pl.lit("refused")).otherwise(pl.lit("keep"))
    rows = plans.with_columns(
        distance=first.struct.field("distance"),
        because=first.struct.field("reason"),
        verdict=pl.when(pl.col("taken")).then(pl.lit("order")).otherwise(refused),
    )
    rank = pl.col("verdict").replace_strict({"order": 0, "refused": 1, "keep": 2}, return_dtype=pl.Int8)
    distances = rows.select("blocked_by", "distance", "because").iter_rows()
    off = [describe_distance(rule, far, because, rules, briefly=True) for rule, far, because in distances]
    rows = rows.with_columns(rank=rank, off=pl.Series(off, dtype=pl.String))
    rows = rows.sort("blocked_by", "distance", "ticker", nulls_last=True).with_row_index("nearness")
    return rows.sort(["rank", "edge", "ticker"], descending=[False, True, False], nulls_last=True)


LEAST = (1e-4, 1e-3, 1e-2, 1.0)
"""Distances of which the smallest that can be written is the least that is told."""


def describe_distance(
    rule: str | None,
    distance: float | None,
    reason: str | None,
    rules: tuple[MeasuredRule, ...],
    *,
    briefly: bool = False,
) -> str:
    """How far a refused trade was from passing, in the unit of its rule; a plain number where the rule is unknown.

    Briefly, without what it is a part of. Empty where nothing was refused, or it is not a matter of more or less.
    """
    unit = None if rule is None or distance is None else unit_of(rule, reason or "", rules)
    if unit is None or distance is None:
        return ""
    if distance and _shows_nothing(unit.write(distance)):
        least = next((unit.write(one) for one in LEAST if not _shows_nothing(unit.write(one))), "")
        return f"less than {least}" if least else ""
    return unit.write(distance) if briefly else unit.describe(distance)


def _shows_nothing(words: str) -> bool:
    """Whether a figure has rounded to nothing: what was refused was off by something."""
    return not any(digit in words for digit in "123456789")


def add_decision(plans: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """An order that was approved or vetoed has that as its `verdict`."""
    words = decisions.select(
        "plan_id", pl.col("decision").replace_strict(DECIDED, return_dtype=pl.String).alias("word")
    )
    joined = plans.join(words, on="plan_id", how="left", maintain_order="left")
    order = pl.when(pl.col("taken")).then(pl.coalesce("word", "verdict")).otherwise("verdict")
    return joined.with_columns(verdict=order).drop("word")


def _add_stops(plans: pl.DataFrame, stopped: Mapping[str, str]) -> pl.DataFrame:
    """A pause or kill stands above what was decided on a single order."""
    reasons = pl.Series([stopped.get(plan_id) for plan_id in plans["plan_id"]], dtype=pl.String)
    verdict = pl.when(pl.col("stopped").is_not_null()).then(pl.lit("stopped")).otherwise("verdict")
    return plans.with_columns(stopped=reasons).with_columns(verdict=verdict)


def rule_rows(plans: pl.DataFrame) -> pl.DataFrame:
    """One row per rule, the most often decisive first: how often it allowed, scaled, refused, and refused first."""
    rulings = plans.select("blocked_by", "verdicts").explode("verdicts").filter(pl.col("verdicts").is_not_null())
    if rulings.is_empty():
        counts = ("allowed", "scaled", "refused", "first")
        return pl.DataFrame(schema={"rule": pl.String, **dict.fromkeys(counts, pl.Int64), "reason": pl.String})
    rulings = rulings.unnest("verdicts")

    def count(test: pl.Expr, name: str) -> pl.Expr:
        return test.fill_null(False).sum().cast(pl.Int64).alias(name)

    return (
        rulings.group_by("rule", maintain_order=True)
        .agg(
            count(pl.col("verdict") == "allow", "allowed"),
            count(pl.col("verdict") == "scale", "scaled"),
            count(pl.col("verdict") == "refuse", "refused"),
            count(pl.col("rule") == pl.col("blocked_by"), "first"),
            pl.col("reason").filter(pl.col("verdict") != "allow").last().fill_null("").alias("reason"),
        )
        .sort(["first", "refused", "scaled", "rule"], descending=[True, True, True, False])
    )
