"""The vendor's errors are those its ledger lists, and no others."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import polars as pl
import pytest

from pipeline.ingestion.sources.simulated.faults import STRANGERS, TRANSIENT
from pipeline.ingestion.sources.simulated.params import FaultRates
from pipeline.ingestion.sources.simulated.source import SimulatedSource
from tests.pipeline.ingestion.sources.markets import FAULTLESS, as_text, bars, calendar, full_market, market

KINDS = [rate.name for rate in fields(FaultRates)]
MANY = FaultRates(**dict.fromkeys(KINDS, 0.004))


@cache
def only(kind: str) -> SimulatedSource:
    """A market whose vendor makes one kind of error, often."""
    return market(faults=FaultRates(**{**dict.fromkeys(KINDS, 0.0), kind: 0.01}))


@cache
def history(source: SimulatedSource) -> pl.DataFrame:
    """All bars as a load of history delivers them."""
    first, last = source.coverage()
    return bars(source.prices(first, last, history=True))


@cache
def truth() -> pl.DataFrame:
    """All true bars, the ones the vendor spoils included, as text."""
    clean = market(faults=FAULTLESS)
    return as_text(clean.true_bars(*clean.coverage()))


def test_a_vendor_without_faults_delivers_the_truth() -> None:
    source = market()
    assert history(source).sort("ticker", "session").equals(truth().sort("ticker", "session"))
    assert source.faults(*source.coverage()).is_empty()


@pytest.mark.parametrize("kind", KINDS)
def test_lines_differ_from_the_truth_exactly_where_the_ledger_says(kind: str) -> None:
    source = only(kind)
    ledger = source.faults(*source.coverage())
    assert ledger.height >= 10
    assert set(ledger["fault"]) == {kind}
    told, true = history(source), truth()
    here = ledger.select("ticker", pl.col("session").dt.to_string("%Y-%m-%d"))
    missing = true.join(told, on=true.columns, how="anti").select("ticker", "session")
    extra = told.filter(told.is_duplicated() | ~pl.struct(pl.all()).is_in(true.to_struct().implode()))
    if kind in TRANSIENT:
        assert missing.is_empty()
        assert extra.is_empty()
    elif kind in ("duplicate", "conflict", "off_session", "stranger"):
        assert missing.is_empty()
        assert told.height == true.height + ledger.height
    else:
        assert missing.sort("ticker", "session").equals(here.sort("ticker", "session"))
        assert told.height == true.height - (ledger.height if kind == "halt" else 0)


def spoilt(kind: str) -> pl.DataFrame:
    """The delivered lines that are not true, beside the true values of their session."""
    source = only(kind)
    told, true = history(source), truth()
    wrong = told.join(true, on=true.columns, how="anti")
    return wrong.join(true, on=["ticker", "session"], how="left", suffix="_true")


def test_each_fault_shows_the_way_its_name_says() -> None:
    def numbers(frame: pl.DataFrame) -> pl.DataFrame:
        prices = [name for name in frame.columns if name.split("_")[0] in ("open", "high", "low", "close")]
        return frame.with_columns(pl.col(prices).cast(pl.Float64))

    assert spoilt("nan_price")["close"].unique().to_list() == ["NaN"]
    assert spoilt("text_price")["open"].cast(pl.Float64, strict=False).null_count() == spoilt("text_price").height
    assert (numbers(spoilt("negative_price"))["close"] < 0).all()
    swapped = numbers(spoilt("high_below_low"))
    assert (swapped["high"] < swapped["low"]).all()
    cents = numbers(spoilt("unit_error"))
    assert ((cents["close"] / cents["close_true"] - 100).abs() < 0.01).all()
    slip = numbers(spoilt("fat_finger"))
    ratio = slip["close"] / slip["close_true"]
    assert ((ratio > 9) | (ratio < 0.11)).all()
    assert ((slip["high"] >= slip["close"]) & (slip["low"] <= slip["close"])).all()
    conflict = numbers(spoilt("conflict"))
    assert (conflict["close"] != conflict["close_true"]).all()
    assert set(spoilt("stranger")["ticker"]) <= set(STRANGERS)
    closed = spoilt("off_session")["session"].str.to_date("%Y-%m-%d")
    assert not any(calendar().is_session(day) for day in closed)


def test_a_stranger_comes_in_a_payload_of_its_own() -> None:
    source = only("stranger")
    first, last = source.coverage()
    raw = source.prices(first, last, history=True).filter(pl.col("kind") == "bars")
    assert set(raw["ticker"]) & set(STRANGERS)
    for ticker, payload in raw.select("ticker", "payload").iter_rows():
        assert len({line.split('"date"')[0] for line in payload.split("\n")}) == 1, ticker


def test_daily_fetches_end_with_what_a_load_of_history_delivers() -> None:
    source = market(faults=MANY)
    days = calendar().between(*source.coverage())
    latest: dict[tuple[str, str], list[tuple[str | None, ...]]] = {}
    for day in days[250:]:
        told = bars(source.prices(day, day, history=False))
        since = calendar().offset(day, -4).isoformat()
        latest = {key: value for key, value in latest.items() if key[1] < since}.copy() | _cells(told)
    # The last fetch's own session is still open to correction, and extra lines of closed days move around.
    settled = {key for key in latest if key[1] < days[-1].isoformat()}
    loaded = _cells(bars(source.prices(days[0], days[-1], history=True)))
    wanted = {key for key in loaded if days[250].isoformat() <= key[1] < days[-1].isoformat()}
    assert {key: latest[key] for key in settled & wanted} == {key: loaded[key] for key in settled & wanted}
    assert wanted <= settled


def _cells(told: pl.DataFrame) -> dict[tuple[str, str], list[tuple[str | None, ...]]]:
    cells: dict[tuple[str, str], list[tuple[str | None, ...]]] = {}
    for row in told.iter_rows():
        cells.setdefault((row[0], row[1]), []).append(row[2:])
    return {key: sorted(rows) for key, rows in cells.items()}


@pytest.mark.parametrize("kind", TRANSIENT)
def test_a_transient_fault_is_gone_at_the_next_fetch(kind: str) -> None:
    source = only(kind)
    ledger = source.faults(*source.coverage())
    true = {(row[0], row[1]): [row[2:]] for row in truth().iter_rows()}
    for session, ticker in ledger.select("session", "ticker").head(6).iter_rows():
        key = (ticker, session.isoformat())
        first = _cells(bars(source.prices(session, session, history=False)))
        assert first.get(key) != true[key]
        following = calendar().next(session)
        assert _cells(bars(source.prices(following, following, history=False)))[key] == true[key]


def test_true_bars_leave_out_what_no_delivery_has_right() -> None:
    source = market(faults=MANY)
    first, last = source.coverage()
    ledger, true = source.faults(first, last), source.true_bars(first, last)
    lost = ledger.filter(~pl.col("fault").is_in([*TRANSIENT, "duplicate", "off_session", "stranger"]))
    assert lost.height > 50
    assert true.join(lost, on=["session", "ticker"]).is_empty()
    assert true.height + lost.height == truth().height


def test_the_usual_vendor_errs_seldom_and_in_every_way() -> None:
    source = full_market()
    ledger = source.faults(*source.coverage())
    assert set(ledger["fault"]) == set(KINDS)
    assert ledger.filter(~pl.col("transient")).height < 0.005 * 64 * 1040
