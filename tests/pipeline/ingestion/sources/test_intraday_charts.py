"""Yahoo's bars within sessions: whole ones alone, at their right time and in whole currency, asked for as they grow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.runs import find_done_runs
from lake.tables.intraday import INTRADAY_PRICES, QUARANTINED_INTRADAY, RAW_INTRADAY
from lake.tables.market import INSTRUMENTS
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.engine.stage import Moment
from pipeline.ingestion.intraday.params import IntradayParams
from pipeline.ingestion.intraday.validate_intraday import ValidatedIntraday, validate_intraday
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.snapshot_source import SnapshotQuestion
from pipeline.ingestion.sources.yahoo.connection import STATE_VARIABLE, URL_VARIABLE, Connection
from pipeline.ingestion.sources.yahoo.intraday_charts import IntradayCharts
from pipeline.ingestion.sources.yahoo.params import YahooParams
from pipeline.market.sessions import exchange_sessions
from tests.loopback.yahoo import IN_TROUBLE, Answer, Yahoo, chart, serving
from tests.new_lake import new_lake

OPEN = datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
"""09:30 in New York, on the first day of its summer time."""
ENDED, SEEN = "the bar has ended", "the vendor had seen the bar's end"
LIVE = "the bar is no live quote"


def at(minutes: float) -> datetime:
    return OPEN + timedelta(minutes=minutes)


def growing(symbol: str, closes: Mapping[datetime, float], quoted_at: datetime, **meta: Any) -> Answer:
    """A chart with bars by their starts, and the time of the vendor's last trade."""
    values: list[float | int | None] = list(closes.values())
    quotes: dict[str, list[float | int | None]] = dict.fromkeys(("open", "high", "low", "close"), values)
    quotes["volume"] = [100] * len(values)
    stamps = [int(start.timestamp()) for start in closes]
    return chart(symbol, stamps, quotes, regularMarketTime=int(quoted_at.timestamp()), **meta)


def asked(as_of: datetime, **known: datetime) -> SnapshotQuestion:
    return SnapshotQuestion(session=as_of.date(), as_of=as_of, since=OPEN, known=known)


def judged(landed: pl.DataFrame, as_of: datetime, exchange: str = "XNYS") -> ValidatedIntraday:
    day, calendar = as_of.date(), exchange_sessions(exchange)
    moment = Moment(session=day, since=day, as_of=as_of, seed=0, versions={}, calendar=calendar)
    return validate_intraday(landed, INTRADAY_PRICES.empty(), INSTRUMENTS.empty(), moment, IntradayParams())


def charts(yahoo: Yahoo, state: Path, now: datetime, *tickers: str, exchange: str = "XNYS", **given: Any) -> Any:
    """A source whose Yahoo is the server, asked at a moment."""
    usual: dict[str, Any] = {"patience_minutes": 0.0, "benchmark_ticker": "", "intervals": ("1d", "5m")}
    connection = Connection(state, 1e6, base_url=yahoo.base_url, now=now.timestamp, sleep=lambda _: None)
    return IntradayCharts(YahooParams(tickers=tickers, **(usual | given)), exchange_sessions(exchange), connection)


def test_bars_end_five_minutes_after_their_start_and_the_one_that_grows_is_refused(tmp_path: Path) -> None:
    answer = growing("AAA", {at(0): 10.0, at(5): 11.0, at(10): 12.0}, at(12))
    with serving(Yahoo(charts={"AAA": answer})) as yahoo:
        landed = charts(yahoo, tmp_path, at(12.1), "AAA").snapshot("5m", asked(at(12)))
    good, bad = judged(landed, at(12))
    assert good.select("ts", "close", "currency").rows() == [(at(5), 10.0, "USD"), (at(10), 11.0, "USD")]
    assert bad["rule"].to_list() == [SEEN]


def test_a_bar_that_a_delayed_vendor_has_seen_in_part_waits_though_its_time_is_over(tmp_path: Path) -> None:
    answer = growing("AAA", {at(0): 10.0, at(5): 11.0, at(7.3): 11.5}, at(7.3))
    with serving(Yahoo(charts={"AAA": answer})) as yahoo:
        landed = charts(yahoo, tmp_path / "soon", at(20), "AAA").snapshot("5m", asked(at(20)))
        later = charts(yahoo, tmp_path / "later", at(41), "AAA").snapshot("5m", asked(at(41)))
    good, bad = judged(landed, at(20))
    assert good["ts"].to_list() == [at(5)] and bad["rule"].to_list() == [SEEN, LIVE]
    assert judged(later, at(41)).good["ts"].to_list() == [at(5), at(10)], "nothing was traded for half an hour since"


def test_the_last_bar_of_a_session_is_whole_once_it_closed_also_where_the_close_cuts_it_short(tmp_path: Path) -> None:
    hours = {at(60 * number): 10.0 + number for number in range(7)}
    closed = at(390)
    period = {"regular": {"start": int(OPEN.timestamp()), "end": int(closed.timestamp())}}
    answer = growing("AAA", hours | {closed: 16.0}, closed, currentTradingPeriod=period)
    with serving(Yahoo(charts={"AAA": answer})) as yahoo:
        source = charts(yahoo, tmp_path, at(391), "AAA", intervals=("1d", "1h"))
        good, bad = judged(source.snapshot("1h", asked(at(391))), at(391))
    assert good["ts"].to_list()[-2:] == [at(360), closed]
    assert bad["rule"].to_list() == [LIVE]


def test_what_began_after_a_moment_of_the_past_is_passed_over(tmp_path: Path) -> None:
    answer = growing("AAA", {at(5 * number): 10.0 for number in range(78)}, at(390))
    with serving(Yahoo(charts={"AAA": answer})) as yahoo:
        landed = charts(yahoo, tmp_path, at(3_000), "AAA").snapshot("5m", asked(at(12)))
    good, bad = judged(landed, at(12))
    assert good["ts"].to_list() == [at(5), at(10)] and bad["rule"].to_list() == [ENDED]


def test_pence_and_splits_of_later_days_are_undone(tmp_path: Path) -> None:
    opened = datetime(2024, 3, 11, 8, tzinfo=UTC)
    answer = growing(
        "OCDO.L",
        {opened: 500.0, opened + timedelta(minutes=5): 502.0},
        at(0),
        currency="GBp",
        exchangeTimezoneName="Europe/London",
        splits={int((opened + timedelta(days=1)).timestamp()): (2, 1)},
    )
    with serving(Yahoo(charts={"OCDO.L": answer})) as yahoo:
        landed = charts(yahoo, tmp_path, at(30), "OCDO.L", exchange="XLON").snapshot("5m", asked(at(0)))
    good = judged(landed, at(0), "XLON").good
    assert good.select("close", "volume", "currency").rows() == [(10.0, 50, "GBP"), (10.04, 50, "GBP")]
    assert good["ts"][0] == opened + timedelta(minutes=5)


@pytest.mark.parametrize(("interval", "days"), [("1m", 7), ("5m", 12)])
def test_a_chart_is_asked_for_from_what_is_known_and_no_further_back_than_it_is_kept(
    tmp_path: Path, interval: str, days: int
) -> None:
    now = at(0) + timedelta(days=12)
    with serving(Yahoo(charts={name: growing(name, {at(0): 10.0}, at(1)) for name in ("AAA", "BBB")})) as yahoo:
        source = charts(yahoo, tmp_path, now, "AAA", "BBB", intervals=("1d", interval))
        source.snapshot(interval, asked(now, BBB=now - timedelta(hours=1)))
    since = [int(one.query["period1"]) for one in yahoo.asked if "period1" in one.query]
    assert since == [(now - timedelta(days=days)).timestamp(), (now - timedelta(hours=1)).timestamp()]
    assert {one.query["interval"] for one in yahoo.asked if "period1" in one.query} == {interval}


def test_a_ticker_that_cannot_be_had_is_landed_as_a_failure_and_costs_nobody_else(tmp_path: Path) -> None:
    with serving(Yahoo(charts={"AAA": IN_TROUBLE, "BBB": growing("BBB", {at(0): 10.0}, at(6))})) as yahoo:
        landed = charts(yahoo, tmp_path, at(6), "AAA", "BBB", patience_minutes=10.0).snapshot("5m", asked(at(6)))
    assert dict(landed.select("ticker", "format").iter_rows()) == {"AAA": "failure", "BBB": "yahoo-chart"}
    good, bad = judged(landed, at(6))
    assert good["ticker"].to_list() == ["BBB"] and bad["ticker"].to_list() == ["AAA"]


def test_a_snapshot_that_nobody_answered_has_failed(tmp_path: Path) -> None:
    with (
        serving(Yahoo(charts={"AAA": IN_TROUBLE})) as yahoo,
        pytest.raises(SourceError, match="Yahoo answered for none of 1 tickers: HTTP 503"),
    ):
        charts(yahoo, tmp_path, at(6), "AAA").snapshot("5m", asked(at(6)))


def test_snapshots_of_a_lake_bring_what_is_new_and_restated_and_are_computed_again_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = {at(5 * number): 10.0 for number in range(24)}
    params = YahooParams(tickers=("AAA",), benchmark_ticker="", intervals=("1d", "5m"), requests_per_minute=1e6)
    settings = Settings(runtime=RuntimeParams(durable=False), source=SourceParams(name="yahoo", yahoo=params))
    with serving(Yahoo(charts={"AAA": growing("AAA", day, at(120))})) as yahoo:
        monkeypatch.setenv(URL_VARIABLE, yahoo.base_url)
        monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
        runner = Runner(new_lake(tmp_path / "lake"), settings)
        runner.snapshot(at(90))
        yahoo.charts["AAA"] = growing("AAA", day | {at(60): 11.0}, at(120))
        runner.snapshot(at(105))
    bars = runner.lake.read(INTRADAY_PRICES, every_revision=True)
    assert bars.filter(pl.col("revision") == 1).select("ts", "close").rows() == [(at(65), 11.0)]
    assert bars.filter(pl.col("revision") == 0).height == 21
    assert runner.lake.read(QUARANTINED_INTRADAY).is_empty()
    assert all(reproduce(runner, run).identical for run in find_done_runs(runner.lake))
    request = json.loads(runner.lake.read(RAW_INTRADAY).sort("asked_at")["request"][0])
    assert request["as_of"] == at(90).isoformat() and request["history"]
