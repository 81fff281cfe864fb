"""Dates as files have them: found out once for a whole column, never guessed row by row."""

from __future__ import annotations

import re
from datetime import date, time

import polars as pl

from lake.contract import UTC
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.distinct_cells import DistinctCells
from pipeline.ingestion.sources.files.typed_text import write_out
from pipeline.market.sessions import Sessions

ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
UNPADDED = r"^\d{4}-\d{1,2}-\d{1,2}$"
ISO_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"
MIDNIGHT = r"^.{10}[T ]00:00(:00(\.0+)?)?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?$"
OFFSET = r"(Z|UTC|[+-]\d{2}:?\d{2})$"
COMPACT = "%Y%m%d"
FORMATS = (
    *(COMPACT, "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%b-%Y", "%b %d, %Y"),
    *("%Y.%m.%d", "%m-%d-%Y", "%d-%m-%Y", "%d %b %Y", "%b %d %Y", "%B %d, %Y", "%d %B %Y", "%A, %B %d, %Y"),
    *("%Y-%m-%d", "%d-%B-%Y", "%b-%d-%Y", "%d %B, %Y", "%a %b %d %Y", "%A, %d %B %Y"),
)
AMBIGUOUS = (("%m/%d/%Y", "%d/%m/%Y"), ("%m-%d-%Y", "%d-%m-%Y"))
"""Forms that read the same cells, with day and month exchanged."""
YEAR_FIRST = ("%y-%m-%d", "%y/%m/%d", "%y.%m.%d")
"""Years of two figures before month and day."""
EPOCH = r"^-?(\d{9,10}|\d{12,13}|\d{15,16}|\d{18,19})(\.\d*)?$"
"""A moment as a count since 1970: of seconds, milliseconds, microseconds or nanoseconds, by its length."""
CLOCK = r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?$"
SERIAL = r"^(3[3-9]|4\d|5\d)\d{3}(\.\d+)?$"
"""Days since 1899-12-30, as spreadsheets count them, from 1990 to 2064; days since 1970 are smaller until 2060."""
SERIAL_ZERO = date(1899, 12, 30)
ISO_FORM, EPOCH_FORM, SERIAL_FORM = "iso", "epoch", "serial"


def is_iso(text: pl.Series) -> bool:
    """Whether every cell that is filled is a date like 2026-01-31, as ingestion reads it."""
    return bool(text.str.contains(ISO_DATE).all())


def read_dates(text: pl.Series, *, date_format: str, zone: str, where: str) -> pl.Series:
    """Return the trading day of each cell; null where it cannot be read.

    A timestamp at midnight, as written, is a date; any other one with an offset belongs to its day in `zone`, and
    one without to the day it states.

    Args:
        text: cells as they stand in the file.
        date_format: strptime format; if empty, ISO 8601 and the usual forms are tried, and one has to fit best.
        zone: of moments.
        where: file and column, for errors.

    Raises:
        SourceError: if no cell is a date, or day and month cannot be told apart.
    """
    form = "" if date_format else find_form(DistinctCells.of(text).count())
    refuse_two_forms(form, text, where)
    days = parse_days(text, form=form, zone=zone, date_format=date_format)
    if days.null_count() == len(days):
        raise no_dates(text, len(text), date_format, where)
    return days


def parse_days(text: pl.Series, *, form: str, zone: str, date_format: str = "") -> pl.Series:
    """Return the day of each cell in a form that is known; null where it is written otherwise.

    Each cell is read once, however many rows have it: many tickers share a day.

    Args:
        text: cells as they stand in the file.
        form: what `find_form` gives.
        zone: of moments.
        date_format: strptime format that counts instead; none if empty.
    """
    cells = DistinctCells.of(text)
    return cells.spread(parse_once(cells.once, form=form, zone=zone, date_format=date_format))


def parse_once(cells: pl.Series, *, form: str, zone: str, date_format: str = "") -> pl.Series:
    """Return what `parse_days` does of cells that are all different."""
    text = cells.str.strip_chars().alias("text")
    if date_format:
        days = text.str.to_date(date_format, strict=False)
    elif form == ISO_FORM:
        days = _iso_days(text, zone)
    elif form == EPOCH_FORM:
        days = _epoch_days(text, zone)
    elif form == SERIAL_FORM:
        days = _serial_days(text)
    else:
        days = _try(text, form) if form else pl.Series([None] * len(text), dtype=pl.Date)
    return days.alias("day")


def refuse_two_forms(form: str, text: pl.Series, where: str) -> None:
    """Refuse cells of which it cannot be told whether day or month comes first.

    Raises:
        SourceError: if so, with the two forms.
    """
    if "|" in form:
        american, european = form.split("|")
        raise SourceError(
            f"{where}: day and month cannot be told apart, the first value is {text.drop_nulls()[0]!r}; "
            f"set date_format to {american} or {european}"
        )


def no_dates(text: pl.Series, count: int, date_format: str, where: str) -> SourceError:
    """What is said of a column none of whose cells is a date.

    Args:
        text: some of its cells.
        count: how many it has.
        date_format: what the operator says.
        where: file and column.
    """
    first = next((cell for cell in text if cell is not None), None)
    form = f"in the form {date_format!r}" if date_format else "a date"
    return SourceError(
        f"{where}: none of {count} values is {form}, the first is {first!r}; "
        "map another column, or set date_format, such as %d/%m/%Y"
    )


def read_instants(text: pl.Series, *, zone: str) -> pl.Series:
    """Return each cell's moment in UTC; one without an offset is read in `zone`; null where it cannot be read.

    A cell is in ISO 8601, or all are counts since 1970.
    """
    if _is_mostly(text, EPOCH):
        return _epoch_instants(text)
    frame = pl.DataFrame({"text": text.str.strip_chars().str.replace(" ", "T", literal=True)})
    plain = pl.col("text").str.replace(r" ?(Z|UTC)$", "+00:00").str.replace(r"([+-]\d{2})(\d{2})$", "$1:$2")
    zoned = pl.col("text").str.contains(OFFSET) & pl.col("text").str.contains(ISO_TIME)
    formats = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
    with_offset = pl.coalesce(
        pl.when(zoned).then(plain).str.to_datetime(f"{form}%:z", time_zone="UTC", time_unit="us", strict=False)
        for form in formats
    )
    without = pl.coalesce(
        pl.when(~zoned).then("text").str.to_datetime(form, time_unit="us", strict=False) for form in formats
    ).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return frame.select(at=pl.coalesce(with_offset, without.dt.convert_time_zone("UTC")).cast(UTC)).to_series()


def state_moments(written: pl.Series, calendar: Sessions, zone: str) -> pl.Series:
    """Return when each row says it was known, in ISO 8601 with an offset; what cannot be read stays as it is written.

    A moment without an offset is read in `zone`. A day alone, also as a midnight, is its session's close, since what
    was seen that day was there for its decisions; without a session it is the day's end.

    Args:
        written: cells as they stand in the file.
        calendar: the sessions.
        zone: of moments and days.
    """
    cells = DistinctCells.of(written if written.dtype in (pl.String, pl.Date) else write_out(written))
    text = cells.once.str.strip_chars()
    day = text.filter(text.str.contains(ISO_DATE) | (text.str.contains(MIDNIGHT) & ~text.str.contains(OFFSET)))
    days = pl.DataFrame({"text": day, "session": day.str.head(10).str.to_date("%Y-%m-%d", strict=False)})
    ends = (pl.col("session").dt.offset_by("1d").cast(pl.Datetime("us"))).dt.replace_time_zone(
        zone, ambiguous="earliest"
    )
    closes = calendar.frame(calendar.days[0], calendar.days[-1]).select("session", "close_at")
    known = days.join(closes, on="session", how="left").select(
        "text", day_at=pl.coalesce("close_at", ends.dt.convert_time_zone("UTC").cast(UTC))
    )
    at = pl.DataFrame({"text": text, "at": read_instants(text, zone=zone)}).join(
        known.unique("text"), on="text", how="left", maintain_order="left", nulls_equal=True
    )
    told = at.select(pl.coalesce("day_at", "at").dt.to_string("%Y-%m-%dT%H:%M:%S%.f%:z")).to_series()
    return cells.spread(told.fill_null(cells.once))


def has_plain_moments(written: pl.Series) -> bool:
    """Whether every cell that is filled is a moment with an offset, as ingestion reads it."""
    return written.dtype == pl.String and bool((written.str.contains(ISO_TIME) & written.str.contains(OFFSET)).all())


def correct_days(days: pl.Series, error: str) -> pl.Series:
    """Return the days as they should be, where a file has them late or early by a day or a weekday."""
    if error == "right":
        return days
    step = -1 if error.endswith("late") else 1
    moved = days.dt.offset_by(f"{step}d")
    if error.startswith("day"):
        return moved
    weekday = moved.dt.weekday()
    back, ahead = weekday - 5, 8 - weekday
    frame = pl.DataFrame({"day": moved, "off": -back if step < 0 else ahead, "weekend": weekday > 5})
    return frame.select(
        pl.when("weekend").then(pl.col("day") + pl.duration(days=pl.col("off"))).otherwise("day").alias(days.name)
    ).to_series()


def iso_times(text: pl.Series, days: pl.Series) -> pl.Series:
    """Return each cell's day and time of day in ISO 8601, without an offset; null where it has no time of day."""
    clock = r"(\d{1,2}):(\d{2})(?::(\d{2}))?[\d.]*( ?[AaPp][Mm])?$"
    frame = pl.DataFrame({"text": text.str.strip_chars(), "day": days})
    hour, minute, second = (pl.col("text").str.extract(clock, group) for group in (1, 2, 3))
    half = pl.col("text").str.extract(clock, 4).str.strip_chars().str.to_uppercase()
    number = hour.cast(pl.Int64)
    full = pl.when(half.is_null()).then(number).when(half == "PM").then(number % 12 + 12).otherwise(number % 12)
    padded = full.cast(pl.String).str.pad_start(2, "0")
    told = pl.format("{}T{}:{}:{}", pl.col("day").dt.to_string("%Y-%m-%d"), padded, minute, second.fill_null("00"))
    return frame.select(told).to_series()


def iso_days(text: pl.Series, zone: str) -> pl.Series:
    """Return the day of each ISO 8601 cell as Date; one with a time and an offset belongs to its day in `zone`."""
    return parse_days(text, form=ISO_FORM, zone=zone)


def _iso_days(text: pl.Series, zone: str) -> pl.Series:
    frame = pl.DataFrame({"text": text.str.strip_chars()})
    written = pl.col("text").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    plain = pl.col("text").str.contains(ISO_DATE) | pl.col("text").str.contains(MIDNIGHT)
    short = pl.when(pl.col("text").str.contains(UNPADDED)).then("text").str.to_date("%Y-%m-%d", strict=False)
    timed = pl.col("text").str.contains(ISO_TIME) & ~plain
    if not frame.select(timed.any()).item():
        return frame.select(day=pl.when(plain).then(written).otherwise(short)).to_series()
    at = read_instants(text, zone=zone).dt.convert_time_zone(zone).dt.date()
    day = pl.when(plain).then(written).when(timed).then("at").otherwise(short)
    return frame.with_columns(at=at).select(day=day).to_series()


def once_each(cells: pl.Series) -> pl.DataFrame:
    """Return few cells as `find_form` wants them, without looking for equal ones."""
    text = write_out(cells.drop_nulls()).alias("text")
    return pl.DataFrame([text, pl.Series("rows", [1], pl.UInt32).new_from_index(0, len(text))])


def find_form(texts: pl.DataFrame) -> str:
    """Return how a file writes its days: iso, epoch, serial, one of FORMATS, or two that read it alike, joined by |.

    Empty if it is none of these. What two files write in the same form can be read together.

    Args:
        texts: cells, as `text`, and the number of `rows` that have each; a cell may be there more than once.
    """
    text, rows = texts["text"].str.strip_chars(), texts["rows"]
    filled = int(rows.sum())
    if 2 * int(rows.filter(text.str.contains(ISO_DATE[:-1])).sum()) >= filled:
        return ISO_FORM
    if 2 * int(rows.filter(text.str.contains(EPOCH)).sum()) >= filled:
        return EPOCH_FORM
    if form := _find_year_first(text):
        return form
    hits = {form: int(rows.filter(days.is_not_null()).sum()) for form, days in _tries(text).items()}
    best = max(FORMATS, key=lambda form: hits[form])
    pair = next((pair for pair in AMBIGUOUS if best in pair and hits[pair[0]] == hits[pair[1]]), None)
    if not hits[best]:
        return SERIAL_FORM if text.str.contains(SERIAL).all() and filled else ""
    return "|".join(pair) if pair else best


def _find_year_first(text: pl.Series) -> str:
    """The one of YEAR_FIRST that reads all cells, where their ends differ more than their beginnings; else empty.

    A day comes round every month, a year once: of 21-01-04, 21-01-05 and 21-01-06 the last figures are the days.
    """
    if text.str.slice(6).n_unique() <= text.str.slice(0, 2).n_unique():
        return ""
    return next((form for form in YEAR_FIRST if _reads_all(text, form)), "")


def _reads_all(text: pl.Series, form: str) -> bool:
    """Whether every cell is in one of YEAR_FIRST."""
    sign = re.escape(form[2])
    written = text.str.contains(rf"^\d\d{sign}\d\d{sign}\d\d$").all()
    return bool(written) and not text.str.to_date(form, strict=False).null_count()


def _is_mostly(text: pl.Series, form: str) -> bool:
    filled = text.is_not_null().sum()
    return bool(filled) and bool(text.str.contains(form).sum() >= filled / 2)


def _epoch_instants(text: pl.Series) -> pl.Series:
    """UTC microseconds of counts since 1970, each by the length of its text."""
    text = text.str.strip_chars()
    count = text.str.extract(EPOCH, 0).str.replace(r"\.\d*$", "").cast(pl.Int64, strict=False)
    length = text.str.extract(EPOCH, 1).str.len_chars()
    frame = pl.DataFrame({"count": count, "length": length})
    n = pl.col("count")
    micro = (
        pl.when(pl.col("length") <= 10)
        .then(n * 1_000_000)
        .when(pl.col("length") <= 13)
        .then(n * 1_000)
        .when(pl.col("length") <= 16)
        .then(n)
        .otherwise(n // 1_000)
    )
    return frame.select(at=micro.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(UTC)).to_series()


def _epoch_days(text: pl.Series, zone: str) -> pl.Series:
    """Midnight in UTC is the date that it is there; any other moment belongs to its day in `zone`."""
    frame = pl.DataFrame({"at": _epoch_instants(text)})
    local = pl.col("at").dt.convert_time_zone(zone).dt.date()
    midnight = pl.col("at").dt.time() == time(0)
    return frame.select(day=pl.when(midnight).then(pl.col("at").dt.date()).otherwise(local)).to_series()


def _serial_days(text: pl.Series) -> pl.Series:
    """The days of a spreadsheet's counts; a part of a day is left out."""
    count = text.str.strip_chars().str.extract(SERIAL, 0).cast(pl.Float64, strict=False).floor().cast(pl.Int64)
    return count.to_frame("n").select(pl.lit(SERIAL_ZERO) + pl.duration(days="n")).to_series()


def _try(text: pl.Series, form: str) -> pl.Series:
    """The days that one of FORMATS reads."""
    bare = text if form in YEAR_FIRST else _without_clock(text, form)
    return bare.str.to_date(form, strict=False)


def _tries(text: pl.Series) -> dict[str, pl.Series]:
    """The days that each of FORMATS reads."""
    heads = {compact: _without_clock(text, compact) for compact in (COMPACT, "")}
    return {form: heads[form if form == COMPACT else ""].str.to_date(form, strict=False) for form in FORMATS}


def _without_clock(text: pl.Series, form: str) -> pl.Series:
    """The cells without a time of day after the date; years of two figures are 1970 to 2069."""
    if form == COMPACT:
        return text.str.strip_chars().str.replace(r"^(\d{8})(?: .*|T\d{6}|\.0*)$", "$1")
    head = text.str.strip_chars().str.replace(CLOCK, "")
    head = head.str.replace(r"^(\d{1,2}[-/. ](?:\d{1,2}|[A-Za-z]{3})[-/. ])([0-6]\d)$", "${1}20$2")
    return head.str.replace(r"^(\d{1,2}[-/. ](?:\d{1,2}|[A-Za-z]{3})[-/. ])([7-9]\d)$", "${1}19$2")
