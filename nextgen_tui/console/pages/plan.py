"""Screen 5: what will it trade at the next open, and what did it reject, by which rule, how narrowly?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from lake.tables.control import TRADE_DECISIONS
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import EXECUTED_TRADES, STRATEGIC_PRIORITIES, TRADE_PLANS
from nextgen_tui.console.charts.charts import Chart, Curve
from nextgen_tui.console.charts.fan_chart import empty_paths, fan, read_paths
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.page import Action, Detail, Line, Link, Page, Row, Section, fact, note
from nextgen_tui.console.pages.predictions import MANY, member_lines
from nextgen_tui.console.sheet.sheet import Cell, Col, Sheet, signed
from nextgen_tui.console.shortfall import off_by, off_by_briefly
from nextgen_tui.text import formats

PLANS, RULES, STANCE = "plan", "rules", "stance"
SPOKEN = {"approve": "approved", "veto": "vetoed"}
VERDICTS = {
    "order": Cell("✓ order", "good"),
    "approved": Cell("✓ approved", "good"),
    "vetoed": Cell("✗ vetoed", "warn"),
    "refused": Cell("✗ refused", "bad"),
}
PERCENT = signed(lambda value: formats.percent(value, signed=True))


@dataclass(frozen=True)
class PlanData:
    """The last decision: every trade considered, and the stance behind it."""

    session: date | None
    plans: pl.DataFrame
    rules: pl.DataFrame
    stance: pl.DataFrame
    predictions: pl.DataFrame
    paths: pl.DataFrame
    fills: pl.DataFrame
    """What became of the orders; empty until the next open is settled."""
    said: pl.DataFrame
    """The operator's last word on each, where there is one."""


class PlanPage(Page[PlanData]):
    """Orders first, then what was refused, the narrowest refusal first."""

    number, name = "5", "Plan"
    question = "What will it trade, and what did it reject?"
    tables = (TRADE_PLANS, STRATEGIC_PRIORITIES, PREDICTIONS, EXECUTED_TRADES, TRADE_DECISIONS)

    def quick_load(self, view: LakeView) -> PlanData | None:
        """Beside very many forecasts the plan without them; they follow."""
        session = view.last(TRADE_PLANS)
        if session is None or view.last_count(PREDICTIONS) <= MANY:
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
        return plan_data(view, session, predictions, read_paths(view, tickers, session))

    def sentence(self, data: PlanData) -> str:
        """How many orders, how many refusals, by what, under which stance."""
        if data.session is None or data.plans.is_empty():
            return "Nothing has been planned yet; plans follow the first forecasts."
        taken = data.plans.filter(pl.col("taken") & (pl.col("verdict") != "vetoed"))
        vetoed = data.plans.filter(pl.col("verdict") == "vetoed").height
        blocked = data.plans.filter(pl.col("blocked_by").is_not_null())
        most = data.rules.filter(pl.col("first") > 0)
        by = f", most often by {most['rule'][0]} ({most['first'][0]})" if most.height else ""
        told = f"For the open of {data.plans['for_session'][0]}: {formats.counted(taken.height, 'order')}"
        names = ", ".join(f"{side} {ticker}" for side, ticker in taken.select("side", "ticker").head(4).iter_rows())
        more = f" ({names}{', ...' if taken.height > 4 else ''})" if names else ""
        stopped = f", {vetoed} vetoed" if vetoed else ""
        return f"{told}{more}{stopped}, {blocked.height} refused{by}. {_stance(data.stance)}"

    def sheets(self, data: PlanData) -> tuple[str, ...]:
        """The plan, its rules, the stance over time."""
        del data
        return PLANS, RULES, STANCE

    def sheet(self, data: PlanData, name: str) -> Sheet:
        """One of them."""
        if name == RULES:
            return Sheet(data.rules, RULE_COLS, ("rule",), "No rule has been asked yet.", "rule")
        if name == STANCE:
            return Sheet(data.stance, STANCE_COLS, ("session",), "No stance has been taken yet.", "session")
        return Sheet(data.plans, COLS, ("plan_id",), "Nothing has been planned yet.", "plan")

    def notes(self, data: PlanData, name: str, row: Row | None) -> tuple[Line, ...]:
        """Every rule's verdict on the chosen trade."""
        del data
        if row is None:
            return ()
        if name == RULES:
            return (
                (Cell(row["rule"], "accent"),),
                fact("allowed", row["allowed"]),
                fact("scaled", row["scaled"]),
                fact("refused", f"{row['refused']}, the first to do so {row['first']} times"),
                note(f"last said: {row['reason']}", "dim"),
            )
        if name == STANCE:
            return (note(row["reason"]),)
        return (*_head(row), *verdict_lines(row))

    def charts(self, data: PlanData, name: str, row: Row | None) -> tuple[Chart, ...]:
        """The forecast the trade rests on; the risk budget over time beside the stance."""
        if row is None or name == RULES:
            return ()
        if name == STANCE:
            return _budget(data.stance)
        return (fan(data.predictions, data.paths, row["ticker"], data.session),)

    def detail(self, view: LakeView, data: PlanData, name: str, row: Row) -> Detail | None:
        """The trade with its rules, forecast and what became of it."""
        del view
        if name != PLANS:
            return None
        mine = data.predictions.filter(pl.col("prediction_id") == row["prediction_id"])
        forecast = (
            member_lines(mine.row(0, named=True)) if mine.height else (note("no forecast stands behind it", "dim"),)
        )
        fills = data.fills.filter(pl.col("plan_id") == row["plan_id"]) if data.fills.height else data.fills
        became = tuple(note(_fill(one)) for one in fills.iter_rows(named=True)) or (note("not settled yet", "dim"),)
        words = data.said.filter(pl.col("plan_id") == row["plan_id"])
        spoken = tuple(note(_spoken(one)) for one in words.iter_rows(named=True)) or (note("nothing was said", "dim"),)
        sections = (
            Section("The trade", (*_head(row), *_figures(row))),
            Section("Rules, in the order they are asked", verdict_lines(row, everything=True)),
            Section("The forecast behind it", forecast),
            Section("The operator's word", spoken),
            Section("What became of it", became),
        )
        link = self.origin(name, row)
        return Detail(
            f"plan {row['plan_id']}",
            sections,
            (fan(data.predictions, data.paths, row["ticker"], data.session),),
            (link,) if link else (),
            row["plan_id"],
            self.actions(data, name, row),
        )

    def actions(self, data: PlanData, name: str, row: Row) -> tuple[Action, ...]:
        """An order can be approved or vetoed before its open."""
        del data
        if name != PLANS or not row["taken"]:
            return ()
        order = f"{row['side']} {formats.whole(row['shares'])} {row['ticker']} at the open of {row['for_session']}"
        return tuple(Action(word, f"{word} {row['plan_id']}", order) for word in ("approve", "veto"))

    def origin(self, name: str, row: Row) -> Link | None:
        """The plan."""
        if name == STANCE:
            return Link(str(row["session"]), STRATEGIC_PRIORITIES.name, {"session": row["session"]})
        if name == RULES:
            return None
        return Link(f"plan {row['plan_id']}", TRADE_PLANS.name, {"session": row["session"], "ticker": row["ticker"]})


def plan_data(view: LakeView, session: date, predictions: pl.DataFrame, paths: pl.DataFrame) -> PlanData:
    """A session's plans, the words said about them and what became of them.

    Raises:
        LakeError: if the lake cannot be read.
    """
    said = last_words(view.read(TRADE_DECISIONS, where=pl.col("plan_id").str.starts_with(f"{session}:")))
    plans = add_decision(add_distance(view.read(TRADE_PLANS, since=session, until=session)), said)
    # What became of the orders is known only later: it is read from now, wherever the view stands.
    fills = view.lake.read(EXECUTED_TRADES, since=session)
    return PlanData(session, plans, rule_rows(plans), stances(view), predictions, paths, fills, said)


def empty_plan(view: LakeView) -> PlanData:
    """Where nothing has been planned yet.

    Raises:
        LakeError: if the lake cannot be read.
    """
    none, nothing, fills, decisions = (
        pl.DataFrame(schema=table.stored_schema)
        for table in (TRADE_PLANS, PREDICTIONS, EXECUTED_TRADES, TRADE_DECISIONS)
    )
    said = last_words(decisions)
    plans = add_decision(add_distance(none), said)
    return PlanData(None, plans, rule_rows(none), stances(view), nothing, empty_paths(), fills, said)


def stances(view: LakeView) -> pl.DataFrame:
    """Every session's stance, the newest first.

    Raises:
        LakeError: if the lake cannot be read.
    """
    return view.read(STRATEGIC_PRIORITIES).sort("session", descending=True)


def add_distance(plans: pl.DataFrame) -> pl.DataFrame:
    """Adds `verdict`, an order (taken, refused, kept), and how far off the first refusing rule was.

    `off` says it in the rule's unit; `nearness` orders by rule, then by how narrow it was.
    """
    refusing = pl.col("verdicts").list.eval(pl.element().filter(pl.element().struct.field("verdict") == "refuse"))
    first = refusing.list.first()
    rows = plans.with_columns(
        distance=first.struct.field("distance"),
        because=first.struct.field("reason"),
        verdict=pl.when(pl.col("taken"))
        .then(pl.lit("order"))
        .when(pl.col("blocked_by").is_not_null())
        .then(pl.lit("refused"))
        .otherwise(pl.lit("keep")),
    )
    rank = pl.col("verdict").replace_strict({"order": 0, "refused": 1, "keep": 2}, return_dtype=pl.Int8)
    reasons = rows.select("blocked_by", "distance", pl.col("because").fill_null(""))
    told = [off_by_briefly(*row) for row in reasons.iter_rows()]
    rows = rows.with_columns(rank=rank, off=pl.Series(told, dtype=pl.String))
    rows = rows.sort("blocked_by", "distance", "ticker", nulls_last=True).with_row_index("nearness")
    return rows.sort(["rank", "edge", "ticker"], descending=[False, True, False], nulls_last=True)


def last_words(decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per plan: the last that was said of it."""
    ordered = decisions.sort("decided_at", "decision_id")
    return ordered.unique(subset=["plan_id"], keep="last", maintain_order=True)


def add_decision(plans: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """An order that was approved or vetoed has that as its `verdict`."""
    words = said.select("plan_id", pl.col("decision").replace_strict(SPOKEN, return_dtype=pl.String).alias("word"))
    joined = plans.join(words, on="plan_id", how="left", maintain_order="left")
    order = pl.when(pl.col("taken")).then(pl.coalesce("word", "verdict")).otherwise("verdict")
    return joined.with_columns(verdict=order).drop("word")


def rule_rows(plans: pl.DataFrame) -> pl.DataFrame:
    """One row per rule, the most often decisive first: how often it allowed, scaled, refused, and refused first."""
    asked = plans.select("blocked_by", "verdicts").explode("verdicts").filter(pl.col("verdicts").is_not_null())
    if asked.is_empty():
        counts = ("allowed", "scaled", "refused", "first")
        return pl.DataFrame(schema={"rule": pl.String, **dict.fromkeys(counts, pl.Int64), "reason": pl.String})
    asked = asked.unnest("verdicts")

    def count(test: pl.Expr, name: str) -> pl.Expr:
        return test.fill_null(False).sum().cast(pl.Int64).alias(name)

    return (
        asked.group_by("rule", maintain_order=True)
        .agg(
            count(pl.col("verdict") == "allow", "allowed"),
            count(pl.col("verdict") == "scale", "scaled"),
            count(pl.col("verdict") == "refuse", "refused"),
            count(pl.col("rule") == pl.col("blocked_by"), "first"),
            pl.col("reason").filter(pl.col("verdict") != "allow").last().fill_null("").alias("reason"),
        )
        .sort(["first", "refused", "scaled", "rule"], descending=[True, True, True, False])
    )


def verdict_lines(row: Row, *, everything: bool = False) -> tuple[Line, ...]:
    """The rules' verdicts; without `everything` only those that changed something."""
    lines: list[Line] = []
    for one in row["verdicts"]:
        if one["verdict"] == "allow" and not everything:
            continue
        sign = {"allow": Cell("✓ ", "good"), "scale": Cell("~ ", "warn"), "refuse": Cell("✗ ", "bad")}[one["verdict"]]
        told = f"{one['reason']}"
        if one["verdict"] == "scale":
            told = f"to {formats.percent(one['scale'], 0)}: {told}"
        if one["verdict"] == "refuse":
            far = off_by(one["rule"], one["distance"], one["reason"])
            told += f" (off by {far})" if far != formats.MISSING else ""
        lines.append((sign, Cell(f"{one['rule']:<21} "), *note(told, "dim")))
    return tuple(lines) or (note("every rule lets it pass whole", "good"),)


def _head(row: Row) -> tuple[Line, ...]:
    return (
        (_verdict(row["verdict"]), Cell(f"  {row['side']} {row['ticker']} to {row['intent']}  {row['sector']}")),
        fact(
            "shares",
            f"{formats.whole(row['shares'])} of {formats.whole(row['wanted_shares'])} wanted "
            f"at {formats.money(row['close'])}",
        ),
        fact(
            "edge",
            f"{formats.percent(row['edge'], signed=True)} = {formats.percent(row['expected_return'], signed=True)} "
            f"less {formats.percent(row['expected_cost'])} cost",
        ),
    )


def _figures(row: Row) -> tuple[Line, ...]:
    return (
        fact("for the open", row["for_session"]),
        fact(
            "80 %",
            f"{formats.percent(row['low_80'], 1, signed=True)} to {formats.percent(row['high_80'], 1, signed=True)}",
        ),
        fact("weight", formats.percent(row["target_weight"], 1)),
        fact("stop", formats.money(row["stop"])),
        fact("decided", formats.instant(row["decided_at"])),
        fact("model", row["model_id"] or "–"),
    )


def _fill(row: Row) -> str:
    price = formats.money(row["fill_price"])
    shares = f"{formats.whole(row['shares'])} of {formats.whole(row['ordered'])}"
    told = f"{row['session']}: {row['status']}, {shares} at {price}"
    return f"{told}; {row['reason']}" if row["reason"] else told


def _spoken(row: Row) -> str:
    why = f": {row['reason']}" if row["reason"] else ""
    return f"{formats.instant(row['decided_at'])}  {SPOKEN[row['decision']]} from the {row['origin']}{why}"


def _stance(stance: pl.DataFrame) -> str:
    if stance.is_empty():
        return ""
    row = stance.row(0, named=True)
    return (
        f"The market is {row['regime']}: {formats.percent(row['risk_budget'], 0)} of full risk, "
        f"{formats.percent(row['target_exposure'], 0)} exposure aimed at."
    )


def _budget(stance: pl.DataFrame) -> tuple[Chart, ...]:
    rows = stance.sort("session")
    xs = tuple(float(number) for number in range(rows.height))
    days = rows["session"].to_list()
    return (
        Chart(
            "risk",
            (
                Curve(xs, tuple(rows["target_exposure"].to_list()), "own"),
                Curve(xs, tuple(rows["risk_budget"].to_list()), "benchmark", dotted=True),
            ),
            words=lambda value: formats.percent(value, 0),
            ticks=((0.0, f"{days[0]:%b %d}"), (xs[-1], f"{days[-1]:%b %d}")),
            legend=(("⠒", "own", "exposure"), ("⠤", "benchmark", "risk budget")),
        ),
    )


def _verdict(value: str) -> Cell:
    return VERDICTS.get(value, Cell("· keep", "dim"))


def _blocked(value: Any) -> Cell:
    return Cell("–", "dim") if value is None else Cell(str(value), "warn")


COLS = (
    Col("verdict", "verdict", _verdict, sort="rank"),
    Col("ticker", "ticker"),
    Col("side", "side"),
    Col("why", "intent", rank=2),
    Col("shares", "shares", formats.whole, right=True),
    Col("wanted", "wanted_shares", formats.whole, right=True, rank=4),
    Col("close", "close", formats.money, right=True, rank=5),
    Col("expected", "expected_return", PERCENT, right=True, rank=3),
    Col("cost", "expected_cost", formats.percent, right=True, rank=6),
    Col("edge", "edge", PERCENT, right=True),
    Col("weight", "target_weight", lambda value: formats.percent(value, 1), right=True, rank=7),
    Col("stopped by", "blocked_by", _blocked),
    Col("off by", "off", right=True, rank=1, sort="nearness"),
)
RULE_COLS = (
    Col("rule", "rule"),
    Col("allowed", "allowed", formats.whole, right=True),
    Col("scaled", "scaled", formats.whole, right=True),
    Col("refused", "refused", formats.whole, right=True),
    Col("first to", "first", formats.whole, right=True),
    Col("last said", "reason", most=70, rank=1),
)
STANCE_COLS = (
    Col("session", "session"),
    Col("regime", "regime"),
    Col("risk", "risk_budget", lambda value: formats.percent(value, 0), right=True),
    Col("exposure", "target_exposure", lambda value: formats.percent(value, 0), right=True),
    Col("names", "most_positions", formats.whole, right=True),
    Col("volatility", "market_volatility", lambda value: formats.percent(value, 0), right=True, rank=1),
    Col("trend", "market_trend", PERCENT, right=True, rank=2),
    Col("drawdown", "drawdown", formats.percent, right=True, rank=3),
    Col("why", "reason", most=80, rank=4),
)
