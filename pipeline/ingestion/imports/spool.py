"""Writes an older system's rows as lines in temporary files: read once, then cut to any span of days."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from pipeline.ingestion.imports.convert import convert_columns
from pipeline.ingestion.imports.mapping import Mapping, MappingSection
from pipeline.ingestion.imports.old_system import Store
from pipeline.ingestion.imports.validate import NEAR
from pipeline.ingestion.parse_values import day, instant, normalize_ticker
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.payload_lines import json_lines
from pipeline.market.sessions import Sessions

KEYS: dict[str, tuple[str, ...]] = {
    "prices": ("ticker", "session", "ts"),
    "news": ("id", "published_at", "title"),
    "predictions": ("ticker", "session", "made_at", "horizon", "model"),
    "trades": ("id",),
}
"""Fields that say which record a line is about: a changed line under the same key is a correction."""
DAYS: dict[str, tuple[str, str]] = {
    "prices": ("session", "ts"),
    "news": ("", "published_at"),
    "predictions": ("session", "made_at"),
    "trades": ("day", "at"),
}
"""Fields that place a line in time: the day, and the moment."""
SCHEMA = pl.Schema({"ticker": pl.String(), "day": pl.Date(), "key": pl.String(), "line": pl.String()})
MAX_ROWS = 250_000
"""Rows of a portion of sessions that is judged at once; a year that holds more is cut into months."""


@dataclass(frozen=True)
class Spooled:
    """The lines of one section."""

    section: MappingSection
    fields: dict[str, str]
    """Our field -> the member of the line that holds it."""
    folder: Path
    rows: int
    days: pl.DataFrame
    """day (Date, null where it cannot be read) and rows (Int64)."""
    firsts: pl.DataFrame
    """ticker and first (Date): where a ticker's first line lies."""

    def between(self, first: date | None, last: date | None) -> pl.DataFrame:
        """The lines of a span of days as SCHEMA has it, in order; without a `first`, those without a day as well."""
        if not self.rows:
            return pl.DataFrame(schema=SCHEMA)
        tests = [] if first is None else [pl.col("day") >= first]
        tests += [] if last is None else [(pl.col("day") <= last).fill_null(first is None)]
        scan = pl.scan_parquet(sorted(self.folder.iterdir()), glob=False, schema=SCHEMA)
        return scan.filter(*tests).collect().sort("ticker", "day", "line") if tests else scan.collect().sort(pl.all())


@dataclass(frozen=True)
class DaySpan:
    """A stretch of sessions whose rows are landed and judged at once."""

    first: date | None
    """First day of its rows; None takes everything earlier as well, and what has no day."""
    last: date | None
    """Last day of its rows; None takes everything later as well."""
    since: date
    session: date


def staged(
    store: Store,
    mapping: Mapping,
    section: MappingSection,
    folder: Path,
    calendar: Sessions,
    report_progress: Callable[[int], None],
) -> Spooled:
    """Read all rows of a section once, in portions, and write them as lines under `folder`, which is made.

    Raises:
        SourceError: if the store cannot be read, or no row has a day.
    """
    folder.mkdir()
    fields: dict[str, str] = {name: name for name in section.columns}
    days: list[pl.DataFrame] = []
    firsts: list[pl.DataFrame] = []
    rows = 0
    for portion in store.rows(section.table, section.wanted):
        lines, fields = _lines(portion, mapping, section, calendar)
        lines.write_parquet(folder / f"{len(days):06d}.parquet")
        days.append(lines.group_by("day").agg(rows=pl.len().cast(pl.Int64)))
        firsts.append(lines.drop_nulls("day").group_by("ticker").agg(first=pl.col("day").min()))
        rows += lines.height
        report_progress(rows)
    counted = pl.concat(days) if days else pl.DataFrame(schema={"day": pl.Date, "rows": pl.Int64})
    counted = counted.group_by("day").agg(pl.col("rows").sum()).sort("day")
    if rows and counted["day"].null_count() == counted.height:
        raise SourceError(_no_day(store, section, pl.read_parquet(folder / "000000.parquet")["line"][0], rows))
    firsts_of = pl.concat(firsts) if firsts else pl.DataFrame(schema={"ticker": pl.String, "first": pl.Date})
    return Spooled(section, fields, folder, rows, counted, firsts_of.group_by("ticker").agg(pl.col("first").min()))


def spans(parts: list[Spooled], calendar: Sessions, until: date) -> list[DaySpan]:
    """Cut the days of all sections into years, and full years into months; only those that hold rows.

    Args:
        parts: of one older system.
        calendar: the exchange's sessions.
        until: the last session that has closed.

    Raises:
        SourceError: if no row lies between the calendar's beginning and `until`.
    """
    days = pl.concat(part.days for part in parts).drop_nulls("day")
    inside = days.filter(pl.col("day").is_between(calendar.days[0], until)).group_by("day").agg(pl.col("rows").sum())
    if inside.is_empty():
        first, last = days["day"].min(), days["day"].max()
        reach = f"the calendar from {calendar.days[0]} to {until}"
        raise SourceError(f"the rows lie from {first!s} to {last!s}, outside {reach}; check the form of their days")
    cut = list(_cut(inside, until))
    found = []
    for number, (first, last) in enumerate(cut):
        held = inside.filter(pl.col("day").is_between(first, last))["day"]
        session = calendar.at_or_before(last)
        since = min(calendar.at_or_after(held.min()), session)  # type: ignore[arg-type]
        ends = number == len(cut) - 1
        found.append(DaySpan(None if number == 0 else first, None if ends else last, since, session))
    return found


def _cut(inside: pl.DataFrame, until: date) -> Iterator[tuple[date, date]]:
    """First and last day of each stretch, in order."""
    last_day = inside["day"].max()
    assert isinstance(last_day, date)
    years = inside.group_by(year=pl.col("day").dt.year()).agg(pl.col("rows").sum()).sort("year")
    months = inside.group_by(year=pl.col("day").dt.year(), month=pl.col("day").dt.month()).agg(pl.col("rows").sum())
    for year, rows in years.iter_rows():
        if rows <= MAX_ROWS:
            yield date(year, 1, 1), min(date(year, 12, 31), last_day, until)
            continue
        for month in sorted(months.filter(year=year)["month"]):
            after = date(year + month // 12, month % 12 + 1, 1)
            yield date(year, month, 1), min(date.fromordinal(after.toordinal() - 1), last_day, until)


def key_of(fields: dict[str, str] | list[str], kind: str) -> pl.Expr:
    """What a line is about, as one text, from columns named after our fields."""
    parts = [pl.col(name).fill_null("") if name in fields else pl.lit("") for name in KEYS[kind]]
    return pl.concat_str(parts, separator="\x1f")


def _lines(
    portion: pl.DataFrame, mapping: Mapping, section: MappingSection, calendar: Sessions
) -> tuple[pl.DataFrame, dict[str, str]]:
    rows, fields = convert_columns(portion, section, mapping.zone or calendar.zone)
    ours = rows.select(pl.col(member).alias(name) for name, member in fields.items())
    ours = ours.with_columns(normalize_ticker("ticker")) if "ticker" in fields else ours
    ticker = pl.col("ticker").fill_null("") if "ticker" in fields else pl.lit("")
    placed = ours.with_columns(day=_day(fields, section.kind, calendar), key=key_of(fields, section.kind))
    if section.kind in ("news", "predictions"):
        placed = _add_session(placed, section.kind, calendar)
    return placed.select(ticker=ticker, day="day", key="key").with_columns(line=json_lines(rows)), fields


def _day(fields: dict[str, str], kind: str, calendar: Sessions) -> pl.Expr:
    stated, timed = DAYS[kind]
    tries = [day(stated)] if stated in fields else []
    tries += [instant(timed).dt.convert_time_zone(calendar.zone).dt.date()] if timed in fields else []
    return pl.coalesce(tries)


def _add_session(rows: pl.DataFrame, kind: str, calendar: Sessions) -> pl.DataFrame:
    """Place by the session that a row belongs to: an article's next close, a forecast's last one."""
    stated, timed = DAYS[kind]
    if timed not in rows.columns:
        return rows
    strategy: Literal["forward", "backward"] = "forward" if kind == "news" else "backward"
    numbered = rows.with_row_index("number").with_columns(at=instant(timed))
    at = numbered.filter(pl.col("at").is_not_null()).select("number", "at").sort("at")
    first, last = at["at"].min(), at["at"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return rows
    closes = calendar.frame(first.date() - NEAR, last.date() + NEAR).select(at="close_at", decided="session")
    found = at.join_asof(closes, on="at", strategy=strategy).select("number", "decided")
    placed = numbered.join(found, on="number", how="left", maintain_order="left")
    said = day(stated) if stated in rows.columns else pl.lit(None, dtype=pl.Date)
    return placed.with_columns(day=pl.coalesce(said, "decided", "day")).select(rows.columns)


def _no_day(store: Store, section: MappingSection, line: str, rows: int) -> str:
    fields = [name for name in DAYS[section.kind] if name in section.columns or name in section.constants]
    return (
        f"none of {rows:,} rows of {section.table!r} in {store.where} has a day that can be read; the first is "
        f"{line[:200]}; set [{section.kind}.formats] {fields[0]} to its form, such as %d/%m/%Y or epoch seconds"
    )
