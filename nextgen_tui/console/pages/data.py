"""Screen 2: is the data complete and trustworthy: what arrived, what is late, restated or set aside?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from lake.tables.market import (
    CORPORATE_ACTIONS,
    MARKET_PRICES,
    PRICE_RESTATEMENTS,
    QUARANTINED_ROWS,
    TICKER_UNIVERSE,
)
from lake.tables.news import NEWS_ARTICLES, NEWS_SENTIMENT
from nextgen_tui.console.charts.chart import Bar, Candle, Chart, Curve, day_ticks
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.lineage.lineage_view import follow
from nextgen_tui.console.notes import Line, fact, heading, note
from nextgen_tui.console.page import Detail, Link, Page, Row, Section, SheetSpec, row_link
from nextgen_tui.console.sheet.sheet import Cell, Col, Style, dim, join_values, signed, strip
from nextgen_tui.text import formats
from pipeline.reading.cockpit.strips import add_arrival_days
from pipeline.reading.results.arrivals import add_scores, arrival_rows, ticker_rows

CALENDAR_DAYS = 100
"""How far back bars are shown: about 68 sessions."""
RECENT = 30
"""Calendar days over which restatements, set-aside rows and news are listed."""
STRIP = 90
"""Calendar days that the strip of a ticker's sessions goes back: about 60 sessions."""
DAYS: dict[str, tuple[str, Style]] = {
    "arrived": ("·", "dim"),
    "late": ("○", "bad"),
    "set aside": ("✗", "warn"),
    "restated": ("△", "accent"),
    "out": (" ", "dim"),
}
"""How a session went for a ticker -> its sign: told without colour too."""
SPARK = 16


@dataclass(frozen=True)
class MarketData:
    """What came in lately."""

    session: date | None
    tickers: pl.DataFrame
    arrivals: pl.DataFrame
    bars: pl.DataFrame
    """The last revision of each daily bar, 100 days back."""
    quarantined: pl.DataFrame
    restated: pl.DataFrame
    news: pl.DataFrame
    actions: pl.DataFrame
    loaded: date | None = None
    """The last session of a history that no session was run of yet."""


class DataPage(Page[MarketData]):
    """Tickers with their bars, problems first."""

    number, name = "2", "Data"
    question = "Is today's data complete and trustworthy?"
    tables = (MARKET_PRICES, TICKER_UNIVERSE, QUARANTINED_ROWS, PRICE_RESTATEMENTS, NEWS_ARTICLES, NEWS_SENTIMENT)

    def load(self, view: LakeView) -> MarketData:
        """The last session's universe, and some weeks of what came in."""
        session = view.last(TICKER_UNIVERSE)
        if session is None:
            none = pl.DataFrame()
            return MarketData(None, none, none, none, none, none, none, none, view.last(MARKET_PRICES))
        bars = view.read(
            MARKET_PRICES,
            since=session - timedelta(days=CALENDAR_DAYS),
            until=session,
            where=pl.col("interval") == "1d",
            every_revision=False,
        )
        since = session - timedelta(days=RECENT)
        recent = {"since": since, "until": session}
        quarantined = view.read(QUARANTINED_ROWS, **recent).sort("session", "line", descending=True)
        restated = view.read(PRICE_RESTATEMENTS, **recent).sort("available_at", "ticker", descending=True)
        longer = {"since": session - timedelta(days=STRIP), "until": session}
        told = {"columns": ("session", "ticker"), **longer}
        strips = view.read(QUARANTINED_ROWS, **told), view.read(PRICE_RESTATEMENTS, **told)
        members = view.read(TICKER_UNIVERSE, columns=("session", "ticker", "member"), **longer)
        news = add_scores(view.read(NEWS_ARTICLES, **recent), view.read(NEWS_SENTIMENT, **recent))
        universe = view.read(TICKER_UNIVERSE, **recent)
        today = universe.filter(pl.col("session") == session)
        tickers = ticker_rows(today, bars, quarantined, restated, news)
        return MarketData(
            session=session,
            tickers=add_arrival_days(tickers, members, bars, *strips),
            arrivals=arrival_rows(universe, bars, quarantined, restated, news),
            bars=bars,
            quarantined=quarantined,
            restated=restated,
            news=news,
            actions=view.read(CORPORATE_ACTIONS, since=session - timedelta(days=CALENDAR_DAYS), until=session),
        )

    def sentence(self, data: MarketData) -> str:
        """How many bars arrived of those expected, and what was wrong."""
        if data.session is None:
            if data.loaded is None:
                return "No data yet; `nextgen init` loads history."
            loaded = f"History is loaded up to {data.loaded}, and no session was run yet"
            return f"{loaded}; `nextgen cycle` or `nextgen replay` runs some."
        row = data.arrivals.row(0, named=True)
        late = row["expected"] - row["arrived"]
        text = f"{row['arrived']} of {row['expected']} members have a bar for {data.session}"
        text += f", {late} late" if late else ", none late"
        wrong = [
            f"{row['restated']} restated" if row["restated"] else "",
            f"{formats.counted(row['quarantined'], 'row')} set aside" if row["quarantined"] else "",
        ]
        found = " and ".join(filter(None, wrong)) or "nothing restated or set aside"
        return f"{text}; {found}; {formats.counted(row['articles'], 'article')}."

    def specs(self, data: MarketData) -> tuple[SheetSpec[MarketData], ...]:
        """Tickers, sessions, set-aside rows, restatements, news."""
        del data
        return SHEETS


def candle_chart(bars: pl.DataFrame, ticker: str, max_candles: int = 60) -> Chart:
    """The ticker's last sessions as candles, prices as traded."""
    mine = bars.filter(pl.col("ticker") == ticker).sort("session").tail(max_candles)
    made = tuple(
        Candle(float(number), *row)
        for number, row in enumerate(mine.select("open", "high", "low", "close").iter_rows())
    )
    days = mine["session"].to_list()
    return Chart(f"{ticker}, as traded", candles=made, ticks=day_ticks(days, 9), share=0.75, days=tuple(days))


def volume_chart(bars: pl.DataFrame, ticker: str, max_candles: int = 60) -> Chart:
    """The shares traded in the same sessions, in the colour of the candle above."""
    mine = bars.filter(pl.col("ticker") == ticker).sort("session").tail(max_candles)
    rows = enumerate(mine.select("volume", "open", "close").iter_rows())
    made = tuple(Bar(float(n), float(v or 0), "good" if close >= opened else "bad") for n, (v, opened, close) in rows)
    return Chart("volume", bars=made, label=_thousands, share=0.25, days=tuple(mine["session"]))


def _thousands(shares: float) -> str:
    return f"{shares / 1e6:.1f}M" if shares >= 1e6 else f"{shares / 1e3:.0f}k"


def ticker_candles(data: MarketData, row: Row) -> tuple[Chart, ...]:
    """The last sessions of the ticker that a row is about, if it is about one."""
    if not row["ticker"]:
        return ()
    return candle_chart(data.bars, row["ticker"]), volume_chart(data.bars, row["ticker"])


def news_candles(data: MarketData, row: Row) -> tuple[Chart, ...]:
    """The last sessions of the first ticker that an article names."""
    return (candle_chart(data.bars, row["tickers"][0]),) if row["tickers"] else ()


def arrival_chart(data: MarketData, row: Row) -> tuple[Chart, ...]:
    """The share of expected bars that arrived, session by session."""
    del row
    shares = [a / e if e else 0.0 for a, e in data.arrivals.select("arrived", "expected").reverse().iter_rows()]
    line = Curve(tuple(float(n) for n in range(len(shares))), tuple(shares), "own")
    return (Chart("bars arrived of those expected", (line,), label=lambda v: formats.percent(v, 0)),)


def last_bar(row: Row) -> Link | None:
    """The last bar of a ticker; None if it has none."""
    if row["ts"] is None:
        return None
    key = {"ticker": row["ticker"], "interval": "1d", "ts": row["ts"], "revision": row["revision"]}
    return Link(row["ticker"], MARKET_PRICES.name, {**key, "session": row["bar_session"]})


def ticker_detail(data: MarketData, row: Row) -> Detail:
    """Everything known of a ticker's data."""
    ticker = row["ticker"]
    news = data.news.filter(pl.col("tickers").list.contains(ticker)).head(8)
    headlines = tuple(
        note(f"{n['published_at']:%b %d %H:%M}  {formats.number(n['score'], 2, signed=True)}  {n['title']}")
        for n in news.iter_rows(named=True)
    )
    actions = data.actions.filter(pl.col("ticker") == ticker).sort("ex_date", descending=True)
    events = tuple(note(_action(one)) for one in actions.iter_rows(named=True))
    bars = data.bars.filter(pl.col("ticker") == ticker).sort("session", descending=True).head(10)
    links = tuple(
        Link(
            f"bar of {bar['session']}",
            MARKET_PRICES.name,
            {name: bar[name] for name in ("ticker", "interval", "ts", "revision", "session")},
            f"close {formats.money(bar['close'])}, volume {formats.whole(bar['volume'])}, revision {bar['revision']}",
        )
        for bar in bars.iter_rows(named=True)
    )
    sections = (
        Section(ticker, _ticker(row)),
        Section("Corporate actions", events or (note("none in sight", "dim"),)),
        Section("News", headlines or (note("none lately", "dim"),)),
    )
    return Detail(f"{ticker}: data", sections, (candle_chart(data.bars, ticker, 100),), links, ticker)


def _action(row: Row) -> str:
    what = {
        "split": f"split {row['numerator']} for {row['denominator']}",
        "dividend": f"dividend {formats.number(row['amount'])} a share",
        "delisting": f"delisted at {formats.money(row['amount'])}",
        "rename": f"renamed to {row['successor']}",
    }
    return f"{row['ex_date']}  {what[row['kind']]}"


def _ticker(row: Row) -> tuple[Line, ...]:
    lines = [
        (_state(row["state"]), Cell(f"  {row['ticker']}  {row['sector']}")),
        fact("close", f"{formats.money(row['close'])}, {formats.percent(row['change'], signed=True)}"),
        fact("volume", formats.whole(row["volume"])),
        fact("last bar", formats.day(row["bar_session"])),
        fact("history", formats.counted(row["history"], "bar")),
        fact("universe", row["reason"]),
    ]
    if row["quarantined"] or row["restated"]:
        lines += [
            heading(f"in the last {RECENT} days"),
            fact("set aside", row["quarantined"]),
            fact("restated", row["restated"]),
        ]
    return tuple(lines)


def _restatement(row: Row) -> tuple[Line, ...]:
    lines = [fact("bar of", row["session"]), fact("learned", formats.instant(row["available_at"]))]
    for field in ("open", "high", "low", "close"):
        old, new = row[f"old_{field}"], row[f"new_{field}"]
        style = "warn" if old != new else "dim"
        lines.append((Cell(f"{field:<13}", "dim"), Cell(f"{formats.money(old)} → {formats.money(new)}", style)))  # type: ignore[arg-type]
    return tuple(lines)


def _news(row: Row) -> tuple[Line, ...]:
    body = () if row["body"] is None else (note(row["body"], "dim", 600),)
    return (note(row["title"]), fact("tickers", join_values(row["tickers"])), fact("url", row["url"] or "–"), *body)


def _state(value: object) -> Cell:
    return {"ok": Cell("✓ ok", "good"), "warn": Cell("! late", "warn")}.get(str(value), Cell("· out", "dim"))


def _spark(values: object) -> Cell:
    return Cell(formats.sparkline(list(values), SPARK) if values is not None else "", "dim")  # type: ignore[call-overload]


def _days(states: object) -> Cell:
    """A sign for each session; a list in a frame is a series."""
    return strip([DAYS[state] for state in states]) if states is not None else dim(None)  # type: ignore[attr-defined]


def _some(value: int) -> Cell:
    return Cell(formats.whole(value) if value else "·", "warn" if value else "dim")


TICKER_COLS = (
    Col("state", "state", _state),
    Col("ticker", "ticker"),
    Col("close", "close", formats.money, right=True),
    Col("change", "change", signed(lambda value: formats.percent(value, signed=True)), right=True),
    Col(
        "sessions",
        "days",
        _days,
        sort="worry",
        stretch=True,
        drawn=True,
        legend="○ late ✗ aside △ restated",
    ),
    Col("16 sessions", "closes", _spark, rank=3, sort="change"),
    Col("last bar", "bar_session", formats.day, rank=5),
    Col("aside", "quarantined", _some, right=True),
    Col("restated", "restated", _some, right=True, rank=6),
    Col("news", "news", formats.whole, right=True, rank=4),
    Col("bars", "history", formats.whole, right=True, rank=5),
    Col("sector", "sector", rank=4),
    Col("universe", "reason", dim, rank=6),
)
ARRIVAL_COLS = (
    Col("session", "session"),
    Col("expected", "expected", formats.whole, right=True),
    Col("arrived", "arrived", formats.whole, right=True),
    Col("set aside", "quarantined", _some, right=True),
    Col("restated", "restated", _some, right=True),
    Col("articles", "articles", formats.whole, right=True),
)
QUARANTINE_COLS = (
    Col("landed", "session"),
    Col("ticker", "ticker", max_width=14),
    Col("rule", "rule", max_width=40),
    Col("for", "target", rank=2),
    Col("row as delivered", "row", max_width=90, rank=1),
)
RESTATED_COLS = (
    Col("ticker", "ticker"),
    Col("session", "session"),
    Col("old close", "old_close", formats.money, right=True),
    Col("new close", "new_close", formats.money, right=True),
    Col("change", "close_change", signed(lambda value: formats.percent(value, signed=True)), right=True),
    Col("learned", "available_at", formats.instant, rank=1),
)
NEWS_COLS = (
    Col("published", "published_at", lambda value: f"{value:%m-%d %H:%M}" if value else formats.MISSING),
    Col("score", "score", signed(lambda value: formats.number(value, 2, signed=True)), right=True),
    Col("tickers", "tickers", join_values, max_width=14),
    Col("headline", "title", max_width=100),
)


def _recent(noun: str) -> str:
    return f"No {noun} in the last {RECENT} days."


SHEETS: tuple[SheetSpec[MarketData], ...] = (
    SheetSpec(
        "tickers",
        lambda data: data.tickers,
        TICKER_COLS,
        ("ticker",),
        "ticker",
        "No ticker in the universe yet.",
        notes=lambda _, row: _ticker(row),
        charts=ticker_candles,
        detail=lambda _, data, row: ticker_detail(data, row),
        origin=last_bar,
    ),
    SheetSpec(
        "arrivals",
        lambda data: data.arrivals,
        ARRIVAL_COLS,
        ("session",),
        "session",
        _recent("session"),
        notes=lambda _, row: (fact("session", row["session"]), fact("late", row["expected"] - row["arrived"])),
        charts=arrival_chart,
    ),
    SheetSpec(
        "set aside",
        lambda data: data.quarantined,
        QUARANTINE_COLS,
        QUARANTINED_ROWS.key,
        "row",
        _recent("row set aside"),
        notes=lambda _, row: (
            fact("rule", row["rule"], "warn"),
            fact("for", row["target"]),
            note(row["row"], max_length=600),
        ),
        charts=ticker_candles,
        detail=lambda view, _, row: follow(view, row_link(QUARANTINED_ROWS, row)),
        origin=lambda row: row_link(QUARANTINED_ROWS, row),
    ),
    SheetSpec(
        "restated",
        lambda data: data.restated,
        RESTATED_COLS,
        ("ticker", "ts", "revision"),
        "bar",
        _recent("restated bar"),
        notes=lambda _, row: _restatement(row),
        charts=ticker_candles,
        detail=lambda view, _, row: follow(view, row_link(PRICE_RESTATEMENTS, row)),
        origin=lambda row: row_link(PRICE_RESTATEMENTS, row),
    ),
    SheetSpec(
        "news",
        lambda data: data.news,
        NEWS_COLS,
        ("article_id",),
        "article",
        _recent("article"),
        notes=lambda _, row: _news(row),
        charts=news_candles,
        detail=lambda view, _, row: follow(view, row_link(NEWS_ARTICLES, row)),
        origin=lambda row: row_link(NEWS_ARTICLES, row),
    ),
)
