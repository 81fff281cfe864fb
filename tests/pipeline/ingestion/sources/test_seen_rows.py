"""Files whose rows say when they were seen: by moments with and without an offset, and by days alone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, PRICE_RESTATEMENTS
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.files.dates import has_plain_moments, state_moments
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.market.sessions import exchange_sessions
from tests.new_lake import new_lake
from tests.pipeline.ingestion.sources.test_files import csv

XNYS = exchange_sessions("XNYS")
HEADER = "ticker,date,collected,open,high,low,close,volume"
TUESDAY, FRIDAY = date(2015, 3, 24), date(2015, 3, 27)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2015-03-24", "2015-03-24T20:00:00+00:00"),  # the close, in summer time
        ("2015-03-24 00:00:00", "2015-03-24T20:00:00+00:00"),
        ("2015-11-27", "2015-11-27T18:00:00+00:00"),  # an early one, in winter
        ("2015-03-28", "2015-03-29T04:00:00+00:00"),  # a Saturday's end
        ("2015-03-24 16:15:00", "2015-03-24T20:15:00+00:00"),
        ("2015-03-24T16:15:00+02:00", "2015-03-24T14:15:00+00:00"),
        ("2015-03-24T00:00:00Z", "2015-03-24T00:00:00+00:00"),
        ("soon", "soon"),
        (None, None),
    ],
)
def test_what_a_cell_means(written: str | None, meant: str | None) -> None:
    cells = pl.Series("collected", [written, "2015-03-25T12:00:00+00:00", written], dtype=pl.String)
    assert state_moments(cells, XNYS, XNYS.zone).to_list() == [meant, cells[1], meant]


def test_days_and_times_of_a_typed_file_are_read_as_written_ones() -> None:
    days = pl.Series("collected", [TUESDAY, None, TUESDAY])
    times = days.cast(pl.Datetime("us"))
    text = pl.Series("collected", ["2015-03-24", None, "2015-03-24"])
    told = [state_moments(one, XNYS, XNYS.zone).to_list() for one in (days, times, text)]
    assert told[0] == told[1] == told[2]
    assert not has_plain_moments(days) and not has_plain_moments(text)
    assert has_plain_moments(pl.Series(["2015-03-24T16:15:00+02:00", None]))


def vintages(path: Path) -> str:
    """Bars of four days of three names, every one seen twice, the close of one of them put right a day later."""
    rows = []
    for ticker in ("AAA", "BBB", "CCC"):
        for day in (date(2015, 3, 23) + timedelta(days=number) for number in range(4)):
            for later in (0, 1):
                close = 36.3 if (ticker, day, later) == ("AAA", TUESDAY, 1) else 36.0
                rows.append(f"{ticker},{day},{day + timedelta(days=later)},36,37,35,{close},1000")
    return csv(path / "vintages.csv", *rows, header=HEADER)


def test_the_advice_on_contradicting_bars_is_all_it_takes(tmp_path: Path) -> None:
    path = vintages(tmp_path)
    (said,) = FilesSource(FilesParams(prices=(path,)), XNYS).understand().problems
    assert "contradict another bar" in said
    (advice,) = re.findall(r"--column (\S+)", said)
    params = FilesParams(prices=(path,), columns=(advice,))
    assert not FilesSource(params, XNYS).understand().problems
    settings = Settings(runtime=RuntimeParams(durable=False), source=SourceParams(name="files", files=params))
    runner = Runner(new_lake(tmp_path / "lake"), settings)
    runner.backfill(date(2015, 3, 23), FRIDAY)
    closes = {
        as_of: runner.lake.read(
            MARKET_PRICES,
            since=TUESDAY,
            until=TUESDAY,
            where=pl.col("ticker") == "AAA",
            as_of=datetime(2015, 3, as_of, 20, 30, tzinfo=UTC),
            every_revision=False,
        )["close"].to_list()
        for as_of in (23, 24, 25)
    }
    assert closes == {23: [], 24: [36.0], 25: [36.3]}
    assert runner.lake.read(PRICE_RESTATEMENTS)["ticker"].unique().to_list() == ["AAA"]


def test_an_action_announced_on_a_day_is_known_from_its_close_on(tmp_path: Path) -> None:
    bars = csv(tmp_path / "bars.csv", *(f"{day},AAA,36,37,35,36,1000" for day in ("2015-03-23", "2015-03-24")))
    header = "ticker,ex_date,kind,amount,available_at"
    told = csv(tmp_path / "actions.csv", "AAA,2015-03-24,dividend,0.5,2015-03-20", header=header)
    settings = Settings(
        runtime=RuntimeParams(durable=False),
        source=SourceParams(name="files", files=FilesParams(prices=(bars,), actions=told)),
    )
    runner = Runner(new_lake(tmp_path / "lake"), settings)
    runner.backfill(date(2015, 3, 23), TUESDAY)
    (action,) = runner.lake.read(CORPORATE_ACTIONS).to_dicts()
    assert action["available_at"] == datetime(2015, 3, 20, 20, tzinfo=UTC)
