"""Recorded exchanges go through the real library into a lake, equal to their JSON; broken ones say what is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS, RAW_PRICES
from pipeline.ingestion.prices.yahoo_chart.symbols import our_ticker
from pipeline.market.sessions import exchange_sessions
from tests.loopback.yahoo import Recording, Yahoo, recorded_charts, serving
from tests.pipeline.ingestion.sources.yahoo_lake import loaded, rows, yahoo_source
from tests.real_data import REAL_DATA

SHARED = REAL_DATA / "yahoo_raw_json"
FOLDER = Path(os.environ.get("NEXTGEN_YAHOO_RECORDINGS") or SHARED)
INTERVALS = ("1d", "1h", "5m", "1m")
CALENDARS = {
    **dict.fromkeys(("NMS", "NGM", "NCM", "NYQ", "NYS", "PCX", "ASE", "BTS", "PNK", "OQB", "OQX", "OEM"), "XNYS"),
    **dict.fromkeys(("CMX", "NYM", "CBT", "CME", "NYB"), "CMES"),
    "LSE": "XLON",
    "IOB": "XLON",
    "CPH": "XCSE",
    "OSL": "XOSL",
    "STO": "XSTO",
    "HEL": "XHEL",
    "JKT": "XIDX",
    "GER": "XETR",
    "FRA": "XFRA",
    "PAR": "XPAR",
    "AMS": "XAMS",
    "BRU": "XBRU",
    "MIL": "XMIL",
    "MCE": "XMAD",
    "EBS": "XSWX",
    "VIE": "XWBO",
    "LIS": "XLIS",
    "TOR": "XTSE",
    "VAN": "XTSE",
    "HKG": "XHKG",
    "JPX": "XTKS",
    "ASX": "XASX",
    "JNB": "XJSE",
    "TLV": "XTAE",
    "KSC": "XKRX",
    "TAI": "XTAI",
    "SES": "XSES",
    "SAO": "BVMF",
    "MEX": "XMEX",
    "BSE": "XBOM",
    "NSI": "XBOM",
    "SHH": "XSHG",
    "SHZ": "XSHG",
    "NZE": "XNZE",
    "ISE": "XDUB",
    "CCC": "24/7",
    "CCY": "24/5",
}
"""Yahoo's code of an exchange -> the calendar it follows."""

RECORDINGS = recorded_charts(FOLDER) if FOLDER.is_dir() else []
pytestmark = pytest.mark.skipif(not RECORDINGS, reason="NEXTGEN_YAHOO_RECORDINGS names no folder with recordings")


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recording], Lake]:
    """Recording -> a lake that was loaded from it alone; made once."""
    made: dict[Path, Lake] = {}

    def lake_of(recording: Recording) -> Lake:
        if recording.path not in made:
            made[recording.path] = _lake_of(recording, tmp_path_factory.mktemp("recorded"))
        return made[recording.path]

    return lake_of


def _lake_of(recording: Recording, tmp_path: Path) -> Lake:
    if recording.interval not in INTERVALS:
        pytest.skip(f"the lake has no bars of {recording.interval}")
    exchange = calendar_of(recording)
    calendar = exchange_sessions(exchange)
    stamps = recording.result.get("timestamp") or [recording.period[1] - 1]
    first = calendar.at_or_after(datetime.fromtimestamp(recording.period[0], UTC).date())
    last = calendar.at_or_before(max(local_day(recording, stamp) for stamp in stamps))
    ticker = our_ticker(recording.symbol, exchange)
    with serving(Yahoo(charts={recording.symbol: recording.answer})) as yahoo:
        source = yahoo_source(
            yahoo, tmp_path / "state", ticker, exchange=exchange, interval=recording.interval, reuse_minutes=600.0
        )
        lake = loaded(tmp_path / "lake", source, min(first, calendar.previous(last)), last)
        assert recording.symbol in yahoo.symbols
    return lake


def calendar_of(recording: Recording) -> str:
    meta = recording.result.get("meta") or {}
    if meta.get("exchangeName") in CALENDARS:
        return CALENDARS[meta["exchangeName"]]
    zone = meta.get("exchangeTimezoneName", "America/New_York")
    return next((one for one in sorted(set(CALENDARS.values())) if exchange_sessions(one).zone == zone), "XNYS")


def local_day(recording: Recording, stamp: int) -> date:
    meta = recording.result.get("meta") or {}
    return datetime.fromtimestamp(stamp, ZoneInfo(meta.get("exchangeTimezoneName", "America/New_York"))).date()


def splits(recording: Recording) -> list[tuple[date, Fraction]]:
    events = (recording.result.get("events") or {}).get("splits") or {}
    return [
        (local_day(recording, one["date"]), Fraction(str(one["numerator"])) / Fraction(str(one["denominator"])))
        for one in events.values()
    ]


def shares_since(recording: Recording, day: date) -> float:
    shares = 1.0
    for ex_date, ratio in splits(recording):
        if day < ex_date:
            shares *= float(ratio)
    return shares


def divisor(recording: Recording) -> float:
    return 100.0 if recording.result["meta"]["currency"] in ("GBp", "ZAc", "ILA") else 1.0


def in_session(recording: Recording, stamp: int) -> bool:
    calendar, day = exchange_sessions(calendar_of(recording)), local_day(recording, stamp)
    at = datetime.fromtimestamp(stamp, UTC)
    return calendar.is_session(day) and calendar.open_at(day) <= at < calendar.close_at(day)


def expected_bars(recording: Recording) -> list[tuple[date, float, float, float, float, int]]:
    """What the JSON says, worked out here by itself: as traded, in the whole currency; a null is no bar.

    Open and close are trades: high and low include them.
    """
    quote = recording.result["indicators"]["quote"][0]
    bars = []
    for number, stamp in enumerate(recording.result["timestamp"]):
        values = [quote[name][number] for name in ("open", "high", "low", "close", "volume")]
        if any(value is None for value in values):
            continue
        day = local_day(recording, stamp)
        if recording.interval != "1d" and not in_session(recording, stamp):
            continue  # before the open or after the close
        shares = shares_since(recording, day)
        o, h, low, c = (value / divisor(recording) * shares for value in values[:4])
        bars.append((day, o, max(o, h, c), min(o, low, c), c, round(values[4] / shares)))
    return bars


def expected_actions(recording: Recording) -> list[tuple[str, date, object]]:
    dividends = (recording.result.get("events") or {}).get("dividends") or {}
    paid = []
    for one in dividends.values():
        day = local_day(recording, one["date"])
        paid.append(("dividend", day, one["amount"] / divisor(recording) * shares_since(recording, day)))
    return sorted([*paid, *(("split", day, ratio) for day, ratio in splits(recording))], key=lambda one: one[:2])


WHOLE = [one for one in RECORDINGS if one.result.get("timestamp") and not one.broken]
WITHOUT_BARS = [one for one in RECORDINGS if one not in WHOLE]


def sort_out(recordings: list[Recording]) -> list[Any]:
    """The first of each exchange, interval, currency and kind of events; the others are slow."""
    seen: set[object] = set()
    sorted_out = []
    for one in recordings:
        kind = (calendar_of(one), one.interval, one.result["meta"]["currency"], *sorted(one.result.get("events") or {}))
        marks = [pytest.mark.slow] if kind in seen else []
        seen.add(kind)
        sorted_out.append(pytest.param(one, id=one.path.stem, marks=marks))
    return sorted_out


@pytest.mark.parametrize("recording", sort_out(WHOLE))
def test_every_recorded_bar_and_event_arrives_as_the_json_has_it(
    recording: Recording, lakes: Callable[[Recording], Lake]
) -> None:
    lake = lakes(recording)
    bars = rows(lake, MARKET_PRICES, every_revision=True)
    stored = bars.select("session", "open", "high", "low", "close", "volume").rows()
    assert stored == expected_bars(recording)
    assert set(bars["ticker"]) == {our_ticker(recording.symbol, calendar_of(recording))}
    assert set(bars["interval"]) == {recording.interval}
    unit = recording.result["meta"]["currency"]
    assert set(bars["currency"]) == {{"GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS"}.get(unit, unit)}
    actions = rows(lake, CORPORATE_ACTIONS).iter_rows(named=True)
    found = [
        (one["kind"], one["ex_date"], one["amount"] or Fraction(one["numerator"], one["denominator"]))
        for one in actions
    ]
    assert sorted(found, key=lambda one: one[:2]) == expected_actions(recording)


@pytest.mark.parametrize("recording", sort_out(WHOLE))
def test_a_recorded_answer_is_landed_byte_for_byte_with_its_request(
    recording: Recording, lakes: Callable[[Recording], Lake]
) -> None:
    lake = lakes(recording)
    landed = rows(lake, RAW_PRICES).sort("kind", descending=True)
    assert landed.filter(kind="bars")["payload"].to_list() == [recording.answer.body]
    assert set(landed["payload"]) <= {recording.answer.body, ""}, "what states no action is not kept twice"
    asked = json.loads(landed["request"][0])
    assert f"/v8/finance/chart/{recording.symbol}" in asked["url"] and "crumb" not in asked["url"]
    assert asked["interval"] == recording.interval
    assert all(at >= datetime.now(UTC) - timedelta(minutes=5) for at in landed["fetched_at"])
    assert rows(lake, INSTRUMENTS)["name"].to_list() == [
        recording.result["meta"].get("longName") or recording.result["meta"].get("shortName")
    ]


@pytest.mark.parametrize("recording", WITHOUT_BARS, ids=lambda one: one.path.stem)
def test_a_broken_answer_gives_no_bar_and_says_what_is_wrong_with_it(
    recording: Recording, lakes: Callable[[Recording], Lake]
) -> None:
    lake = lakes(recording)
    assert rows(lake, MARKET_PRICES).is_empty()
    told = rows(lake, QUARANTINED_ROWS).filter(target=MARKET_PRICES.name)
    assert told.height == 1
    assert told["ticker"].to_list() == [recording.symbol]
    assert told["rule"][0] in (
        "every quote has a time",
        "the answer holds quotes",
        "the vendor knows the symbol",
        "the vendor answers without an error",
        "the answer is readable",
    )
    assert told["row"][0], "the row says what was found"
