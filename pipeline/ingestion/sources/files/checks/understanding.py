"""Says what was understood of the operator's files: layouts, columns, what would be set aside, what stops a load."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from pipeline.ingestion.sources.files.bars import Bars, PriceFiles
from pipeline.ingestion.sources.files.checks.bar_length import (
    INTERVALS,
    BarTimes,
    look_at_times,
    tell_problems_of_times,
)
from pipeline.ingestion.sources.files.checks.calendar_fit import (
    MovedDates,
    explain_off_days,
    find_better_exchange,
    find_moved_dates,
    join_moved,
    tell_outside,
)
from pipeline.ingestion.sources.files.checks.hours_fit import find_zone, is_early_or_late
from pipeline.ingestion.sources.files.checks.judged_rows import (
    OFF_SESSION,
    SHOWN,
    Asked,
    JudgedRows,
    join_judged,
    judge_rows,
)
from pipeline.ingestion.sources.files.checks.series_shape import (
    SeriesShape,
    find_adjusted_closes,
    find_exchanged_columns,
    find_foreign_tickers,
    find_longer_bars,
    find_shorter_bars,
    find_wide_ranges,
    look_at_series,
)
from pipeline.ingestion.sources.files.checks.stated_currency import find_stated_currencies, tell_currencies
from pipeline.ingestion.sources.files.content import Content
from pipeline.ingestion.sources.files.dates import is_iso, read_instants
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.text_format import percent

SHOWN_BARS = 5
LEAST_ROWS = 20
"""Rows of a ticker, and of all, from which a share of them says anything."""
OF_ONE_TICKER = 3
"""How much larger the share of one ticker's rows off the sessions may be."""
NEARLY_ALL = 0.8
"""Share of one ticker's rows that break another rule, from which the ticker is lost."""
OUTSIDE = "the bar lies within the session"


@dataclass(frozen=True)
class SetAside:
    """Rows that break one rule."""

    rule: str
    rows: int
    place: str
    """File and line of the first."""
    cells: dict[str, str | None]
    """Its cells."""


@dataclass(frozen=True)
class Layout:
    """Files that were recognised alike."""

    name: str
    files: int
    first_file: str
    rows: int
    tickers: int
    first: date | None
    last: date | None
    used: dict[str, str]
    """Field -> column."""
    unused: tuple[str, ...]
    """Columns that nothing reads."""
    actions_from: tuple[str, ...]
    """Columns that tell of splits and dividends."""


@dataclass(frozen=True)
class Understanding:
    """What a load of the files would do."""

    exchange: str
    zone: str
    currency: str
    interval: str
    layouts: tuple[Layout, ...]
    passed_over: tuple[tuple[str, str], ...]
    first_bars: pl.DataFrame
    """ticker and the cells of a bar as text, as they would land."""
    actions: dict[str, int]
    """Kind -> how many the price files tell."""
    actions_file: str
    """The file of actions that counts instead of them; empty without one."""
    doubts: tuple[str, ...]
    """What price files say of actions and is not believed."""
    set_aside: tuple[SetAside, ...]
    problems: tuple[str, ...] = field(default=())
    """What stops the load, each with the setting that mends it."""


@dataclass(frozen=True)
class _Seen:
    """What was seen of files with equal columns."""

    files: PriceFiles
    judged: JudgedRows
    shapes: Sequence[SeriesShape]
    moved: MovedDates | None
    first_bars: pl.DataFrame
    """ticker and the cells of the first few, as they would land."""
    currencies: frozenset[str]
    """Those that the files state."""
    times: Sequence[BarTimes]
    """Of bars within sessions."""


def understand(
    content: Content,
    params: FilesParams,
    asked: Asked,
    zone: str,
    as_landed: Callable[[Bars], Bars] = lambda bars: bars,
) -> Understanding:
    """Return what was understood of the files, and everything that speaks against making a lake of them.

    Args:
        content: what the files hold.
        params: how they are read.
        asked: what the load would ask for.
        zone: in which times are read.
        as_landed: what bars become before they land.
    """
    seen = [_look_at(files, asked, zone, as_landed) for files in content.bars]
    judged = [one.judged for one in seen]
    listed = _listed(content, params)
    problems = [problem for one in seen for problem in _find_problems(one, params, asked, listed)]
    sound = sum(int(rows.counts.filter(pl.col("rule").is_null())["rows"].sum()) for rows in judged)
    set_aside = tuple(_set_aside(judged))
    if not sound and not problems:
        problems.append(_tell_nothing_sound(set_aside))
    outside = [said for files in content.bars for said in tell_outside(files, asked.calendar)]
    told = [files.told for files in content.bars if files.told is not None]
    kinds = pl.concat([part.lines["kind"] for part in told]).value_counts().sort("kind").rows() if told else []
    return Understanding(
        exchange=asked.calendar.exchange,
        zone=zone,
        currency=asked.currency,
        interval=params.interval,
        layouts=tuple(_layout(files) for files in content.bars),
        passed_over=content.passed_over,
        first_bars=pl.concat([one.first_bars for one in seen], how="diagonal").head(SHOWN_BARS),
        actions=dict(kinds),
        actions_file=params.actions,
        doubts=(*outside, *_tell_adjusted(seen), *(doubt for part in told for doubt in part.doubts)),
        set_aside=set_aside,
        problems=tuple(dict.fromkeys(problems)),
    )


def _look_at(files: PriceFiles, asked: Asked, zone: str, as_landed: Callable[[Bars], Bars]) -> _Seen:
    """Look at each block of bars once; what is kept of it is small."""
    judged: list[JudgedRows] = []
    shapes, moved, times = [], [], []
    currencies: frozenset[str] = frozenset()
    first_bars = pl.DataFrame()
    for bars in files.blocks():
        first_bars = first_bars if first_bars.height else _first_bars(as_landed(bars), asked)
        judged.append(judge_rows(files, bars, asked))
        shapes.append(look_at_series(bars))
        moved.append(find_moved_dates(bars, asked.calendar))
        currencies |= find_stated_currencies(files, bars)
        if asked.interval != "1d":
            times.append(look_at_times(bars, asked.calendar, zone))
    return _Seen(files, join_judged(judged), shapes, join_moved(moved), first_bars, currencies, times)


def _tell_adjusted(seen: Sequence[_Seen]) -> Iterator[str]:
    for one in seen:
        if share := find_adjusted_closes(one.shapes):
            yield (
                f"{percent(share, 0)} of the closes in {one.files.files[0]} have more decimals than exchanges "
                "quote, and the newest have not: they look adjusted for dividends or splits, and are not "
                "those that were traded (yfinance: auto_adjust=False, actions=True)"
            )


def _tell_nothing_sound(set_aside: Sequence[SetAside]) -> str:
    if not set_aside:
        return "the files have no rows"
    first = set_aside[0]
    cells = ", ".join(f"{name} {cell!r}" for name, cell in first.cells.items())
    return (
        f"no row is a sound bar: {first.rows} break the rule '{first.rule}', the first at {first.place}: {cells}; "
        "prices need one row per session with ticker, date, open, high, low, close and volume (--column maps columns)"
    )


def _find_problems(seen: _Seen, params: FilesParams, asked: Asked, listed: frozenset[str]) -> Iterator[str]:
    files = seen.files
    if foreign := find_foreign_tickers(files, asked.calendar.exchange, listed):
        ticker, exchange, count = foreign
        yield (
            f"{count} tickers are written as of another exchange than {asked.calendar.exchange}, the first is "
            f"{ticker}: --set market.exchange={exchange}, or state exchange and currency of each in a file of listings"
        )
    if not listed:
        yield from tell_currencies(files, seen.currencies, asked, said=params.currency is not None)
    passing: frozenset[str] = frozenset()
    if params.interval != "1d":
        yield from tell_problems_of_times(files, seen.times, asked, waved=params.max_set_aside >= 1)
    if params.interval == "1d" and "available_at" not in files.fields:
        said = list(_find_problems_of_series(seen, params, asked))
        explained = ("source.files.dates", "market.exchange", "no daily bars")
        if any(word in problem for problem in said for word in explained):
            passing = frozenset({OFF_SESSION})
        yield from said
    elif params.interval != "1d" and is_early_or_late(files, asked.calendar, params.zone or asked.calendar.zone):
        passing = frozenset({OUTSIDE})
    yield from _tell_broken_rules(files, seen.judged, params, asked, passing)


def _find_problems_of_series(seen: _Seen, params: FilesParams, asked: Asked) -> Iterator[str]:
    files = seen.files
    if longer := find_longer_bars(seen.shapes):
        ticker, kind, count = longer
        yield f"the {count} bars of {ticker} in {files.file_of(ticker)} are {kind}, and no daily bars: give daily ones"
    shorter = find_shorter_bars(seen.shapes)
    if shorter and shorter[3] > params.max_set_aside:
        yield _tell_several(files, *shorter)
    if longer:  # of bars that are no daily ones no date is a day late
        pass
    elif params.max_set_aside < 1 and (moved := seen.moved):
        error = moved.error
        everywhere = moved.tickers * 2 > files.tickers.height
        way_out = (
            f"--set source.files.dates={error}"
            if everywhere
            else f"correct the dates in {files.file_of(moved.ticker)}, or leave it out; source.files.dates is for all"
        )
        yield (
            f"the dates of {moved.ticker} are one {error.replace('_', ' ')}: {moved.off} of them are no sessions of "
            f"{asked.calendar.exchange}, the first is {moved.first}, and so moved all are: {way_out}"
        )
    elif params.max_set_aside < 1 and (better := find_better_exchange(files, asked.calendar)):
        exchange, count, day = better
        yield (
            f"{count} days are no sessions of {asked.calendar.exchange}, the first is {day}, and the days fit the "
            f"sessions of {exchange}: --set market.exchange={exchange}"
        )
    yield from _find_exchanged_columns(seen)
    if files.told is not None and files.told.twice and not params.actions:
        yield files.told.twice + ", or give a file of actions (--actions), which then counts alone"


def _find_exchanged_columns(seen: _Seen) -> Iterator[str]:
    files = seen.files
    columns = {**files.fields, **files.written}
    if wide := find_wide_ranges(seen.shapes):
        ticker, times = wide
        yield (
            f"the high of {ticker} is {times:,.0f} times its low on most days: the column {columns['high']} of "
            f"{files.file_of(ticker)} is no price; say which is with --column high=COLUMN --column volume=COLUMN"
        )
    if exchanged := find_exchanged_columns(seen.shapes):
        ticker, share, count, tickers = exchanged
        opened, closed = columns["open"], columns["close"]
        way_out = f"exchange {opened} and {closed} in {files.file_of(ticker)}"
        if tickers * 2 > files.tickers.height:
            way_out = f"--column open={closed} --column close={opened}"
        yield (
            f"open and close of {ticker} look exchanged: in {percent(1 - share, 0)} of {count} bars the close is "
            f"nearer to the open before than the open to the close before: {way_out}"
        )


def _tell_several(files: PriceFiles, ticker: str, day: str, count: int, share: float) -> str:
    own = _bars_of(files, ticker, day)
    places = ", ".join(f"{file} line {line}" for file, line in files.places(own).head(2).iter_rows())
    said = f"the first of {ticker} on {day} ({places})"
    written = own.lines[files.clock]
    if written.n_unique() == 1:
        return (
            f"{percent(share, 0)} of the rows contradict another bar of the same ticker and day, {said}: leave one of "
            f"the two out, or say when each was seen with --column available_at={_find_when_seen(own)}"
        )
    said = f"{percent(share, 0)} of the rows are one of several bars of a ticker's day, {said}, which has {count}"
    step = read_instants(written, zone="UTC").sort().diff().dt.total_seconds().drop_nulls().median()
    length = next((name for name, seconds in INTERVALS.items() if seconds == step), None)
    if length is None:
        return f"{said}: give daily bars, or bars of an hour, five minutes or a minute"
    return f"{said}: --set source.files.interval={length}"


def _find_when_seen(own: Bars) -> str:
    """The column in which bars of one day have different days, none of which is used yet; COLUMN where none has."""
    written = own.lines.select(pl.exclude(*own.fields.values()).cast(pl.String))
    told = (
        one.name
        for one in written
        if re.fullmatch(r"[\w.-]+", one.name) and one.n_unique() > 1 and one.str.contains(r"^\d{4}-\d\d-\d\d").all()
    )
    return next(told, "COLUMN")


def _bars_of(files: PriceFiles, ticker: str, day: str) -> Bars:
    """The bars of a ticker's day; it has some."""
    found = (
        bars.filter(((bars.symbol == ticker) & (bars.day.cast(pl.String) == day)).fill_null(False))
        for bars in files.blocks()
    )
    return next(bars for bars in found if not bars.lines.is_empty())


def _tell_broken_rules(
    files: PriceFiles, judged: JudgedRows, params: FilesParams, asked: Asked, passing: frozenset[str]
) -> Iterator[str]:
    """Rules that more rows break than may be, of all or of one ticker; but those that were told already."""
    counts = judged.counts.with_columns(all=pl.col("rows").sum(), own=pl.col("rows").sum().over("ticker"))
    told = pl.col("rule").is_in(list(passing))
    broken = counts.filter(pl.col("rule").is_not_null() & ~told).with_columns(
        whole=pl.col("rows").sum().over("rule") / pl.col("all"), single=pl.col("rows") / pl.col("own")
    )
    many = (pl.col("whole") > params.max_set_aside) & (pl.col("all") >= LEAST_ROWS)
    of_days = min(OF_ONE_TICKER * params.max_set_aside, 1.0)
    limit = pl.when(pl.col("rule") == OFF_SESSION).then(of_days).otherwise(max(NEARLY_ALL, params.max_set_aside))
    of_one = (pl.col("single") > limit) & (pl.col("own") >= LEAST_ROWS)
    worst = broken.filter(many | of_one).sort("rows", "rule", "ticker", descending=[True, False, False])
    for (rule,), rows in worst.group_by("rule", maintain_order=True):
        ticker, count, own, whole = rows.select("ticker", "rows", "own", "whole").row(0)
        said = (
            f"{percent(whole, 0)} of all rows break" if whole > params.max_set_aside else f"{count} of {own} rows break"
        )
        same = (pl.col("rule") == rule) & pl.col("ticker").eq_missing(pl.lit(ticker))
        case = judged.first_cases.filter(same).row(0, named=True)
        yield (
            f"{said} the rule '{rule}', the first of {ticker} at {case['file']} line {case['line']}: "
            f"{_tell_cells(case)}: {_remedy(str(rule), files, params, asked)}; to load the rest all the same, "
            "--set source.files.max_set_aside=1"
        )


def _tell_cells(case: dict[str, object]) -> str:
    return ", ".join(f"{name} {case[name]!r}" for name in SHOWN if case[name] is not None)


def _remedy(rule: str, files: PriceFiles, params: FilesParams, asked: Asked) -> str:
    """What would mend most rows that break a rule."""
    if rule == OFF_SESSION:
        return explain_off_days(files, asked.calendar, params.date_format)
    if rule == "session is readable" and params.interval != "1d" and is_iso(files.days["written"]):
        return "they have days and no times of day: --set source.files.interval=1d"
    if rule in ("the time has a zone", OUTSIDE, "session is readable"):
        if fitting := find_zone(files, asked.calendar):
            zone, share = fitting
            within = f"{percent(share, 0)} of the times lie within sessions of {asked.calendar.exchange}"
            return f"read in this zone, {within}: --set source.files.zone={zone}"
        return "--set source.files.zone=ZONE, the zone that the file's times are in"
    if rule == "session is present":
        return (
            "what is shown as the session is no date in the form that most have; write all in one form, or say it, as "
            "in --set source.files.date_format=%d/%m/%Y"
        )
    if rule == "ticker is well-formed":
        return (
            "a ticker is capitals and digits, such as AAPL or BRK.B, and . - = ^ within; write it so, or name another "
            "column with --column ticker=COLUMN"
        )
    if rule.startswith(("open", "high", "low", "close", "volume", "prices")):
        columns = {**files.fields, **files.written}
        names = ", ".join(f"{name}={columns[name]}" for name in ("open", "high", "low", "close", "volume"))
        return f"check which column is which (--column; now {names}) and source.files.decimal, or write plain numbers"
    return "mend the file"


def _listed(content: Content, params: FilesParams) -> frozenset[str]:
    """Tickers whose exchange a file of listings states."""
    if not params.listings or content.listings.fields.get("exchange", "").startswith("listing_"):
        return frozenset()
    return frozenset(content.listings.lines[content.listings.fields["ticker"]].drop_nulls())


def _layout(files: PriceFiles) -> Layout:
    used = {**files.fields, **files.written}
    known = {*files.fields.values(), *used.values(), *files.told_by}
    first, last = files.tickers["first"].min(), files.tickers["last"].max()
    return Layout(
        name=files.layout,
        files=len(files.files),
        first_file=files.files[0],
        rows=files.rows,
        tickers=files.tickers.height,
        first=first if isinstance(first, date) else None,
        last=last if isinstance(last, date) else None,
        used=used,
        unused=tuple(column for column in files.columns if column not in known),
        actions_from=files.told_by,
    )


def _first_bars(bars: Bars, asked: Asked) -> pl.DataFrame:
    """The first bars of a block that are of a session, copied: no cell keeps the block in memory."""
    sessions = asked.calendar.frame(asked.first, asked.last)["session"]
    first = bars.filter(bars.day.is_in(sessions.implode()).fill_null(False)).slice(0, SHOWN_BARS)
    cells = first.text.select(
        pl.col(first.fields[name]).alias(name) for name in ("ticker", *SHOWN) if name in first.fields
    )
    return pl.DataFrame(cells.rows(), schema=cells.schema, orient="row")


def _set_aside(judged: Sequence[JudgedRows]) -> Iterator[SetAside]:
    """Every rule that rows break, the commonest first."""
    counts = pl.concat([part.counts for part in judged]).filter(pl.col("rule").is_not_null())
    totals = counts.group_by("rule").agg(pl.col("rows").sum()).sort("rows", "rule", descending=[True, False])
    cases = [part.first_cases for part in judged if not part.first_cases.is_empty()]
    for rule, rows in totals.iter_rows():
        case = next(part.filter(pl.col("rule") == rule).row(0, named=True) for part in cases if rule in part["rule"])
        cells = {name: case[name] for name in ("ticker", *SHOWN) if case[name] is not None}
        yield SetAside(rule, rows, f"{case['file']} line {case['line']}", cells)
