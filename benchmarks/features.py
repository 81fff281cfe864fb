"""Seconds the features domain takes: `python -m benchmarks.features` from the repository's root.

Random walks with splits, dividends and news; the frames are those the stages' look-backs give. Prints the median of
several runs for one session, and one run over a range.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import polars as pl

from pipeline.features.catalogue import BUILT_IN
from pipeline.features.features import features
from pipeline.features.params import FeatureParams
from pipeline.features.tensors import training_windows, window_tensor
from pipeline.features.windows import windows
from tests.frames.features import Market, feature_rows, moment, random_market, universe

LOOKBACK = 280
NAMES = [feature.name for feature in BUILT_IN]


def seconds(work: Callable[[], Any], repeats: int = 7) -> float:
    """Median wall time of several runs."""
    taken = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return median(taken)


def frames(market: Market, first: int) -> dict[str, pl.DataFrame]:
    """What the stage reads when the first session to compute is number `first`."""
    days = market.sessions
    long, news, short = (market.since(days[max(first - back, 0)]) for back in (LOOKBACK, 31, 60))
    prices = long.market_prices.sort("ticker", "interval", "ts", "revision")
    actions = long.corporate_actions.sort("ticker", "ex_date", "kind", "sequence", "revision")
    return {
        "market_prices": prices,
        "corporate_actions": actions,
        "ticker_universe": short.ticker_universe,
        "instruments": market.instruments,
        "news_sentiment": news.news_sentiment,
        "intraday_prices": news.intraday_prices,
        "feature_rows": news.feature_rows,
    }


def one_session(tickers: int) -> None:
    """Features, windows and the tensor of one session."""
    market = random_market(tickers, LOOKBACK + 1)
    last, params = market.sessions[-1], FeatureParams()
    read = frames(market, LOOKBACK)
    names = market.ticker_universe["ticker"].unique().sort().to_list()
    rows = feature_rows(names, market.sessions[-20:])
    members = universe(names, [last])
    batch = windows(rows, members, market.corporate_actions, moment(last), params)
    print(f"{tickers} tickers, one session")
    print(f"  features  {seconds(lambda: features(**read, moment=moment(last), params=params)):.3f} s")
    print(
        f"  windows   {seconds(lambda: windows(rows, members, market.corporate_actions, moment(last), params)):.3f} s"
    )
    print(f"  tensor    {seconds(lambda: window_tensor(rows, batch, NAMES)):.3f} s")


def a_range(tickers: int, sessions: int) -> None:
    """Features of many sessions in one go, and the index of their windows."""
    market = random_market(tickers, LOOKBACK + sessions)
    read, params = frames(market, LOOKBACK), FeatureParams()
    last, first = market.sessions[-1], market.sessions[LOOKBACK]
    start, burnt = perf_counter(), process_time()
    rows = features(**read, moment=moment(last, first), params=params)
    print(f"{tickers} tickers, {sessions} sessions: {rows.height:,} rows")
    print(f"  features  {perf_counter() - start:.2f} s, {process_time() - burnt:.2f} s of processor time")
    print(f"  index     {seconds(lambda: training_windows(rows, market.calendar, 20, NAMES), 3):.2f} s")
    index = training_windows(rows, market.calendar, 20, NAMES)
    which = np.random.default_rng(0).integers(0, len(index), 1_024)
    print(f"  gather    {seconds(lambda: index.gather(which)) * 1e3:.1f} ms for 1,024 of {len(index):,} windows")
    print(f"  peak      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    one_session(300)
    one_session(500)
    a_range(500, 1_000)
