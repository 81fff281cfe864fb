"""The same landings give the same bits in any process, with any number of threads."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stdout

import polars as pl
import pytest

from tests.real_data import ROOT

PROGRAM = """
import hashlib
import numpy as np, polars as pl
from lake.tables.market import CONSTITUENTS, CORPORATE_ACTIONS, FX_RATES, MARKET_PRICES, QUARANTINED_ROWS
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.news import NEWS_ARTICLES
from pipeline.ingestion.news import articles
from pipeline.ingestion.prices import market_prices
from pipeline.ingestion.universe import ticker_universe
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import CALENDAR, DAY, actions, bar, instruments, landing, moment
from tests.frames.news import NOON, news_landing, story

rng = np.random.default_rng(7)
days = CALENDAR.between(CALENDAR.offset(DAY, -149), DAY)
names = [f"T{number:02d}" for number in range(40)]
raws = []
for name in names:
    levels = 50 * np.exp(np.cumsum(rng.standard_t(3, len(days)) * 0.05))
    lines = [bar(ticker=name, session=d, open=c, high=c, low=c, close=c) for d, c in zip(days, levels)]
    raws.append(landing(lines, session=DAY, history=True, ticker=name))
split = actions(*({"ticker": name, "ex_date": days[50], "numerator": 7, "denominator": 3} for name in names[:9]))
at, params, listed = moment(DAY, since=days[0]), IngestionParams(), instruments(*names)
bars = market_prices.prices(QUARANTINED_ROWS.empty(), pl.concat(raws), MARKET_PRICES.empty(), listed, split, at, params)
spells = CONSTITUENTS.empty()
members = ticker_universe.universe(
    bars, TICKER_UNIVERSE.empty(), listed, CORPORATE_ACTIONS.empty(), spells, FX_RATES.empty(), at, params
)
news = news_landing([story(title=f"Title {n % 17}", tickers=names[n % 5]) for n in range(200)])
told = articles.articles(news, NEWS_ARTICLES.empty(), listed, at, params)
text = "".join(frame.write_ndjson() for frame in (bars, members, told))
print(bars.height, told.height, hashlib.sha256(text.encode()).hexdigest())
"""


@pytest.mark.cold
def test_threads_and_hash_seeds_change_no_bit() -> None:
    here = io.StringIO()
    with redirect_stdout(here):
        exec(PROGRAM, {})
    threads = "1" if pl.thread_pool_size() > 1 else "4"
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": "3", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert here.getvalue() == there
    assert int(there.split()[0]) > 5_000
