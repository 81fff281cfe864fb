"""Real faults of a vendor are flagged by a named rule, clean series by none, and repairs equal their fixed twins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lake.tables.imports import RAW_IMPORTS
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS
from lake.tables.news import RAW_NEWS
from pipeline.engine.stage import Moment
from pipeline.ingestion.actions.corporate_actions import actions
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.market_prices import prices
from pipeline.ingestion.prices.yahoo_chart.consistency import (
    DIVIDEND_ADJUSTED,
    DIVIDEND_DATED,
    DIVIDEND_ONCE,
    DIVIDEND_STATED,
    DIVIDEND_UNIT,
    ONE_UNIT,
    SPLIT_APPLIED,
    Findings,
    check_consistency,
)
from pipeline.ingestion.prices.yahoo_chart.decode_chart import REPAIRED
from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, read_chart
from pipeline.ingestion.quarantine import quarantine
from pipeline.market.sessions import exchange_sessions
from tests.frames.market import landing, moment
from tests.frames.recorded_charts import market, payload, read_series
from tests.real_data import REAL_DATA

SHARED = REAL_DATA / "yahoo_defects" / "fixtures.parquet"
PLACE = Path(os.environ.get("NEXTGEN_YAHOO_DEFECTS") or SHARED)
FILES = sorted(PLACE.rglob("*.parquet")) if PLACE.is_dir() else [PLACE] if PLACE.is_file() else []
"""Files with series by name; a folder may hold several."""
pytestmark = pytest.mark.skipif(not FILES, reason="NEXTGEN_YAHOO_DEFECTS names no file or folder with faulty series")

DIVIDEND_RULES = {DIVIDEND_UNIT, DIVIDEND_ONCE, DIVIDEND_ADJUSTED, DIVIDEND_DATED, DIVIDEND_STATED}
RULES = {SPLIT_APPLIED, ONE_UNIT} | DIVIDEND_RULES
TWIN_AT_ODDS = {"SAND-1d-bad-div.csv": 4e-3, "SSNLF-1d-bad-div.csv": 3e-4}
"""Files whose fixed twin still has an adjusted close that is at odds with its own dividends, and by how much."""


@lru_cache(maxsize=1)
def fixtures() -> dict[str, pl.DataFrame]:
    """The series by file name, in order of time."""
    return read_series(FILES)


def names() -> list[str]:
    return sorted(fixtures()) if FILES else []


FAULTY = [name for name in names() if "-fixed" not in name and "no-bad" not in name]
CLEAN = [name for name in names() if "no-bad" in name]
TWINS = [name for name in FAULTY if name.replace(".csv", "-fixed.csv") in names()]


@lru_cache(maxsize=64)
def examined(name: str) -> tuple[Chart, Findings]:
    read = read_chart(payload(name, fixtures()[name]), "X")
    return read, check_consistency(read)


@pytest.mark.parametrize("name", FAULTY)
def test_every_faulty_series_is_flagged_by_a_named_rule(name: str) -> None:
    rules = examined(name)[1].rules
    assert rules and rules <= RULES
    if "stock-split" in name:
        assert rules == {SPLIT_APPLIED}
    if "100x" in name:
        assert rules == {ONE_UNIT}
    if "bad-div" in name:
        assert rules & DIVIDEND_RULES


@pytest.mark.parametrize("name", CLEAN)
def test_no_clean_series_is_flagged(name: str) -> None:
    assert examined(name)[1].rules == frozenset()


@pytest.mark.parametrize("name", TWINS)
def test_the_repaired_series_is_the_fixed_twin(name: str) -> None:
    found = examined(name)[1]
    twin = examined(name.replace(".csv", "-fixed.csv"))[1].repaired  # some twins have faults of another kind left
    paid = [(one.stated.stamp, one.amount) for one in found.dividends if one.amount is not None]
    assert [stamp for stamp, _ in paid] == [one.stamp for one in twin.dividends]
    assert [amount for _, amount in paid] == pytest.approx([one.amount for one in twin.dividends], rel=1e-9)
    for column in ("open", "high", "low", "close"):
        # 1e-5: some twins were rounded to the tick
        np.testing.assert_allclose(found.repaired.series[column], twin.series[column], rtol=1e-5)
    shares, wanted = found.repaired.series["volume"], twin.series["volume"]
    known = np.isfinite(shares) & np.isfinite(wanted)  # SSNLF's twin also fills volumes that nobody stated
    np.testing.assert_allclose(shares[known], wanted[known], atol=0.5)
    adjusted = adjusted_close(found.repaired, paid)
    both = np.isfinite(adjusted) & np.isfinite(twin.series["adjclose"])
    tolerance = TWIN_AT_ODDS.get(name, 2e-5)
    np.testing.assert_allclose(adjusted[both], twin.series["adjclose"][both], rtol=tolerance)


def adjusted_close(chart: Chart, dividends: Sequence[tuple[int, float]]) -> np.ndarray:
    """Closes with every dividend reinvested: each one scales what lies before its ex-date by 1 - amount / last close.

    Args:
        chart: its closes are taken, in the vendor's unit.
        dividends: epoch second and amount, in the same unit.
    """
    close = chart.series["close"]
    known, factor = np.isfinite(close), np.ones(len(close))
    for stamp, amount in dividends:
        ex = chart.first_from(stamp)
        earlier = np.flatnonzero(known[:ex])
        if len(earlier) and ex < len(close):
            factor[:ex] *= 1 - amount / close[earlier[-1]]
    return close * factor


def ingested(name: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """What the stages make of the series: bars, actions, and the rows set aside."""
    exchange = market(name)[2]
    calendar = exchange_sessions(exchange)
    first, last = (datetime.fromisoformat(fixtures()[name]["datetime_text"][n]).date() for n in (0, -1))
    at: Moment = moment(calendar.at_or_before(last), since=calendar.at_or_after(first), calendar=calendar)
    request = {"ticker": "X", "interval": "1d", "until": at.session.isoformat(), "history": True, "judgement": 2}
    raw = pl.concat(
        landing(
            [payload(name, fixtures()[name])],
            kind=kind,
            session=at.session,
            history=True,
            fetched_at=calendar.close_at(at.session) + timedelta(hours=1),
            ticker="X",
            form="yahoo-chart",
            request=request,
            calendar=calendar,
        )
        for kind in ("bars", "actions")
    )
    params, listed = IngestionParams(), INSTRUMENTS.empty()
    acted = CORPORATE_ACTIONS.check(actions(raw, CORPORATE_ACTIONS.empty(), listed, FX_RATES.empty(), at, params))
    bars = MARKET_PRICES.check(prices(QUARANTINED_ROWS.empty(), raw, MARKET_PRICES.empty(), listed, acted, at, params))
    aside = quarantine(
        QUARANTINED_ROWS.empty(),
        raw,
        RAW_NEWS.empty(),
        RAW_IMPORTS.empty(),
        bars,
        listed,
        acted,
        FX_RATES.empty(),
        at,
        params,
    )
    return bars, acted, aside


DAILY_CLEAN = [name for name in CLEAN if "-1d-" in name]


@pytest.mark.parametrize("name", DAILY_CLEAN)
def test_nothing_of_a_clean_series_is_set_aside(name: str) -> None:
    bars, acted, aside = ingested(name)
    assert aside.select("rule", "row").rows() == []
    assert bars.height == fixtures()[name].height
    assert acted.height == fixtures()[name].filter(pl.col("dividends") > 0).height


SAMPLE = ("4063", "LA", "MOB", "SSW", "ABDP", "TEM", "KAP", "NVT")


@pytest.mark.parametrize("name", [name for name in FAULTY if name.startswith(SAMPLE)])
def test_the_faulty_line_is_kept_aside_whole_and_its_repair_stands(name: str) -> None:
    bars, acted, aside = ingested(name)
    found = examined(name)[1]
    flagged = aside.filter(pl.col("rule").is_in(sorted(RULES)))
    wrong_bars = sum(rule is not None for rule in found.bar_rules)
    wrong_dividends = [one for one in found.dividends if one.rule is not None]
    assert flagged.filter(target=MARKET_PRICES.name).height == wrong_bars
    assert flagged.filter(target=CORPORATE_ACTIONS.name).height == len(wrong_dividends)
    mended = bars.filter(pl.col("line") >= REPAIRED)
    assert mended.height <= wrong_bars and (wrong_bars == 0 or mended.height > 0)
    paid = acted.filter(kind="dividend")["amount"].to_list()
    assert paid == pytest.approx([one.amount for one in found.dividends if one.amount is not None])
