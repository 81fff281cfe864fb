"""Rewrites an older system's cells into the forms ingestion reads; what cannot be read is left as it stands."""

from __future__ import annotations

import polars as pl

from lake.contract import UTC
from pipeline.ingestion.imports.mapping import EPOCHS, KINDS, MappingSection
from pipeline.ingestion.sources.files.dates import iso_days, read_instants

ISO_INSTANT = "%Y-%m-%dT%H:%M:%S%.6f+00:00"
MARK = "="
"""Begins the name of a member that was computed from the columns beside it."""


def convert_columns(rows: pl.DataFrame, section: MappingSection, zone: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """Add what has to be rewritten beside the columns as they are.

    Days become ISO dates, times UTC instants, numbers are divided, a forecast's value becomes a fraction. A cell that
    cannot be rewritten is carried over as it is, so that the rule it breaks is told with what was written there.

    Args:
        rows: the section's columns, all String.
        section: of the mapping.
        zone: of times that state none.

    Returns:
        The rows with the further columns (String), and our field -> the column that holds it.
    """
    of = KINDS[section.kind]
    fields = dict(section.columns)
    added: dict[str, pl.Series] = {}
    for name in (*of.fields,):
        text = _cells(rows, section, name)
        if text is None:
            continue
        new = _rewrite(text, name, section, zone)
        if new is not None or name in section.constants:
            added[name] = text if new is None else new
    if section.kind == "predictions":
        added["value"] = _fraction(rows, section, added)
    for name in added:
        fields[name] = _free(f"{MARK}{name}", rows)
    return rows.with_columns(series.alias(fields[name]) for name, series in added.items()), fields


def days_of(text: pl.Series, form: str, zone: str) -> pl.Series:
    """The day each cell means, as Date; null where it cannot be read.

    A time at midnight, in UTC or as written, is a plain date, because that is how dates are stored as times.
    """
    text = text.str.strip_chars()
    if form == "iso":
        return iso_days(text, zone)
    if form in EPOCHS:
        at = instants_of(text, form, zone)
        local = at.dt.convert_time_zone(zone)
        midnight = at.dt.time() == pl.Series([0]).cast(pl.Time)[0]
        frame = pl.DataFrame({"utc": at.dt.date(), "local": local.dt.date(), "midnight": midnight})
        return frame.select(pl.when("midnight").then("utc").otherwise("local")).to_series()
    if "%z" in form:
        return instants_of(text, form, zone).dt.convert_time_zone(zone).dt.date()
    timed = text.str.to_datetime(form, strict=False).dt.date() if _has_time(form) else None
    return timed if timed is not None else text.str.to_date(form, strict=False)


def instants_of(text: pl.Series, form: str, zone: str) -> pl.Series:
    """The moment each cell means, in UTC; one without an offset is read in `zone`; null where it cannot be read."""
    text = text.str.strip_chars()
    if form == "iso":
        return read_instants(text, zone=zone)
    if form in EPOCHS:
        micros = text.cast(pl.Float64, strict=False) * EPOCHS[form]
        inside = micros.is_finite() & (micros.abs() < 4e15)  # to the year 2096; beyond it the unit is another
        frame = pl.DataFrame({"micros": micros, "inside": inside})
        return frame.select(pl.when("inside").then(pl.col("micros").round().cast(pl.Int64)).cast(UTC)).to_series()
    if "%z" in form:
        return text.str.to_datetime(form, time_zone="UTC", time_unit="us", strict=False).cast(UTC)
    naive = text.str.to_datetime(form, time_unit="us", strict=False)
    return naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def _rewrite(text: pl.Series, name: str, section: MappingSection, zone: str) -> pl.Series | None:
    """The field's cells in the form ingestion reads; None where they need no rewriting."""
    of = KINDS[section.kind]
    form = section.formats.get(name, "iso")
    if name in of.days:
        return _else_unchanged(days_of(text, form, zone).dt.to_string("%Y-%m-%d"), text)
    if name in of.instants:
        return _else_unchanged(instants_of(text, form, zone).dt.to_string(ISO_INSTANT), text)
    if name in section.divide:
        # By a column: polars multiplies by the inverse of a single number, and 10010 cents become 100.10000000000001.
        divisor = pl.repeat(section.divide[name], len(text), dtype=pl.Float64, eager=True)
        return _else_unchanged((text.cast(pl.Float64, strict=False) / divisor).cast(pl.String), text)
    return None


def _fraction(rows: pl.DataFrame, section: MappingSection, added: dict[str, pl.Series]) -> pl.Series:
    """A forecast's value as a return in fractions."""
    cells = {name: added.get(name, _cells(rows, section, name)) for name in ("value", "reference")}
    text = cells["value"]
    assert text is not None  # the mapping needs it
    value = text.cast(pl.Float64, strict=False)
    if section.value == "log return":
        return _else_unchanged((value.exp() - 1).cast(pl.String), text)
    if section.value == "price":
        reference = cells["reference"]
        assert reference is not None  # the mapping needs it
        return _else_unchanged((value / reference.cast(pl.Float64, strict=False) - 1).cast(pl.String), text)
    return text


def _cells(rows: pl.DataFrame, section: MappingSection, name: str) -> pl.Series | None:
    if name in section.columns:
        return rows[section.columns[name]]
    if name in section.constants:
        return pl.Series([section.constants[name]], dtype=pl.String).new_from_index(0, rows.height)
    return None


def _else_unchanged(new: pl.Series, text: pl.Series) -> pl.Series:
    return new.fill_null(text)


def _has_time(form: str) -> bool:
    return any(sign in form for sign in ("%H", "%I", "%T", "%X", "%c"))


def _free(name: str, rows: pl.DataFrame) -> str:
    while name in rows.columns:
        name = MARK + name
    return name
