"""Screen 5: what will it trade at the next open, and what did it reject, by which rule, how narrowly?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import polars as pl

from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.control import TRADE_DECISIONS, TRADING_SWITCHES
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import EXECUTED_TRADES, MANDATES, STRATEGIC_PRIORITIES, TRADE_PLANS
from nextgen_tui.console.charts.fan_chart import fan
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, note
from nextgen_tui.console.page import Action, Detail, Link, Page, Row, Section, SheetSpec, row_link
from nextgen_tui.console.pages.mandate_sheet import COLS as MANDATE_COLS
from nextgen_tui.console.pages.mandate_sheet import mandate_notes, mandate_rows
from nextgen_tui.console.pages.predictions import LARGE_FORECAST, member_lines
from nextgen_tui.console.pages.regime_sheet import COLS as REGIME_COLS
from nextgen_tui.console.pages.regime_sheet import risk_chart
from nextgen_tui.console.sheet.sheet import Cell, Col, dim, signed
from nextgen_tui.text import formats
from pipeline.control.schedule.schedule_file import Calendars
from pipeline.reading.market_time import lake_calendars
from pipeline.reading.results.plans import (
    DECIDED,
    PlannedExposure,
    add_weights,
    describe_distance,
    explain_stopped,
    last_decisions,
    plan_rows,
    planned_exposure,
    read_rules,
    rule_rows,
)
from pipeline.reading.results.ticker_paths import empty_paths, read_paths
from pipeline.trading.planning.rule import MeasuredRule
from pipeline.trading.planning.rules import RULES

VERDICTS = {
    "order": Cell("✓ order", "good"),
    "approved": Cell("✓ approved", "good"),
    "vetoed": Cell("✗ vetoed", "warn"),
    "stopped": Cell("✗ stopped", "warn"),
    "refused": Cell("– refused", "dim"),
}
PERCENT = signed(lambda value: formats.percent(value, signed=True))


@dataclass(frozen=True)
class PlanData:
    """The last plan: every trade considered, and the market regime behind it."""

    session: date | None
    plans: pl.DataFrame
    rules: tuple[MeasuredRule, ...]
    """Those that can be behind a refusal, with the units of their distances."""
    rule_counts: pl.DataFrame
    """How often each rule allowed, scaled and refused."""
    regime: pl.DataFrame
    predictions: pl.DataFrame
    paths: pl.DataFrame
    fills: pl.DataFrame
    """What became of the orders; empty until the next open is settled."""
    decisions: pl.DataFrame
    """The operator's last decision on each order, where there is one."""
    mandate: pl.DataFrame
    """The mandate that counts, a row for each field."""
    exposure: PlannedExposure


class PlanPage(Page[PlanData]):
    """Orders first, then what was refused, the narrowest refusal first."""

    number, name = "5", "Plan"
    question = "What will it trade, and what did it reject?"
    tables = (
        TRADE_PLANS,
        STRATEGIC_PRIORITIES,
        PREDICTIONS,
        PORTFOLIO_HOLDINGS,
        EXECUTED_TRADES,
        TRADE_DECISIONS,
        TRADING_SWITCHES,
        MANDATES,
    )

    def quick_load(self, view: LakeView) -> PlanData | None:
        """Beside very many forecasts the plan without them; they follow."""
        session = view.last(TRADE_PLANS)
        if session is None or view.last_count(PREDICTIONS) <= LARGE_FORECAST:
            return None
        return plan_data(view, session, pl.DataFrame(schema=PREDICTIONS.stored_schema), empty_paths())

    def load(self, view: LakeView) -> PlanData:
        """The last session's plans with their forecasts."""
        session = view.last(TRADE_PLANS)
        if session is None:
            return empty_plan(view)
        tickers = view.read(TRADE_PLANS, since=session, until=session)["ticker"].to_list()
        behind = (pl.col("role") != "shadow") & pl.col("ticker").is_in(tickers)
        predictions = view.read(PREDICTIONS, since=session, until=session, where=behind)
        return plan_data(view, session, predictions, read_paths(view.lake, tickers, session))

    def sentence(self, data: PlanData) -> str:
        """How many orders, how many refusals, by which rule, in which market regime."""
        if data.session is None or data.plans.is_empty():
            return "Nothing has been planned yet; plans follow the first forecasts."
        taken = data.plans.filter(pl.col("taken") & ~pl.col("verdict").is_in(["vetoed", "stopped"]))
        blocked = data.plans.filter(pl.col("blocked_by").is_not_null())
        first = data.rule_counts.filter(pl.col("first") > 0)
        by = f", most often by {describe_rule(first['rule'][0])} ({first['first'][0]})" if first.height else ""
        text = f"For the open of {data.plans['for_session'][0]}: {formats.counted(taken.height, 'order')}"
        names = ", ".join(f"{side} {ticker}" for side, ticker in taken.select("side", "ticker").head(4).iter_rows())
        more = f" ({names}{', ...' if taken.height > 4 else ''})" if names else ""
        kept = [(word, data.plans.filter(verdict=word).height) for word in ("vetoed", "stopped")]
        back = "".join(f", {count} {word}" for word, count in kept if count)
        kept_as_is = data.plans.filter(verdict="keep").height
        stays = f", {kept_as_is} kept as they are" if kept_as_is else ""
        whole = f" of {formats.counted(data.plans.height, 'name')}"
        return f"{text}{more}{back}, {blocked.height} refused{by}{stays},{whole}. {_regime_sentence(data)}"

    def specs(self, data: PlanData) -> tuple[SheetSpec[PlanData], ...]:
        """The plan, its rules, the mandate, the market regime over time."""
        del data
        return SHEETS


def plan_data(view: LakeView, session: date, predictions: pl.DataFrame, paths: pl.DataFrame) -> PlanData:
    """A session's plans, the decisions on them and what became of them.

    Raises:
        LakeError: if the lake cannot be read.
    """
    decisions = last_decisions(view.read(TRADE_DECISIONS, where=pl.col("plan_id").str.starts_with(f"{session}:")))
    planned = view.read(TRADE_PLANS, since=session, until=session)

    def calendars() -> Calendars:
        return lake_calendars(view.path, view.clock)

    rules = read_rules(view.path, planned, calendars)
    stopped = explain_stopped(view.path, planned, view.read(TRADING_SWITCHES), calendars)
    value = view.last_rows(PORTFOLIO_VALUE)
    now, nav = (float(value[name][0] or 0.0) if value.height else 0.0 for name in ("exposure", "nav"))
    plans = add_weights(plan_rows(planned, decisions, rules, stopped), view.last_rows(PORTFOLIO_HOLDINGS), nav)
    # What became of the orders is known only later: it is read from now, wherever the view stands.
    fills = view.lake.read(EXECUTED_TRADES, since=session)
    counts, regime = rule_rows(plans), regime_rows(view)
    mandate, exposure = mandate_rows(view), planned_exposure(plans, now)
    return PlanData(session, plans, rules, counts, regime, predictions, paths, fills, decisions, mandate, exposure)


def empty_plan(view: LakeView) -> PlanData:
    """Where nothing has been planned yet.

    Raises:
        LakeError: if the lake cannot be read.
    """
    none, nothing, fills, undecided = (
        pl.DataFrame(schema=table.stored_schema)
        for table in (TRADE_PLANS, PREDICTIONS, EXECUTED_TRADES, TRADE_DECISIONS)
    )
    decisions = last_decisions(undecided)
    held = pl.DataFrame(schema=PORTFOLIO_HOLDINGS.stored_schema)
    plans, counts = add_weights(plan_rows(none, decisions), held, 0.0), rule_rows(none)
    regime, mandate, exposure = regime_rows(view), mandate_rows(view), planned_exposure(plans, 0.0)
    return PlanData(None, plans, RULES, counts, regime, nothing, empty_paths(), fills, decisions, mandate, exposure)


def regime_rows(view: LakeView) -> pl.DataFrame:
    """Every session's stance, the newest first.

    Raises:
        LakeError: if the lake cannot be read.
    """
    return view.read(STRATEGIC_PRIORITIES).sort("session", descending=True)


def plan_detail(data: PlanData, row: Row) -> Detail:
    """A trade with its rules, its forecast and what became of it."""
    mine = data.predictions.filter(pl.col("prediction_id") == row["prediction_id"])
    forecast = (
        member_lines(mine.row(0, named=True)) if mine.height else (note("It is not based on a forecast.", "dim"),)
    )
    decisions = data.decisions.filter(pl.col("plan_id") == row["plan_id"])
    fills = data.fills.filter(pl.col("plan_id") == row["plan_id"]) if data.fills.height else data.fills
    sections = (
        Section("The trade", (*_head(row), *_figures(row))),
        Section("Rules, in the order they are applied", verdict_lines(row, data.rules, everything=True)),
        Section("The forecast behind it", forecast),
        Section("Your decision", (*_stop(row), *_lines(decisions, _decision, "None was made."))),
        Section("What became of it", _lines(fills, _fill, "It is not settled yet.")),
    )
    return Detail(
        f"plan {row['plan_id']}",
        sections,
        (fan(data.predictions, data.paths, row["ticker"], data.session),),
        (plan_link(row),),
        row["plan_id"],
        plan_actions(row),
    )


def plan_actions(row: Row) -> tuple[Action, ...]:
    """An order can be approved or vetoed before its open."""
    if not row["taken"]:
        return ()
    order = f"{row['side']} {formats.whole(row['shares'])} {row['ticker']} at the open of {row['for_session']}"
    return tuple(Action(word, f"{word} {row['plan_id']}", order) for word in ("approve", "veto"))


def _stop(row: Row) -> tuple[Line, ...]:
    reason = row["stopped"]
    return (note(f"{reason[0].upper()}{reason[1:]}", "warn"),) if reason else ()


def plan_link(row: Row) -> Link:
    """The plan's row."""
    return Link(f"plan {row['plan_id']}", TRADE_PLANS.name, {"session": row["session"], "ticker": row["ticker"]})


def rule_notes(row: Row) -> tuple[Line, ...]:
    """How often a rule let trades pass, and why it last did not."""
    return (
        (Cell(describe_rule(row["rule"]), "accent"),),
        fact("allowed", row["allowed"]),
        fact("scaled", row["scaled"]),
        fact("refused", f"{row['refused']}, {row['first']} of them first"),
        *((note(f"last reason: {row['reason']}", "dim"),) if row["reason"] else ()),
    )


def describe_rule(name: str) -> str:
    """A rule's name as it is shown: 'cost awareness'."""
    return name.replace("_", " ")


def verdict_lines(row: Row, rules: tuple[MeasuredRule, ...], *, everything: bool = False) -> tuple[Line, ...]:
    """The rules' verdicts; without `everything` only those that changed something."""
    lines: list[Line] = []
    for one in row["verdicts"]:
        if one["verdict"] == "allow" and not everything:
            continue
        sign = {"allow": Cell("✓ ", "good"), "scale": Cell("~ ", "warn"), "refuse": Cell("✗ ", "bad")}[one["verdict"]]
        text = f"{one['reason']}"
        if one["verdict"] == "scale":
            text = f"to {formats.percent(one['scale'], 0)}: {text}"
        if one["verdict"] == "refuse":
            far = describe_distance(one["rule"], one["distance"], one["reason"], rules)
            text += f" (off by {far})" if far else ""
        lines.append((sign, Cell(f"{describe_rule(one['rule']):<21} "), *note(text, "dim")))
    return tuple(lines) or (note("every rule allows it in full", "good"),)


def _head(row: Row) -> tuple[Line, ...]:
    return (
        (_verdict(row["verdict"]), Cell(f"  {row['side']} {row['ticker']} to {row['intent']}  {row['sector']}")),
        fact(
            "shares",
            f"{formats.whole(row['shares'])} of {formats.whole(row['wanted_shares'])} wanted "
            f"at {formats.money(row['close'])}",
        ),
        *(_edge(row) if row["alpha"] is None else _place_in_book(row)),
    )


def _edge(row: Row) -> tuple[Line, ...]:
    gain, cost, edge = (row[name] for name in ("expected_return", "expected_cost", "edge"))
    digits = formats.adding_digits(edge, (gain, -cost))
    expected = f"{formats.percent(gain, digits, signed=True)} less {formats.percent(cost, digits)} cost"
    return (fact("edge", f"{formats.percent(edge, digits, signed=True)} = {expected}"),)


def _place_in_book(row: Row) -> tuple[Line, ...]:
    """What is expected of the name, what it weighs, and the alpha at which that would change."""
    change = partial(formats.percent, signed=True)
    alpha, free, benchmark = (row[name] for name in ("alpha", "free_weight", "benchmark_weight"))
    bounds = ", ".join(
        f"{one['limit']} ({formats.percent(one['shadow_price'])})" for one in row["binding"] if one["shadow_price"] > 0
    )
    return (
        fact(
            "alpha",
            f"{change(alpha)}, bought from {change(row['buy_alpha'])}, sold below {change(row['sell_alpha'])};"
            f" round trip {formats.percent(row['expected_cost'])}",
        ),
        fact(
            "weight",
            f"{formats.percent(row['target_weight'])}; benchmark {formats.percent(benchmark)},"
            f" without rules {formats.percent(free)}",
        ),
        *((fact("limits", bounds),) if bounds else ()),
        *((note(f"limits that gave way: {row['given_up']}", "warn"),) if row["given_up"] else ()),
    )


def _order(row: Row) -> str:
    """The kind of order, and its limit."""
    limit = "" if row["limit_price"] is None else f" at {formats.number(row['limit_price'], 4)}"
    return str(row["order_type"]).replace("-", " ") + limit


def _figures(row: Row) -> tuple[Line, ...]:
    return (
        fact("for the open", row["for_session"]),
        fact(
            "80 %",
            f"{formats.percent(row['low_80'], 1, signed=True)} to {formats.percent(row['high_80'], 1, signed=True)}",
        ),
        *((fact("weight", formats.percent(row["target_weight"], 1)),) if row["alpha"] is None else ()),
        fact("stop", formats.money(row["stop"]) + (", in the market" if row["resting_stop"] is not None else "")),
        *((fact("order", _order(row)),) if row["order_type"] else ()),
        fact("decided", formats.instant(row["decided_at"])),
        fact("model", row["model_id"] or "–"),
    )


def _lines(rows: pl.DataFrame, describe: Callable[[Row], str], none: str) -> tuple[Line, ...]:
    return tuple(note(describe(row)) for row in rows.iter_rows(named=True)) or (note(none, "dim"),)


def _fill(row: Row) -> str:
    price = formats.money(row["fill_price"])
    shares = f"{formats.whole(row['shares'])} of {formats.whole(row['ordered'])}"
    text = f"{row['session']}: {row['status']}, {shares} at {price}"
    return f"{text}; {row['reason']}" if row["reason"] else text


def _decision(row: Row) -> str:
    why = f": {row['reason']}" if row["reason"] else ""
    return f"{formats.instant(row['decided_at'])}  {DECIDED[row['decision']]} in the {row['origin']}{why}"


def _regime_sentence(data: PlanData) -> str:
    """The state of the market, and how much of NAV is to be invested: planned as a whole, or aimed at."""
    if data.regime.is_empty():
        return ""
    row = data.regime.row(0, named=True)
    built = data.plans["free_weight"].is_not_null().any()
    aim = "" if built else f" (aim {formats.percent(row['target_exposure'], 0)})"
    planned = data.exposure
    return (
        f"Exposure {formats.percent(planned.now, 0)} now, {formats.percent(planned.after, 0)} after{aim}: "
        f"{formats.money(planned.bought)} bought, {formats.money(planned.sold)} sold. "
        f"Market regime: {row['regime']}, {formats.percent(row['risk_budget'], 0)} of full risk."
    )


def _verdict(value: str) -> Cell:
    return VERDICTS.get(value, Cell("· keep", "dim"))


def _show_rule(value: Any) -> Cell:
    return dim(None) if value is None else Cell(describe_rule(value))


def _weights(value: Row) -> Cell:
    """What a name weighs before and after its order, where they differ."""
    held, after = (formats.percent(value[name], 1) for name in ("held", "after"))
    return dim(held) if held == after else Cell(f"{held} → {after}")


COLS = (
    Col("verdict", "verdict", _verdict, sort="rank"),
    Col("ticker", "ticker"),
    Col("side", "side"),
    Col("intent", "intent", rank=2),
    Col("shares", "shares", lambda value: formats.whole(value) if value else dim("·"), right=True, rank=1),
    Col("value", "amount", formats.money, right=True),
    Col("weight", "weights", _weights, right=True, sort="after"),
    Col("wanted", "wanted_shares", formats.whole, right=True, rank=8),
    Col("close", "close", formats.money, right=True, rank=5),
    Col("expected", "expected_return", PERCENT, right=True, rank=4),
    Col("cost", "expected_cost", formats.percent, right=True, rank=6),
    Col("edge", "edge", PERCENT, right=True),
    Col("stop", "stop", formats.money, right=True, rank=3),
    Col("aim", "target_weight", lambda value: formats.percent(value, 1), right=True, rank=7),
    Col("refused by", "blocked_by", _show_rule),
    Col("off by", "off", lambda value: value or formats.MISSING, right=True, rank=1, sort="nearness"),
)
RULE_COLS = (
    Col("rule", "rule", describe_rule),
    Col("allowed", "allowed", formats.whole, right=True),
    Col("scaled", "scaled", formats.whole, right=True),
    Col("refused", "refused", formats.whole, right=True),
    Col("refused first", "first", formats.whole, right=True),
    Col("last reason", "reason", max_width=70, rank=1),
)
SHEETS: tuple[SheetSpec[PlanData], ...] = (
    SheetSpec(
        "plan",
        lambda data: data.plans,
        COLS,
        ("plan_id",),
        "plan",
        "Nothing has been planned yet.",
        notes=lambda data, row: (*_head(row), *verdict_lines(row, data.rules)),
        charts=lambda data, row: (fan(data.predictions, data.paths, row["ticker"], data.session),),
        detail=lambda _, data, row: plan_detail(data, row),
        actions=lambda _, row: plan_actions(row),
        origin=plan_link,
    ),
    SheetSpec(
        "rules",
        lambda data: data.rule_counts,
        RULE_COLS,
        ("rule",),
        "rule",
        "No rule has been applied yet.",
        notes=lambda _, row: rule_notes(row),
    ),
    SheetSpec(
        "mandate",
        lambda data: data.mandate,
        MANDATE_COLS,
        ("field",),
        "field",
        "No mandate is known.",
        notes=lambda _, row: mandate_notes(row),
    ),
    SheetSpec(
        "regime",
        lambda data: data.regime,
        REGIME_COLS,
        ("session",),
        "session",
        "No regime has been recorded yet.",
        notes=lambda _, row: (note(row["reason"]),),
        charts=lambda data, _: risk_chart(data.regime),
        origin=lambda row: row_link(STRATEGIC_PRIORITIES, row),
    ),
)
