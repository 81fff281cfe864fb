"""What is landed of files that earlier programs read stays as it was, to the byte: lakes are computed again from it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from tests.frames.sessions import weekday_sessions

CALENDAR = weekday_sessions(date(2020, 1, 1), date(2020, 12, 31))
DAYS = ("2020-06-01", "2020-06-02", "2020-06-03")
LONG = "Date,Symbol,Open,High,Low,Close,Volume"
OWN = "Date,Open,High,Low,Close,Adj Close,Volume"


def _long(separator: str = ",", header: str = LONG, stamp: str = "{}") -> str:
    rows = [
        f"{stamp.format(day)},{name},10,11.50,9,10.{n},1000" for name in ("BBB", "AAA") for n, day in enumerate(DAYS)
    ]
    return "\n".join([header, *rows]).replace(",", separator) + "\n"


def _own(header: str = OWN, form: Callable[[str], str] = str, adjusted: str = ",10.1") -> str:
    return "\n".join([header, *(f"{form(day)},10,11.50,9,10.{n}{adjusted},1000" for n, day in enumerate(DAYS))]) + "\n"


def _american(day: str) -> str:
    return f"{day[5:7]}/{int(day[8:]) + 20}/{day[:4]}"


def _stooq(day: str) -> str:
    return day.replace("-", "")


STOOQ = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"
TIINGO = "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor"
FORMS: Mapping[str, Mapping[str, str | bytes]] = {
    "long": {"p.csv": _long()},
    "semicolons": {"p.csv": _long(";")},
    "tabs": {"p.tsv": _long("\t")},
    "bars": {"p.txt": _long("|")},
    "windows": {"p.CSV": b"\xef\xbb\xbf" + _long().replace("\n", "\r\n").encode()},
    "gzip": {"p.csv.gz": gzip.compress(_long().encode(), mtime=0)},
    "kaggle": {"p.csv": _long(header="date,Name,open,high,low,close,volume")},
    "unreadable cells": {"p.csv": _long() + '2020-06-04,AAA,"12,3x",011.50,9,nan,1e3\nsoon,AAA,,1,1,1,1\n'},
    "yahoo folder": {"d/AAPL.csv": _own(), "d/msft.csv": _own(), "d/BRK.B.csv": _own()},
    "further columns": {"d/AAPL.csv": _own(), "d/MSFT.csv": _own(OWN.replace("Adj Close", "Turnover"))},
    "american dates": {"d/AAPL.csv": _own(form=_american), "d/MSFT.csv": _own(form=_american)},
    "eodhd": {"AAPL.US.csv": _own(OWN.replace("Adj Close", "Adjusted_close"))},
    "tiingo": {"AAPL.csv": "\n".join([TIINGO, *(f"{d},10,11,9,10,5,10,11,9,10,5,0,1" for d in DAYS)]) + "\n"},
    "stooq": {
        "aapl.us.txt": "\n".join([STOOQ, *(f"AAPL.US,D,{_stooq(d)},000000,10,11.50,9,10.5,1000,0" for d in DAYS)])
        + "\n"
    },
    "new york midnights": {"p.csv": _long(stamp="{} 00:00:00-04:00")},
    "utc midnights": {"p.csv": _long(stamp="{}T00:00:00Z")},
    "closes": {"p.csv": _long(stamp="{}T20:00:00+00:00")},
    "naive closes": {"p.csv": _long(stamp="{} 16:00")},
}
LANDED = {
    "long": "b9aa29594d6ef346",
    "semicolons": "b9aa29594d6ef346",
    "tabs": "b9aa29594d6ef346",
    "bars": "b9aa29594d6ef346",
    "windows": "b9aa29594d6ef346",
    "gzip": "b9aa29594d6ef346",
    "kaggle": "3e9d6eb5e47db136",
    "unreadable cells": "1dde1841b822eaf4",
    "yahoo folder": "aa1996768678e15c",
    "further columns": "17e84d5ed7081dfc",
    "american dates": "90c61b44da998f6e",
    "eodhd": "9acd59f899bbaf64",
    "tiingo": "0be6bb8becf9b1c1",
    "stooq": "042281399ab79ffc",
    "new york midnights": "bc168309f500a875",
    "utc midnights": "73e1f0c410bdfd04",
    "closes": "9880e3bf510ed4d0",
    "naive closes": "4db2de62c4c58581",
}
"""Form -> the identity of what the program before this test landed of it."""


def _digest(folder: Path, form: str) -> str:
    """The identity of all that is landed of the form's files: as history, and by a daily fetch."""
    for name, text in FORMS[form].items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    name = next(iter(FORMS[form]))
    path = folder / (name.split("/", maxsplit=1)[0])
    source = FilesSource(FilesParams(prices=(str(path),)), CALENDAR)
    parts = [
        source.prices(date(2020, 6, 1), date(2020, 6, 30), history=True),
        source.prices(date(2020, 6, 3), date(2020, 6, 3), history=False),
    ]
    landed = pl.concat(parts).filter(pl.col("kind").is_in(["bars", "listings"]))
    return hashlib.sha256(repr(landed.select("kind", "ticker", "request", "payload").rows()).encode()).hexdigest()[:16]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_landed_of_files_read_before_stays_as_it_was(tmp_path: Path, form: str) -> None:
    assert _digest(tmp_path, form) == LANDED[form]


def test_a_frame_with_an_index_of_pandas_lands_as_it_did(tmp_path: Path) -> None:
    days = pl.Series(DAYS).str.to_datetime(time_unit="ns")
    frame = pl.DataFrame({"Open": 0.1 + 0.2, "High": 11.5, "Low": 0.25, "Close": [10.0, 10.5, 11.0], "Volume": 7})
    frame.select("*", Date=days).write_parquet(tmp_path / "AAPL.parquet")
    source = FilesSource(FilesParams(prices=(str(tmp_path / "AAPL.parquet"),)), CALENDAR)
    landed = source.prices(date(2020, 6, 1), date(2020, 6, 30), history=True).filter(kind="bars")
    assert landed["payload"][0].split("\n")[0] == (
        '{"Open":"0.30000000000000004","High":"11.5","Low":"0.25","Close":"10.0","Volume":"7",'
        '"Date":"2020-06-01T00:00:00","ticker":"AAPL","trading_day":"2020-06-01"}'
    )
