"""Days, times and numbers of any system come out in ours, exactly; what cannot be read stays as it stands."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline.ingestion.imports.convert import convert_columns, days_of, instants_of
from pipeline.ingestion.imports.mapping import MappingSection

NEW_YORK = "America/New_York"


def texts(*cells: object) -> pl.Series:
    return pl.Series([None if cell is None else str(cell) for cell in cells], dtype=pl.String)


@pytest.mark.parametrize(
    ("form", "cell", "day"),
    [
        ("iso", "2024-01-05", date(2024, 1, 5)),
        ("iso", " 2024-01-05 ", date(2024, 1, 5)),
        ("iso", "2024-01-05 00:00:00", date(2024, 1, 5)),
        ("iso", "2024-01-05T00:00:00Z", date(2024, 1, 5)),  # a date stored as midnight in UTC is that date
        ("iso", "2024-01-06T01:00:00Z", date(2024, 1, 5)),  # any other time belongs to the exchange's day
        ("iso", "05/01/2024", None),
        ("iso", "2024-02-30", None),
        ("%d/%m/%Y", "05/01/2024", date(2024, 1, 5)),
        ("%m/%d/%Y", "05/01/2024", date(2024, 5, 1)),
        ("%m/%d/%Y", "13/01/2024", None),
        ("%Y%m%d", "20240105", date(2024, 1, 5)),
        ("%d.%m.%Y %H:%M", "05.01.2024 16:00", date(2024, 1, 5)),
        ("epoch seconds", 1704412800, date(2024, 1, 5)),  # midnight in UTC
        ("epoch seconds", "1704412800.0", date(2024, 1, 5)),
        ("epoch seconds", 1704430800, date(2024, 1, 5)),  # midnight in New York
        ("epoch seconds", 1704488400, date(2024, 1, 5)),  # its close
        ("epoch seconds", 1704499201, date(2024, 1, 5)),  # a second after midnight in UTC: evening in New York
        ("epoch milliseconds", 1704412800000, date(2024, 1, 5)),
        ("epoch seconds", 1704412800000, None),  # of another unit
        ("epoch seconds", "nan", None),
        ("epoch seconds", "soon", None),
    ],
)
def test_a_day_is_read_in_the_form_that_the_mapping_names(form: str, cell: object, day: date | None) -> None:
    assert days_of(texts(cell, None), form, NEW_YORK).to_list() == [day, None]


@pytest.mark.parametrize(
    ("form", "cell", "moment"),
    [
        ("iso", "2024-01-05 09:30:00", datetime(2024, 1, 5, 14, 30, tzinfo=UTC)),
        ("iso", "2024-07-05T09:30", datetime(2024, 7, 5, 13, 30, tzinfo=UTC)),
        ("iso", "2024-01-05T09:30:00+01:00", datetime(2024, 1, 5, 8, 30, tzinfo=UTC)),
        ("iso", "2024-01-05T09:30:00.123456Z", datetime(2024, 1, 5, 9, 30, 0, 123456, tzinfo=UTC)),
        ("iso", "2024-03-10 02:30:00", None),  # the clock jumped over it
        ("iso", "2024-11-03 01:30:00", datetime(2024, 11, 3, 5, 30, tzinfo=UTC)),  # the first of two
        ("iso", "2024-01-05", None),  # a day is no moment
        ("%d/%m/%Y %H:%M", "05/01/2024 09:30", datetime(2024, 1, 5, 14, 30, tzinfo=UTC)),
        ("%Y-%m-%d %H:%M:%S %z", "2024-01-05 09:30:00 +0100", datetime(2024, 1, 5, 8, 30, tzinfo=UTC)),
        ("epoch seconds", 1704465000, datetime(2024, 1, 5, 14, 30, tzinfo=UTC)),
        ("epoch seconds", 1704465000.25, datetime(2024, 1, 5, 14, 30, 0, 250000, tzinfo=UTC)),
        ("epoch milliseconds", 1704465000001, datetime(2024, 1, 5, 14, 30, 0, 1000, tzinfo=UTC)),
        ("epoch microseconds", 1704465000000001, datetime(2024, 1, 5, 14, 30, 0, 1, tzinfo=UTC)),
        ("epoch seconds", "inf", None),
    ],
)
def test_a_moment_is_read_in_its_form_and_zone(form: str, cell: object, moment: datetime | None) -> None:
    assert instants_of(texts(cell), form, NEW_YORK).to_list() == [moment]


@given(some.integers(-(10**12), 10**12))
def test_cents_become_the_nearest_number_there_is(cents: int) -> None:
    section = MappingSection(kind="trades", table="t", columns={"price": "px"}, divide={"price": 100.0})
    rows, fields = convert_columns(pl.DataFrame({"px": [str(cents), str(cents)]}), section, NEW_YORK)
    assert rows[fields["price"]].cast(pl.Float64).to_list() == [cents / 100] * 2


@pytest.mark.parametrize(
    ("value", "cells", "point"),
    [
        ("return", ("0.05", None), 0.05),
        ("log return", ("0.05", None), 0.051271096376024),
        ("price", ("105", "100"), 0.05),
        ("price", ("105", "0"), float("inf")),
    ],
)
def test_a_forecast_becomes_a_return(value: str, cells: tuple[str, str | None], point: float) -> None:
    section = MappingSection(kind="predictions", table="t", columns={"value": "v", "reference": "r"}, value=value)
    rows, fields = convert_columns(pl.DataFrame([cells], schema={"v": str, "r": str}, orient="row"), section, NEW_YORK)
    assert float(rows[fields["value"]][0]) == pytest.approx(point, abs=1e-15)


def test_what_cannot_be_read_stays_beside_what_was_written() -> None:
    section = MappingSection(
        kind="prices",
        table="t",
        columns={"session": "d", "close": "c"},
        divide={"close": 100.0},
        constants={"ticker": "X"},
    )
    rows, fields = convert_columns(pl.DataFrame({"d": ["someday"], "c": ["n/a"]}), section, NEW_YORK)
    assert [rows[fields[name]][0] for name in ("session", "close", "ticker")] == ["someday", "n/a", "X"]
    assert rows.select("d", "c").row(0) == ("someday", "n/a")


def test_a_column_that_is_called_like_a_computed_one_is_kept_apart() -> None:
    section = MappingSection(kind="prices", table="t", columns={"session": "=session"}, formats={"session": "%Y%m%d"})
    rows, fields = convert_columns(pl.DataFrame({"=session": ["20240105"]}), section, NEW_YORK)
    assert (rows["=session"][0], rows[fields["session"]][0]) == ("20240105", "2024-01-05")


def test_a_local_time_is_read_in_the_zone_that_the_mapping_names() -> None:
    for zone in ("Asia/Tokyo", "Europe/Berlin", "UTC"):
        at = datetime(2024, 1, 5, 9, 30, tzinfo=ZoneInfo(zone))
        assert instants_of(texts("2024-01-05 09:30"), "iso", zone).to_list() == [at.astimezone(UTC)]
