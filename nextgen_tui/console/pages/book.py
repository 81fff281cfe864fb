"""Screen 6: how is the book doing, against what, at which risk, and does every cent reconcile?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import polars as pl

from lake.tables.attribution import ATTRIBUTIONS
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS, TRADE_REFLECTIONS
from nextgen_tui.console.charts.chart import Chart
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.lineage.lineage_view import follow
from nextgen_tui.console.notes import Line, fact, heading, note
from nextgen_tui.console.page import Detail, Link, Page, Row, Section, SheetSpec, row_link
from nextgen_tui.console.pages.book_charts import equity_charts, trade_chart
from nextgen_tui.console.pages.profit_sheet import COLS as PROFIT_COLS
from nextgen_tui.console.pages.profit_sheet import lesson_notes, profit_notes
from nextgen_tui.console.pages.risk_sheet import SECTOR_COLS, distance, gain_notes, next_action, risk_notes
from nextgen_tui.console.sheet.sheet import Cell, Col, Style, signed
from nextgen_tui.text import formats
from pipeline.reading.report.profit_origins import sum_profit
from pipeline.reading.report.span import Span
from pipeline.reading.report.tracks import read_cash, read_tracks
from pipeline.reading.results.snapshot_mark import SnapshotMark, mark_at_snapshot
from pipeline.reading.results.summary import LedgerFacts, ledger_facts
from pipeline.reading.results.ticker_paths import add_closes
from pipeline.reading.risk import Limits, add_stops, read_limits, sector_rows

SPARK = 16
DAYS_BACK = 120
MONEY = signed(lambda value: formats.money(value, signed=True))
PERCENT = signed(lambda value: formats.percent(value, signed=True))


@dataclass(frozen=True)
class BookData:
    """The book's worth, what it holds and did, and whether its ledger agrees."""

    value: pl.DataFrame
    """Rising by session."""
    holdings: pl.DataFrame
    trades: pl.DataFrame
    lessons: pl.DataFrame
    ledger: pl.DataFrame
    facts: LedgerFacts
    bars: pl.DataFrame
    profit: pl.DataFrame
    """By view, part and item."""
    sectors: pl.DataFrame = field(default_factory=pl.DataFrame)
    """The holdings by sector, with their limit."""
    limits: Limits | None = None
    mark: SnapshotMark | None = None
    """At the last snapshot of a session whose cycle has not run; None where there is none."""


class BookPage(Page[BookData]):
    """Holdings beside the equity curve; trades, lessons and the ledger behind them."""

    number, name = "6", "Book"
    question = "How is the book doing, and what is my risk?"
    tables = (
        PORTFOLIO_VALUE,
        PORTFOLIO_HOLDINGS,
        EXECUTED_TRADES,
        TRADE_REFLECTIONS,
        LEDGER_ENTRIES,
        ATTRIBUTIONS,
        TRADE_PLANS,
    )

    def load(self, view: LakeView) -> BookData:
        """The whole value series and ledger, the last holdings, and bars of what was traded."""
        value = view.read(PORTFOLIO_VALUE)
        ledger = view.read(LEDGER_ENTRIES)
        held = pl.DataFrame(schema=PORTFOLIO_HOLDINGS.stored_schema)
        bars = pl.DataFrame(schema=MARKET_PRICES.stored_schema)
        mark = None
        trades = view.read(EXECUTED_TRADES).sort("session", "ticker", descending=[True, False])
        if value.height:
            last = value["session"][-1]
            held = view.read(PORTFOLIO_HOLDINGS, since=last, until=last)
            wanted = sorted({*held["ticker"], *trades["ticker"].head(200)})
            daily = pl.col("ticker").is_in(wanted) & (pl.col("interval") == "1d")
            span = {"since": last - timedelta(days=DAYS_BACK), "until": last}
            bars = view.read(MARKET_PRICES, where=daily, every_revision=False, **span)
            mark = _mark(view, value["nav"][-1], held)
        plans, limits = view.last_rows(TRADE_PLANS), read_limits(view.path)
        holdings = add_stops(add_closes(held, bars), plans)
        return BookData(
            value=value,
            holdings=holdings,
            sectors=sector_rows(holdings, plans, limits),
            limits=limits,
            trades=trades,
            lessons=view.read(TRADE_REFLECTIONS).sort("session", "trade_id", descending=True),
            ledger=ledger.sort("session", "sequence", descending=True),
            facts=ledger_facts(ledger, value),
            bars=bars,
            profit=sum_profit(view.read(ATTRIBUTIONS)),
            mark=mark,
        )

    def sentence(self, data: BookData) -> str:
        """Value, gain, what it is compared with, drawdown, and whether the ledger agrees."""
        if data.value.is_empty():
            return "The book has not been opened yet; the first cycle funds it."
        row = data.value.row(-1, named=True)
        capital = float(row["capital"])
        gain = float(row["nav"]) / capital - 1
        tracks = read_tracks(Span(data.value, None, data.value))[1:]
        beside = ", ".join(f"{track.name} {formats.percent(track.total, signed=True)}" for track in tracks)
        return (
            f"{formats.money(row['nav'])} at {row['session']}: {formats.percent(gain, signed=True)} since the start "
            f"({beside}); {formats.percent(row['drawdown'], 1)} below the peak. "
            + (f"{data.mark.sentence} " if data.mark else "")
            + data.facts.sentence
        )

    def specs(self, data: BookData) -> tuple[SheetSpec[BookData], ...]:
        """Holdings, trades, lessons, ledger, sessions, profit."""
        del data
        return SHEETS

    def summary(self, data: BookData) -> tuple[Line, ...]:
        """Where the value comes from, and what it would be at the last snapshot."""
        marked = mark_notes(data.mark) if data.mark else ()
        if data.value.is_empty():
            return ()
        last = data.value.row(-1, named=True)
        risk = (*gain_notes(data.value), *risk_notes(last, data.holdings, data.sectors, data.limits))
        return (*marked, *risk, *value_sources(last), *ladder_notes(data.value))

    def overview(self, data: BookData) -> tuple[Chart, ...]:
        """The book beside what it is compared with, with its drawdown."""
        return equity_charts(data.value)


def _mark(view: LakeView, nav: Decimal, held: pl.DataFrame) -> SnapshotMark | None:
    """The book at the last snapshot since its last session; none at a past standpoint."""
    if view.at is not None or held.is_empty():
        return None
    later = {"since": held["session"][0] + timedelta(days=1), "where": pl.col("ticker").is_in(held["ticker"].to_list())}
    bars = view.read(INTRADAY_PRICES, every_revision=False, columns=(*INTRADAY_PRICES.key, "session", "close"), **later)
    if bars.is_empty():
        return None
    actions = view.read(CORPORATE_ACTIONS, every_revision=False, until=bars["session"].max(), **later)
    return mark_at_snapshot(nav, held, bars, actions)


def value_sources(row: Row) -> tuple[Line, ...]:
    """Where the value comes from, to the cent; spread and impact are in the prices that were paid."""
    gained = [
        ("realised", row["realised"]),
        ("unrealised", row["unrealised"]),
        ("dividends", row["dividends"]),
        ("commission", -row["commission"]),
    ]
    rare = {"exchange rates": row["exchange"], "interest": row["interest"], "borrow": row["borrow_cost"]}
    gained[1:1] = [(one, -cents if one == "borrow" else cents) for one, cents in rare.items() if cents is not None]
    lines = [heading("where the value comes from"), fact("capital", formats.money(row["capital"]), right=14)]
    for label, amount in gained:
        style: Style = "good" if amount > 0 else "bad" if amount < 0 else ""
        lines.append(fact(label, formats.money(amount, signed=True), style, right=14))
    lines.append(fact("value", formats.money(row["nav"]), right=14))
    lines.append(_verdict(row))
    if row["restated"]:
        lines.append(fact("restated", f"{formats.money(row['restated'], signed=True)} of earlier sessions", "warn"))
    if row["difference"]:
        lines.append(note(row["difference"], "bad"))
    costs = row["commission"] + row["spread_cost"] + row["impact_cost"]
    lines.append(fact("costs so far", formats.money(costs), right=14))
    return tuple(lines)


def ladder_notes(value: pl.DataFrame) -> tuple[Line, ...]:
    """What the same money would be in each reference, after costs where they were charged."""
    span = Span(value, None, value)
    tracks = (*read_tracks(span)[1:], read_cash(span))
    worth = ((track.name, float(span.start_value) * (1 + track.total)) for track in reversed(tracks))
    return (heading("the same money in"), *(fact(name, formats.money(amount), right=14) for name, amount in worth))


def mark_notes(mark: SnapshotMark) -> tuple[Line, ...]:
    """The book at the last snapshot, apart from what its sessions came to."""
    style: Style = "good" if mark.change > 0 else "bad" if mark.change < 0 else ""
    return (
        heading(f"at {mark.at:%Y-%m-%d %H:%M} UTC, unofficial"),
        fact("value", formats.money(mark.value), right=14),
        fact("since close", formats.money(mark.change, signed=True), style, right=14),
        note(mark.scope),
        heading("at the last close"),
    )


def _verdict(row: Row) -> Line:
    """Whether the ledger agrees with fills and facts."""
    off = row["unexplained"]
    if off != 0:
        return fact("adds up", f"✗ {off} unexplained", "bad")
    return fact("adds up", "✗ see below", "bad") if row["difference"] else fact("adds up", "✓ to the cent", "good")


def trade_notes(row: Row) -> tuple[Line, ...]:
    """A trade with every cost apart."""
    return (
        (Cell(f"{row['side']} {row['ticker']}", "accent"), Cell(f"  {row['status']} on {row['session']}", "dim")),
        fact("shares", f"{formats.whole(row['shares'])} of {formats.whole(row['ordered'])}"),
        fact((row["order_type"] or "open").removeprefix("market-on-"), formats.number(row["open_price"], 4)),
        fact("fill", formats.number(row["fill_price"], 4)),
        *_converted(row, "local_gross"),
        fact("gross", formats.money(row["gross"])),
        fact("spread", formats.money(row["spread_cost"])),
        fact("impact", formats.money(row["impact_cost"])),
        fact("commission", formats.money(row["commission"])),
        *((note(row["reason"], "warn"),) if row["reason"] else ()),
    )


def _converted(row: Row, amount: str) -> tuple[Line, ...]:
    """Of a foreign name: an amount in its currency, and the rate by which the book has it; nothing of the others."""
    if row["currency"] is None:
        return ()
    told = (
        f"{formats.money(row[amount])} {row['currency']} at {formats.number(row['rate'], 6)} of {row['rate_session']}"
    )
    return (fact("converted", told),)


def event_lines(ledger: pl.DataFrame, event_id: str) -> tuple[Line, ...]:
    """The legs of an event, which sum to zero."""
    legs = ledger.filter(pl.col("event_id") == event_id).sort("sequence")
    lines = [heading(f"event {event_id}")]
    for leg in legs.iter_rows(named=True):
        lines.append((Cell(f"{leg['account']:<12} ", "dim"), Cell(f"{formats.money(leg['amount'], signed=True):>16}")))
    total = sum(legs["amount"].to_list(), Decimal(0))
    lines.append((Cell("sum          ", "dim"), Cell(f"{formats.money(total):>16}", "good" if total == 0 else "bad")))
    return tuple(lines)


def position_detail(data: BookData, row: Row) -> Detail:
    """A position: what it cost, what it is worth, and every trade in it."""
    ticker = row["ticker"]
    trades = data.trades.filter(pl.col("ticker") == ticker)
    lessons = data.lessons.filter(pl.col("ticker") == ticker)
    links = tuple(
        Link(
            f"{one['side']} of {one['session']}",
            EXECUTED_TRADES.name,
            {"trade_id": one["trade_id"], "session": one["session"]},
            f"{formats.whole(one['shares'])} at {formats.number(one['fill_price'], 4)}, {one['status']}",
        )
        for one in trades.iter_rows(named=True)
    )
    learned = tuple(
        note(f"{one['session']}  {formats.money(one['profit'], signed=True)}  {one['lesson']}")
        for one in lessons.iter_rows(named=True)
    )
    lines = (
        fact("shares", formats.whole(row["shares"])),
        fact("cost", formats.money(row["cost"])),
        fact("worth", f"{formats.money(row['market_value'])}  {formats.percent(row['gain'], signed=True)}"),
        *_converted(row, "local_value"),
        *_foreign_gain(row),
        fact("weight", formats.percent(row["weight"], 1)),
        fact("held", f"since {row['opened']}, {formats.counted(row['held_sessions'], 'session')}"),
        fact("last close", f"{formats.money(row['close'])} of {row['close_session']}"),
    )
    sections = (Section(f"{ticker}, {row['sector']}", lines), Section("Lessons", learned or (note("none yet", "dim"),)))
    return Detail(f"{ticker}: position", sections, (trade_chart(data.bars, data.trades, ticker, 80),), links, ticker)


def _foreign_gain(row: Row) -> tuple[Line, ...]:
    """What a foreign position gained in its own currency, and what the exchange rate brought."""
    if row["currency"] is None:
        return ()
    gain = f"{formats.money(row['local_value'] - row['local_cost'], signed=True)} {row['currency']}"
    return (fact("own gain", gain), fact("by the rate", formats.money(row["exchange_gain"], signed=True)))


def _spark(values: object) -> Cell:
    return Cell(formats.sparkline(list(values), SPARK) if values is not None else "", "dim")  # type: ignore[call-overload]


def _weight(value: float) -> Cell:
    return Cell(formats.bar(value * 8, 8), "accent")


HOLDING_COLS = (
    Col("ticker", "ticker"),
    Col("shares", "shares", formats.whole, right=True, rank=1),
    Col("close", "close", formats.money, right=True, rank=2),
    Col("value", "market_value", formats.money, right=True),
    Col("weight", "weight", lambda value: formats.percent(value, 1), right=True),
    Col("share", "weight", _weight, rank=6),
    Col("gain", "unrealised", MONEY, right=True),
    Col("gain %", "gain", PERCENT, right=True),
    Col("to stop", "to_stop", distance, right=True),
    Col("next", "next", next_action, max_width=30, rank=1),
    Col("at stop", "at_stop", MONEY, right=True, rank=4),
    Col("stop", "stop", formats.money, right=True, rank=7),
    Col("16 sessions", "closes", _spark, rank=3, sort="gain"),
    Col("held", "held_sessions", formats.whole, right=True, rank=4),
    Col("sector", "sector", rank=5),
)
TRADE_COLS = (
    Col("session", "session"),
    Col("ticker", "ticker"),
    Col("side", "side"),
    Col("status", "status"),
    Col("shares", "shares", formats.whole, right=True),
    Col("fill", "fill_price", lambda value: formats.money(value), right=True),
    Col("gross", "gross", formats.money, right=True, rank=1),
    Col("spread", "spread_cost", formats.money, right=True, rank=3),
    Col("impact", "impact_cost", formats.money, right=True, rank=3),
    Col("commission", "commission", formats.money, right=True, rank=2),
    Col("unfilled because", "reason", rank=4),
)
LESSON_COLS = (
    Col("session", "session"),
    Col("ticker", "ticker"),
    Col("profit", "profit", MONEY, right=True),
    Col("expected", "expected_return", PERCENT, right=True, rank=1),
    Col("realised", "realised_return", PERCENT, right=True),
    Col("held", "held_sessions", formats.whole, right=True, rank=2),
    Col("verdict", "verdict"),
    Col("lesson", "lesson", max_width=70, rank=3),
)
LEDGER_COLS = (
    Col("session", "session"),
    Col("kind", "kind"),
    Col("account", "account"),
    Col("ticker", "ticker", lambda value: value or formats.MISSING),
    Col("amount", "amount", MONEY, right=True),
    Col("shares", "shares", formats.whole, right=True, rank=1),
    Col("reference", "reference", rank=2),
    Col("effective", "effective", formats.day, rank=3),
)
DAY_COLS = (
    Col("session", "session"),
    Col("value", "nav", formats.money, right=True),
    Col("return", "session_return", PERCENT, right=True),
    Col("drawdown", "drawdown", lambda value: formats.percent(value, 1), right=True),
    Col("cash", "cash", formats.money, right=True, rank=1),
    Col("names", "positions", formats.whole, right=True),
    Col("exposure", "exposure", lambda value: formats.percent(value, 0), right=True),
    Col("turnover", "turnover", lambda value: formats.percent(value, 1), right=True, rank=2),
    Col("restated", "restated", lambda value: formats.money(value) if value else "", right=True, rank=3),
    Col("unexplained", "unexplained", formats.money, right=True, rank=3),
)
UNOPENED = "The book has not been opened yet."


def _say_nothing_held(data: BookData) -> str:
    return UNOPENED if data.value.is_empty() else "The book holds nothing but cash."


SHEETS: tuple[SheetSpec[BookData], ...] = (
    SheetSpec(
        "holdings",
        lambda data: data.holdings.sort("weight", "ticker", descending=[True, False]),
        HOLDING_COLS,
        ("ticker",),
        "holding",
        _say_nothing_held,
        detail=lambda _, data, row: position_detail(data, row),
        origin=lambda row: row_link(PORTFOLIO_HOLDINGS, row),
    ),
    SheetSpec(
        "trades",
        lambda data: data.trades,
        TRADE_COLS,
        ("trade_id",),
        "trade",
        "Nothing has been traded yet.",
        notes=lambda _, row: trade_notes(row),
        charts=lambda data, row: (trade_chart(data.bars, data.trades, row["ticker"]),),
        detail=lambda view, _, row: follow(view, row_link(EXECUTED_TRADES, row)),
        origin=lambda row: row_link(EXECUTED_TRADES, row),
    ),
    SheetSpec(
        "sectors",
        lambda data: data.sectors,
        SECTOR_COLS,
        ("sector",),
        "sector",
        _say_nothing_held,
    ),
    SheetSpec(
        "lessons",
        lambda data: data.lessons,
        LESSON_COLS,
        ("trade_id",),
        "lesson",
        "No position has been closed yet.",
        notes=lambda _, row: lesson_notes(row),
        charts=lambda data, row: (trade_chart(data.bars, data.trades, row["ticker"]),),
        detail=lambda view, _, row: follow(view, row_link(TRADE_REFLECTIONS, row)),
        origin=lambda row: row_link(TRADE_REFLECTIONS, row),
    ),
    SheetSpec(
        "ledger",
        lambda data: data.ledger,
        LEDGER_COLS,
        ("entry_id",),
        "entry",
        "The ledger is empty.",
        notes=lambda data, row: event_lines(data.ledger, row["event_id"]),
        detail=lambda view, _, row: follow(view, row_link(LEDGER_ENTRIES, row)),
        origin=lambda row: row_link(LEDGER_ENTRIES, row),
    ),
    SheetSpec(
        "sessions",
        lambda data: data.value.sort("session", descending=True),
        DAY_COLS,
        ("session",),
        "session",
        UNOPENED,
        notes=lambda _, row: value_sources(row),
        origin=lambda row: row_link(PORTFOLIO_VALUE, row),
    ),
    SheetSpec(
        "profit",
        lambda data: data.profit,
        PROFIT_COLS,
        ("view", "part", "item"),
        "part",
        "No session's profit has been told apart yet.",
        notes=lambda _, row: profit_notes(row),
    ),
)
