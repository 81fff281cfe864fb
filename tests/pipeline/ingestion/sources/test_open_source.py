"""A source is opened by name, and its payloads are told apart by their hash."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import ConfigError
from pipeline.config.loading import load
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.payloads import payload_id
from pipeline.ingestion.sources.registry import SourceName, SourceParams, open_snapshot_source, open_source
from pipeline.market.sessions import exchange_sessions
from tests.pipeline.ingestion.sources.markets import calendar


def test_the_simulated_source_is_the_default() -> None:
    source = open_source(SourceParams(), calendar())
    assert source.name == "simulated"
    assert source.coverage()[0] == date(2018, 1, 2)


def test_an_unknown_source_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SourceError, match="did you mean 'simulated'"):
        open_source(SourceParams(name="simulate"), calendar())
    with pytest.raises(SourceError, match="choose from simulated, files"):
        open_source(SourceParams(name="quux"), calendar())


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"NAME": "files", "FILES__INTERVALS": "1d,5m"}, "no files hold such bars; name them in source.files.intraday"),
        ({"NAME": "files", "FILES__INTRADAY": "a.csv"}, 'source.files.intervals no bars shorter than a day.*"5m"'),
        ({"NAME": "yahoo", "YAHOO__INTERVALS": "5m"}, "add 1d to source.yahoo.intervals"),
        (
            {"NAME": "yahoo", "YAHOO__INTERVALS": "1d,1m", "YAHOO__INTERVAL": "1h"},
            "source.yahoo.interval is 1h, and everything is decided by daily bars: set it to 1d",
        ),
        ({"NAME": "yahoo", "YAHOO__INTERVAL": "5m"}, r'name bars of 5m in source.yahoo.intervals \("1d", "5m"\)'),
    ],
)
def test_lengths_of_bars_that_nothing_brings_are_refused_by_name_with_the_fix(
    chosen: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load(None, {f"NEXTGEN_SOURCE__{name}": value for name, value in chosen.items()})


@pytest.mark.parametrize("name", ["simulated", "files", "yahoo"])
def test_a_source_without_bars_within_sessions_says_which_setting_would_bring_them(name: SourceName) -> None:
    with pytest.raises(SourceError, match=f"add 1h, 5m or 1m to source.{name}.intervals"):
        open_snapshot_source(SourceParams(name=name), calendar())


@pytest.mark.parametrize(
    ("name", "exchange", "stated", "currency"),
    [
        ("files", "24/7", "", "EUR"),
        ("files", "24/7", "GBP", "GBP"),
        ("files", "XNYS", "", "USD"),
        ("simulated", "24/7", "", "EUR"),
        ("simulated", "XNYS", "", "USD"),
    ],
)
def test_prices_are_in_the_books_currency_where_neither_source_nor_exchange_says_one(
    tmp_path: Path, name: str, exchange: str, stated: str, currency: str
) -> None:
    (tmp_path / "a.csv").write_text("ticker,date,open,high,low,close,volume\nAAA,2025-06-03,1,1,1,1,1\n")
    chosen = {"SOURCE__NAME": name, "SOURCE__FILES__PRICES": str(tmp_path / "a.csv"), "MARKET__EXCHANGE": exchange}
    chosen |= {"MARKET__CURRENCY": "EUR"} | ({"SOURCE__FILES__CURRENCY": stated} if stated else {})
    settings = load(None, {f"NEXTGEN_{key}": value for key, value in chosen.items()}).settings
    source = open_source(settings.source, exchange_sessions(exchange), settings.currency)
    day = date(2025, 6, 3) if name == "files" else source.coverage()[0]
    (asked,) = source.prices(day, day, history=False).filter(pl.col("kind") == "bars")["request"].unique()[:1]
    assert json.loads(asked)["currency"] == currency


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_no_two_lists_of_parts_share_a_payload_id(one: list[str], other: list[str]) -> None:
    assert (payload_id(*one) == payload_id(*other)) == (one == other)


@pytest.mark.cold
def test_importing_the_sources_pulls_in_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "import pipeline.ingestion.sources.files, pipeline.ingestion.sources.simulated\n"
        "print([m for m in ('torch', 'pandas', 'yfinance', 'openai', 'exchange_calendars') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
