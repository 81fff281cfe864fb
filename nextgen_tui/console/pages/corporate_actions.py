"""Screen 0: what happened to companies, what was corrected since, and what the operator stated himself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_VALUE
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, RAW_PRICES
from lake.tables.trading import TRADE_PLANS
from nextgen_tui.console.charts.chart import Chart, Curve, Mark, day_ticks
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, heading, note
from nextgen_tui.console.page import Detail, Page, Row, Section, SheetSpec, row_link
from nextgen_tui.console.sheet.sheet import Cell, Col, Style, dim, signed
from nextgen_tui.text import formats
from pipeline.control.operator.state_actions import describe_terms
from pipeline.ingestion.actions.action_coverage import OPERATOR
from pipeline.reading.results.action_changes import read_changes, read_corrections, read_holds, read_statements
from pipeline.reading.results.ticker_paths import closes_around, follow_closes

A_YEAR = timedelta(days=365)
"""How far back actions are shown."""
BEFORE = timedelta(days=50)
"""How much further back closes are read: for the chart of the earliest action."""
STATES: dict[str, Style] = {"withdrawn": "bad", "corrected": "warn", "learned late": "warn", "pending": "warn"}
"""State of an action or a statement -> its colour."""


@dataclass(frozen=True)
class ActionData:
    """All that the screen shows."""

    session: date | None
    changes: pl.DataFrame
    statements: pl.DataFrame
    corrections: pl.DataFrame
    holds: pl.DataFrame
    restated: pl.DataFrame
    """Sessions that learned something of past value, and how much: session and restated."""
    daily: pl.DataFrame
    """Closes and total returns of the tickers that any of the actions is about."""


class ActionsPage(Page[ActionData]):
    """Corporate actions by what became of them, and the book's answers to it."""

    number, name = "0", "Actions"
    question = "What happened to companies, and what was learned late?"
    tables = (CORPORATE_ACTIONS, MARKET_PRICES, RAW_PRICES, LEDGER_ENTRIES, TRADE_PLANS, PORTFOLIO_VALUE)

    def load(self, view: LakeView) -> ActionData:
        """A year of actions in every revision, and all that was stated, corrected and put on hold."""
        session = view.session
        if session is None:
            return ActionData(None, *(pl.DataFrame() for _ in range(6)))
        columns = (*RAW_PRICES.key, "session", "fetched_at", "request")
        spoken = view.read(RAW_PRICES, where=pl.col("source") == OPERATOR, columns=columns)
        value = view.read(PORTFOLIO_VALUE, columns=("session", "restated"))
        changes = read_changes(view.read(CORPORATE_ACTIONS, since=session - A_YEAR, every_revision=True), session)
        return ActionData(
            session=session,
            changes=changes,
            statements=read_statements(_until(view, spoken), session),
            corrections=read_corrections(view.read(LEDGER_ENTRIES)),
            holds=read_holds(view.last_rows(TRADE_PLANS)),
            restated=value.filter(pl.col("restated") != 0).sort("session", descending=True),
            daily=_read_closes(view, session, changes),
        )

    def sentence(self, data: ActionData) -> str:
        """How much was corrected, stated and is on hold."""
        if data.session is None:
            return "No data yet; `nextgen init` loads history."
        pending = data.statements.filter(pl.col("state") == "pending").height
        changed = data.changes.filter(pl.col("state") != "in effect").height
        told = [
            f"{formats.counted(data.changes.height, 'action')} in a year, {changed} changed or learned late",
            f"{formats.counted(data.corrections.height, 'entry', 'entries')} corrected the book",
            f"{formats.counted(data.statements.height, 'statement')} of yours"
            + (f", {pending} pending" * bool(pending)),
            f"{formats.counted(data.holds.height, 'name')} on hold" if data.holds.height else "nothing on hold",
        ]
        return "; ".join(told) + "."

    def specs(self, data: ActionData) -> tuple[SheetSpec[ActionData], ...]:
        """Actions, statements, corrections, holds."""
        del data
        return SHEETS

    def summary(self, data: ActionData) -> tuple[Line, ...]:
        """What past value was restated by, and how to state an action."""
        rows = data.restated.head(8).iter_rows() if data.restated.columns else ()
        lines = tuple(fact(str(day), formats.money(amount, signed=True)) for day, amount in rows)
        return (
            heading("past value restated"),
            *(lines or (note("nothing was", "dim"),)),
            heading("your own word"),
            note("nextgen actions add | correct | withdraw | release", "dim"),
        )


def _read_closes(view: LakeView, session: date, changes: pl.DataFrame) -> pl.DataFrame:
    """Closes of the tickers that had an action."""
    bars = view.read(
        MARKET_PRICES,
        since=session - A_YEAR - BEFORE,
        until=session,
        where=(pl.col("interval") == "1d") & pl.col("ticker").is_in(changes["ticker"].unique().to_list()),
        columns=("ticker", "session", "close"),
    )
    return follow_closes(bars, changes)


def draw_closes(data: ActionData, row: Row) -> tuple[Chart, ...]:
    """The closes around the action, as traded and with what a holder got: what it explains, it does not leave open."""
    around = closes_around(data.daily, row["ticker"], row["ex_date"])
    days = around["session"].to_list()
    places = tuple(float(number) for number in range(len(days)))
    after = next((number for number, day in enumerate(days) if day >= row["ex_date"]), None)
    marks = () if after is None else (Mark(float(after), around["close"][after], "◆", "hot"),)
    lines = (
        Curve(places, tuple(around["adjusted"].to_list()), "other", dotted=True),
        Curve(places, tuple(around["close"].to_list()), "past"),
    )
    legend = (("─", "past", "as traded"), ("╌", "other", "adjusted"), ("◆", "hot", "ex-date"))
    return (Chart(row["ticker"], lines, marks=marks, ticks=day_ticks(days), legend=legend, days=tuple(days)),)


def _until(view: LakeView, spoken: pl.DataFrame) -> pl.DataFrame:
    return spoken if view.at is None else spoken.filter(pl.col("fetched_at") <= view.at.moment)


def _state(value: Any) -> Cell:
    return Cell(str(value), STATES.get(str(value), "dim"))


def _describe(row: Row) -> tuple[Line, ...]:
    return (
        heading(f"{row['what']} of {row['ticker']}"),
        fact("ex-date", row["ex_date"]),
        fact("terms", describe_terms(row)),
        fact("state", row["state"]),
        fact("known since", formats.instant(row["available_at"])),
        fact("learned on", row["learned_on"] or "with its history"),
        fact("revision", row["revision"]),
        fact("source", row["source"]),
    )


def action_detail(view: LakeView, data: ActionData, row: Row) -> Detail:
    """Every revision of an action, and what it did to the book."""
    reference = f"{row['ticker']}:{row['ex_date']}:{row['kind']}:{row['sequence']}"
    every = view.read(CORPORATE_ACTIONS, since=row["ex_date"], until=row["ex_date"], every_revision=True)
    same = [pl.col(name) == row[name] for name in ("ticker", "kind", "sequence")]
    links = [
        row_link(CORPORATE_ACTIONS, one, f"revision {one['revision']}", f"{describe_terms(one)}, {one['source']}")
        for one in every.filter(*same).sort("revision").iter_rows(named=True)
    ]
    posted = view.read(LEDGER_ENTRIES).filter(pl.col("reference") == reference).sort("session", "sequence")
    links += [
        row_link(LEDGER_ENTRIES, one, f"{one['kind']} of {one['session']}", f"{one['account']} {one['amount']:,}")
        for one in posted.iter_rows(named=True)
    ]
    del data
    return Detail(reference, (Section(row["ticker"], _describe(row)),), links=tuple(links), copies=reference)


def _describe_statement(row: Row) -> tuple[Line, ...]:
    return (
        heading(f"{row['verb']} {row['ticker']} {row['ex_date']} {row['kind']}"),
        fact("why", row["reason"]),
        fact("stated at", formats.instant(row["stated_at"])),
        fact("from", row["origin"]),
        fact("learned by", row["session"]),
    )


def _describe_correction(row: Row) -> tuple[Line, ...]:
    return (
        heading(row["event_id"]),
        fact("action", row["reference"]),
        fact("counts for", row["effective"]),
        fact("corrects", row["corrects"] or "nothing: it was not posted before"),
    )


CHANGE_COLS = (
    Col("ex-date", "ex_date"),
    Col("ticker", "ticker"),
    Col("what", "what"),
    Col("terms", "terms", max_width=44, rank=4),
    Col("state", "state", _state),
    Col("learned on", "learned_on", formats.day, rank=1),
    Col("rev.", "revision", formats.whole, right=True, rank=2),
    Col("source", "source", dim, rank=3),
)
STATEMENT_COLS = (
    Col("stated", "stated_at", formats.instant, rank=2),
    Col("verb", "verb"),
    Col("ticker", "ticker"),
    Col("ex-date", "ex_date"),
    Col("kind", "kind"),
    Col("state", "state", _state),
    Col("learned by", "session", rank=3),
    Col("why", "reason", max_width=60, rank=1),
)
CORRECTION_COLS = (
    Col("posted", "session"),
    Col("kind", "kind"),
    Col("ticker", "ticker"),
    Col("shares", "shares", signed(lambda value: f"{value:+,}"), right=True),
    Col("cash or owed", "money", signed(lambda value: formats.money(value, signed=True)), right=True),
    Col("counts for", "effective"),
    Col("action", "reference", dim, rank=1),
)
HOLD_COLS = (
    Col("ticker", "ticker"),
    Col("close", "close", formats.money, right=True),
    Col("why", "reason", max_width=120),
)
SHEETS = (
    SheetSpec[ActionData](
        "actions", lambda data: data.changes, CHANGE_COLS, ("ticker", "ex_date", "kind", "sequence"), "action",
        "No corporate action in a year.", notes=lambda _, row: _describe(row), charts=draw_closes, detail=action_detail,
        origin=lambda row: row_link(CORPORATE_ACTIONS, row),
    ),
    SheetSpec[ActionData](
        "your word", lambda data: data.statements, STATEMENT_COLS, ("payload_id",), "statement",
        "You have stated nothing: nextgen actions add | correct | withdraw | release.",
        notes=lambda _, row: _describe_statement(row),
    ),
    SheetSpec[ActionData](
        "corrections", lambda data: data.corrections, CORRECTION_COLS, ("event_id",), "correction",
        "Nothing that was posted has been corrected.", notes=lambda _, row: _describe_correction(row),
    ),
    SheetSpec[ActionData](
        "on hold", lambda data: data.holds, HOLD_COLS, ("ticker",), "name", "No name is on hold.",
    ),
)  # fmt: skip
