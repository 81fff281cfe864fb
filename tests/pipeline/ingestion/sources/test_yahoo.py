"""What the source asks of Yahoo, how gently, and what it makes of refusals, through the real library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lake.tables.market import (
    CONSTITUENTS,
    CORPORATE_ACTIONS,
    INSTRUMENTS,
    MARKET_PRICES,
    PRICE_RESTATEMENTS,
    QUARANTINED_ROWS,
    RAW_PRICES,
)
from pipeline.ingestion.actions.action_coverage import read_coverage
from pipeline.ingestion.prices.yahoo_chart.symbols import our_ticker, vendor_symbol
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.rate_limit import RateLimit
from pipeline.ingestion.sources.yahoo.connection import Connection, UnreachableError, state_folder
from pipeline.ingestion.sources.yahoo.params import YahooParams
from pipeline.ingestion.sources.yahoo.source import LIMITED, UNREACHABLE, YahooSource
from pipeline.market.sessions import exchange_sessions
from tests.loopback.yahoo import IN_TROUBLE, Answer, Yahoo, chart, serving
from tests.loopback.yahoo import LIMITED as TOO_MANY
from tests.pipeline.ingestion.sources.yahoo_lake import loaded, rows, yahoo_runner, yahoo_source
from tests.real_data import ROOT

NEW_YORK = ZoneInfo("America/New_York")
DAYS = [date(2024, 3, day) for day in (4, 5, 6, 7, 8, 11, 12, 13, 14, 15)]
"""Ten sessions with a change of the clocks between them."""


def stamp(day: date, hour: int = 9, minute: int = 30) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK).timestamp())


def daily(symbol: str, days: list[date] = DAYS, close: float = 100.0, **options: Any) -> Answer:
    closes = options.pop("closes", [close + number for number in range(len(days))])
    quotes: dict[str, list[float | int | None]] = {
        "open": list(closes),
        "high": [value + 1 for value in closes],
        "low": [value - 1 for value in closes],
        "close": list(closes),
        "volume": options.pop("volume", [1_000_000] * len(days)),
    }
    return chart(symbol, [stamp(day) for day in days], quotes, **options)


class Clock:
    """Time that passes only where somebody waits for it."""

    def __init__(self, at: datetime) -> None:
        self.at = at.timestamp()
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def after(day: date, minutes: int = 30) -> Clock:
    return Clock(exchange_sessions().close_at(day) + timedelta(minutes=minutes))


def connected(yahoo: Yahoo, state: Path, clock: Clock, per_minute: float = 1e6) -> Connection:
    return Connection(state, per_minute, base_url=yahoo.base_url, now=clock.now, sleep=clock.sleep)


def told(raw: pl.DataFrame) -> list[tuple[str, str]]:
    """Symbol and rule of each landed failure."""
    failures = raw.filter(format="failure").select("ticker", "payload").rows()
    return [(ticker, json.loads(payload)["rule"]) for ticker, payload in failures]


# ---- what arrives


def test_a_load_and_a_day_later_only_what_is_new_becomes_rows(tmp_path: Path) -> None:
    with serving(Yahoo(charts={"AAA": daily("AAA", DAYS[:-1])})) as yahoo:
        runner = yahoo_runner(tmp_path / "lake", yahoo_source(yahoo, tmp_path / "one", "AAA"))
        runner.backfill(DAYS[0], DAYS[-2])
        assert rows(runner.lake, MARKET_PRICES).height == 9
        yahoo.charts["AAA"] = daily("AAA")
        later = yahoo_runner(tmp_path / "lake", yahoo_source(yahoo, tmp_path / "two", "AAA"))
        for name in ("land_prices", "instruments", "actions", "prices"):
            run = later.run_stage(_named(name), DAYS[-1])
            assert run.written == {"land_prices": 2, "instruments": 0, "actions": 0, "prices": 1}[name], name
        asked = [one for one in yahoo.asked if one.path.endswith("/AAA")]
    first = datetime.fromtimestamp(int(asked[-1].query["period1"]), NEW_YORK).date()
    assert first == DAYS[-5], "the last five sessions are asked for again"
    assert all(one.host.endswith("yahoo.com") for one in yahoo.asked)


def test_a_dividend_is_taken_back_by_an_answer_that_covers_its_day_and_by_no_other(tmp_path: Path) -> None:
    with serving(Yahoo(charts={"AAA": daily("AAA", DAYS[:-2], dividends={stamp(DAYS[6]): 0.25})})) as yahoo:
        runner = yahoo_runner(tmp_path / "lake", yahoo_source(yahoo, tmp_path / "one", "AAA"))
        runner.backfill(DAYS[0], DAYS[-3])
        found = []
        for answered, session in ((DAYS[7:-1], DAYS[-2]), (DAYS, DAYS[-1])):
            yahoo.charts["AAA"] = daily("AAA", answered)
            later = yahoo_runner(tmp_path / "lake", yahoo_source(yahoo, tmp_path / str(session), "AAA"))
            later.run_stage(_named("land_prices"), session)
            later.run_stage(_named("actions"), session)
            found.append(rows(later.lake, CORPORATE_ACTIONS, every_revision=True)["withdrawn"].to_list())
    assert found == [[None], [None, True]], "the first answer began after the ex-date"
    coverage = read_coverage(rows(later.lake, RAW_PRICES)).sort("covers_until").rows()
    spans = [(DAYS[0], DAYS[-3], "AAA"), (DAYS[7], DAYS[-2], "AAA"), (DAYS[-5], DAYS[-1], "AAA")]
    assert [parts for _, *parts in coverage] == [list(span) for span in spans]


def test_a_changed_bar_is_a_restatement_and_never_an_overwrite(tmp_path: Path) -> None:
    with serving(Yahoo(charts={"AAA": daily("AAA", DAYS[:-1])})) as yahoo:
        runner = yahoo_runner(tmp_path / "lake", yahoo_source(yahoo, tmp_path / "one", "AAA"))
        runner.backfill(DAYS[0], DAYS[-2])
        closes = [100.0 + number for number in range(10)]
        closes[7] = 107.5
        yahoo.charts["AAA"] = daily("AAA", closes=closes)
        later = yahoo_runner(tmp_path / "lake", yahoo_source(yahoo, tmp_path / "two", "AAA"))
        for name in ("land_prices", "prices", "restatements"):
            later.run_stage(_named(name), DAYS[-1])
    bars = rows(later.lake, MARKET_PRICES, every_revision=True).filter(session=DAYS[7])
    assert bars.select("revision", "close").rows() == [(0, 107.0), (1, 107.5)]
    changes = rows(later.lake, PRICE_RESTATEMENTS)
    assert changes.select("session", "old_close", "new_close").rows() == [(DAYS[7], 107.0, 107.5)]


def test_split_adjusted_prices_become_as_traded_ones(tmp_path: Path) -> None:
    adjusted = [100.0] * 10
    answer = daily(
        "AAA",
        closes=adjusted,
        splits={stamp(DAYS[4]): (4, 1), stamp(DAYS[8]): (1, 2)},
        dividends={stamp(DAYS[2]): 0.25},
    )
    with serving(Yahoo(charts={"AAA": answer})) as yahoo:
        lake = loaded(tmp_path / "lake", yahoo_source(yahoo, tmp_path / "state", "AAA"), DAYS[0], DAYS[6])
    bars = rows(lake, MARKET_PRICES)
    assert bars["close"].to_list() == [200.0] * 4 + [50.0] * 3, "the split after the last session is undone as well"
    assert bars["volume"].to_list() == [500_000] * 4 + [2_000_000] * 3
    acted = rows(lake, CORPORATE_ACTIONS).select("ex_date", "kind", "numerator", "denominator", "amount").rows()
    assert acted == [(DAYS[2], "dividend", None, None, 0.5), (DAYS[4], "split", 4, 1, None)]


def test_pence_become_pounds(tmp_path: Path) -> None:
    calendar = exchange_sessions("XLON")
    days = calendar.between(date(2024, 3, 4), date(2024, 3, 8))
    quotes: dict[str, list[float | int | None]] = {
        name: [1259.5] * len(days) for name in ("open", "high", "low", "close")
    }
    stamps = [int(calendar.open_at(day).timestamp()) for day in days]
    answer = chart(
        "OCDO.L",
        stamps,
        quotes | {"volume": [10] * len(days)},
        dividends={stamps[2]: 12.5},
        currency="GBp",
        exchangeTimezoneName="Europe/London",
    )
    with serving(Yahoo(charts={"OCDO.L": answer})) as yahoo:
        source = yahoo_source(yahoo, tmp_path / "state", "OCDO.L", exchange="XLON")
        lake = loaded(tmp_path / "lake", source, days[0], days[-1])
    assert set(rows(lake, MARKET_PRICES).select("close", "currency").rows()) == {(12.595, "GBP")}
    assert rows(lake, CORPORATE_ACTIONS)["amount"].to_list() == [0.125]
    assert rows(lake, INSTRUMENTS)["currency"].to_list() == ["GBP"]


def test_a_live_quote_and_an_unfinished_bar_are_refused(tmp_path: Path) -> None:
    at_noon = stamp(DAYS[-1], 12, 0)
    answer = daily("AAA", [*DAYS, DAYS[-1]], regularMarketTime=at_noon)
    doubled = json.loads(answer.body)
    doubled["chart"]["result"][0]["timestamp"][-1] = at_noon
    clock = Clock(datetime.fromtimestamp(at_noon, UTC))
    with serving(Yahoo(charts={"AAA": Answer(json.dumps(doubled))})) as yahoo:
        state = tmp_path / "state"
        source = yahoo_source(yahoo, state, "AAA", connection=connected(yahoo, state, clock))
        with pytest.raises(SourceError, match="has not closed yet"):
            source.prices(DAYS[-1], DAYS[-1], history=False)
        clock.at = exchange_sessions().close_at(DAYS[-1]).timestamp() + 60
        lake = loaded(tmp_path / "lake", source, DAYS[0], DAYS[-1])
    assert rows(lake, MARKET_PRICES)["session"].to_list() == DAYS
    assert rows(lake, QUARANTINED_ROWS)["rule"].to_list() == ["the bar is no live quote"]


def test_hourly_bars_end_with_the_session_and_an_unended_one_waits(tmp_path: Path) -> None:
    half_day = date(2023, 11, 24)
    stamps = [stamp(half_day, hour, 30) for hour in (9, 10, 11, 12)]
    quotes: dict[str, list[float | int | None]] = {
        name: [50.0] * 4 for name in ("open", "high", "low", "close", "volume")
    }
    answer = chart("AAA", stamps, quotes, dataGranularity="1h", tradingPeriods=_periods(half_day))
    with serving(Yahoo(charts={"AAA": answer})) as yahoo:
        state = tmp_path / "state"
        clock = Clock(exchange_sessions().close_at(half_day))
        source = yahoo_source(yahoo, state, "AAA", interval="1h", connection=connected(yahoo, state, clock))
        lake = loaded(tmp_path / "lake", source, exchange_sessions().previous(half_day), half_day)
    ends = rows(lake, MARKET_PRICES)["ts"].dt.convert_time_zone("America/New_York").dt.to_string("%H:%M").to_list()
    assert ends == ["10:30", "11:30", "12:30", "13:00"], "the exchange closed at one"


def _periods(day: date) -> dict[str, Any]:
    def period(start: tuple[int, int], end: tuple[int, int]) -> list[list[dict[str, Any]]]:
        return [[{"timezone": "EST", "start": stamp(day, *start), "end": stamp(day, *end), "gmtoffset": -18000}]]

    return {"pre": period((4, 0), (9, 30)), "regular": period((9, 30), (13, 0)), "post": period((13, 0), (17, 0))}


# ---- refusals


def test_limited_is_waited_for_and_then_answered(tmp_path: Path) -> None:
    clock = after(DAYS[-1])
    with serving(Yahoo(charts={"AAA": daily("AAA")}, faults=[TOO_MANY] * 4)) as yahoo:
        state = tmp_path / "state"
        source = yahoo_source(yahoo, state, "AAA", patience_minutes=30.0, connection=connected(yahoo, state, clock))
        raw = source.prices(DAYS[0], DAYS[-1], history=True)
    assert raw.filter(format="yahoo-chart").height == 1 and told(raw) == []
    assert sum(clock.slept) >= 60 + 120, "each refusal doubles the pause"


def test_limited_is_never_read_as_delisted(tmp_path: Path) -> None:
    clock = after(DAYS[-1])
    with serving(Yahoo(charts={"AAA": daily("AAA"), "BBB": daily("BBB")})) as yahoo:
        yahoo.on_chart = lambda symbol: yahoo.faults.append(TOO_MANY) if symbol == "BBB" else None
        state = tmp_path / "state"
        source = yahoo_source(yahoo, state, "AAA", "BBB", "CCC", connection=connected(yahoo, state, clock))
        lake = loaded(tmp_path / "lake", source, DAYS[0], DAYS[-1])
    assert set(rows(lake, MARKET_PRICES)["ticker"]) == {"AAA"}
    aside = rows(lake, QUARANTINED_ROWS)
    assert aside["rule"].to_list() == [LIMITED]
    assert "2 of 3 tickers were not requested, the first is BBB" in aside["row"][0]
    assert rows(lake, CORPORATE_ACTIONS).is_empty()


def test_a_symbol_that_yahoo_does_not_know_is_told_by_name_and_stops_nobody(tmp_path: Path) -> None:
    with serving(Yahoo(charts={"BBB": daily("BBB")})) as yahoo:
        lake = loaded(tmp_path / "lake", yahoo_source(yahoo, tmp_path / "state", "AAA", "BBB"), DAYS[0], DAYS[-1])
    assert set(rows(lake, MARKET_PRICES)["ticker"]) == {"BBB"}
    aside = rows(lake, QUARANTINED_ROWS).select("ticker", "rule").rows()
    assert aside == [("AAA", "the vendor knows the symbol")]


def test_a_server_in_trouble_over_one_symbol_costs_that_symbol_alone(tmp_path: Path) -> None:
    clock = after(DAYS[-1])
    with serving(Yahoo(charts={"AAA": daily("AAA"), "BBB": IN_TROUBLE, "CCC": daily("CCC")})) as yahoo:
        state = tmp_path / "state"
        source = yahoo_source(
            yahoo, state, "AAA", "BBB", "CCC", patience_minutes=30.0, connection=connected(yahoo, state, clock)
        )
        raw = source.prices(DAYS[0], DAYS[-1], history=True)
    assert raw.filter(format="yahoo-chart")["ticker"].to_list() == ["AAA", "CCC"]
    assert told(raw) == [("BBB", UNREACHABLE)]


def test_without_a_network_the_day_is_landed_as_a_failure_and_a_history_is_refused(tmp_path: Path) -> None:
    with serving() as gone:
        pass
    clock = after(DAYS[-1])
    source = yahoo_source(gone, tmp_path, "AAA", "BBB", connection=connected(gone, tmp_path, clock))
    raw = RAW_PRICES.check(source.prices(DAYS[-1], DAYS[-1], history=False))
    assert told(raw) == [("*", UNREACHABLE)]
    assert "2 of 2 tickers" in raw["payload"][0]
    with pytest.raises(SourceError, match="answered for none of 2 tickers"):
        source.prices(DAYS[0], DAYS[-1], history=True)


def test_an_answer_about_another_symbol_is_refused(tmp_path: Path) -> None:
    with serving(Yahoo(charts={"AAA": daily("BBB"), "CCC": daily("CCC")})) as yahoo:
        lake = loaded(tmp_path / "lake", yahoo_source(yahoo, tmp_path / "state", "AAA", "CCC"), DAYS[0], DAYS[-1])
    assert set(rows(lake, MARKET_PRICES)["ticker"]) == {"CCC"}
    assert rows(lake, QUARANTINED_ROWS)["rule"].to_list() == ["the answer is about the symbol asked for"]


# ---- asking only for what is missing

CHILD = """
import sys
from datetime import date
from pathlib import Path
from tests.loopback.yahoo import Yahoo
from tests.pipeline.ingestion.sources.yahoo_lake import yahoo_source

base_url, state, first, last, *tickers = sys.argv[1:]
source = yahoo_source(Yahoo(base_url=base_url), Path(state), *tickers)
source.prices(date.fromisoformat(first), date.fromisoformat(last), history=True)
"""


@pytest.mark.parametrize(
    "killed_at", [pytest.param(1, marks=pytest.mark.slow), 4, pytest.param(6, marks=pytest.mark.slow)]
)
def test_a_killed_visit_asks_again_only_for_what_is_missing(tmp_path: Path, killed_at: int) -> None:
    tickers = [f"T{number}" for number in range(6)]
    with serving(Yahoo(charts={ticker: daily(ticker) for ticker in tickers})) as yahoo:
        arguments = [yahoo.base_url, str(tmp_path / "state"), DAYS[0].isoformat(), DAYS[-1].isoformat(), *tickers]
        child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=ROOT, env=os.environ)
        asked: list[str] = []

        def kill(symbol: str) -> None:
            asked.append(symbol)
            if len(asked) == killed_at:
                child.send_signal(signal.SIGKILL)

        yahoo.on_chart = kill
        child.wait(timeout=60)
        before = list(asked)
        yahoo.on_chart = None
        yahoo.asked.clear()
        raw = yahoo_source(yahoo, tmp_path / "state", *tickers).prices(DAYS[0], DAYS[-1], history=True)
        again = list(yahoo.symbols)
    assert child.returncode == -signal.SIGKILL
    assert before == tickers[:killed_at], "the one it died over was not answered"
    assert again == tickers[killed_at - 1 :]
    assert raw.filter(kind="bars")["ticker"].to_list() == tickers


def test_a_visit_is_over_after_a_while_and_another_question_is_another_visit(tmp_path: Path) -> None:
    clock = after(DAYS[-1])
    with serving(Yahoo(charts={"AAA": daily("AAA")})) as yahoo:
        source = yahoo_source(yahoo, tmp_path, "AAA", reuse_minutes=60.0, connection=connected(yahoo, tmp_path, clock))
        first = source.prices(DAYS[0], DAYS[-1], history=True)
        assert source.prices(DAYS[0], DAYS[-1], history=True).equals(first)
        assert yahoo.symbols == ["AAA"]
        source.prices(DAYS[-1], DAYS[-1], history=False)
        assert yahoo.symbols == ["AAA"] * 2
        for folder in (tmp_path / "visits").iterdir():
            os.utime(folder, (clock.at - 7_200, clock.at - 7_200))
        source.prices(DAYS[0], DAYS[-1], history=True)
        assert yahoo.symbols == ["AAA"] * 3


# ---- the budget


def test_requests_are_spaced_evenly_and_a_hold_lets_nobody_ask(tmp_path: Path) -> None:
    clock = Clock(datetime(2024, 3, 4, tzinfo=UTC))
    budget = RateLimit(tmp_path / "budget", 60, now=clock.now, sleep=clock.sleep)
    for _ in range(4):
        budget.take()
    assert clock.slept == pytest.approx([1.0, 1.0, 1.0])
    RateLimit(tmp_path / "budget", 60, now=clock.now, sleep=clock.sleep).hold(300)
    budget.take()
    assert clock.slept[-1] == pytest.approx(300)


@pytest.mark.parametrize("content", ["", "{", "[1]", '["a", "b"]', "[1e300, 1e300]"])
def test_a_damaged_budget_is_a_fresh_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "budget").write_text(content)
    clock = Clock(datetime(2024, 3, 4, tzinfo=UTC))
    RateLimit(tmp_path / "budget", 60, now=clock.now, sleep=clock.sleep).take()
    assert clock.slept == []


def test_processes_share_one_budget(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from pipeline.ingestion.sources.rate_limit import RateLimit\n"
        "budget = RateLimit(Path(sys.argv[1]), 1200)\n"
        "for _ in range(8):\n"
        "    budget.take()\n"
        "    print(time.time())\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "budget")], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    moments = sorted(float(line) for child in children for line in child.communicate()[0].split())
    assert len(moments) == 24
    assert moments[-1] - moments[0] >= 23 * 0.05 * 0.9, "24 requests of 3 processes, one each 50 ms"


def test_every_request_of_the_library_takes_from_the_budget(tmp_path: Path) -> None:
    clock = after(DAYS[-1])
    with serving(Yahoo(charts={"AAA": daily("AAA"), "BBB": daily("BBB")})) as yahoo:
        source = yahoo_source(yahoo, tmp_path, "AAA", "BBB", connection=connected(yahoo, tmp_path, clock, 60))
        source.prices(DAYS[0], DAYS[-1], history=True)
    assert sum(clock.slept) == pytest.approx(len(yahoo.asked) - 1, abs=0.01)


# ---- whom to ask


def test_nobody_but_yahoo_is_asked(tmp_path: Path) -> None:
    connection = Connection(tmp_path, 60)
    assert connection.route("https://query2.finance.yahoo.com/v8/x")[0] == "https://query2.finance.yahoo.com/v8/x"
    for url in (
        "https://example.org/",
        "https://yahoo.com.example.org/",
        "https://notyahoo.com/",
        "file:///etc/passwd",
    ):
        with pytest.raises(UnreachableError, match="is not a host"):
            connection.route(url)


def test_members_of_the_index_in_these_days_are_asked_for_and_landed(tmp_path: Path) -> None:
    members = tmp_path / "members.csv"
    members.write_text(f"ticker,start,end\nAAA,2020-01-02,\nBRK.B,2020-01-02,{DAYS[3]}\nOLD,2001-01-02,2020-01-02\n")
    with serving(Yahoo(charts={"AAA": daily("AAA"), "BRK-B": daily("BRK-B"), "SPY": daily("SPY")})) as yahoo:
        source = yahoo_source(yahoo, tmp_path / "state", constituents=str(members), benchmark_ticker="SPY")
        lake = loaded(tmp_path / "lake", source, DAYS[0], DAYS[-1])
        for name in ("constituents", "universe"):
            yahoo_runner(tmp_path / "lake", source).run_stage(_named(name), DAYS[-1])
    assert yahoo.symbols == ["AAA", "BRK-B", "SPY"]
    assert set(rows(lake, MARKET_PRICES)["ticker"]) == {"AAA", "BRK.B", "SPY"}
    assert rows(lake, CONSTITUENTS)["ticker"].to_list() == ["AAA", "BRK.B", "OLD"]
    assert dict(rows(lake, INSTRUMENTS).select("ticker", "role").rows())["SPY"] == "benchmark"


def test_a_screener_chooses_whom_to_ask(tmp_path: Path) -> None:
    quotes = [
        {"symbol": "AAA", "longName": "Alpha", "currency": "USD", "firstTradeDateMilliseconds": 345479400000},
        {"symbol": "BF-B", "shortName": "Brown", "currency": "USD"},
        {"symbol": "../x", "currency": "USD"},
        {"nonsense": 1},
    ]
    answer = Answer(json.dumps({"finance": {"result": [{"quotes": quotes, "total": 4}], "error": None}}))
    charts: dict[str, Any] = {"AAA": daily("AAA"), "BF-B": daily("BF-B")}
    with serving(Yahoo(charts=charts, screeners={"most_actives": answer})) as yahoo:
        lake = loaded(
            tmp_path / "lake", yahoo_source(yahoo, tmp_path / "state", screener="most_actives"), DAYS[0], DAYS[-1]
        )
    assert yahoo.symbols == ["AAA", "BF-B"]
    assert set(rows(lake, MARKET_PRICES)["ticker"]) == {"AAA", "BF.B"}
    assert rows(lake, QUARANTINED_ROWS).select("ticker", "rule").rows() == [("../x", "ticker is well-formed")]


@pytest.mark.parametrize(
    ("ticker", "exchange", "symbol"),
    [("BRK.B", "XNYS", "BRK-B"), ("OCDO.L", "XLON", "OCDO.L"), ("AAPL", "XNYS", "AAPL"), ("^GSPC", "XNYS", "^GSPC")],
)
def test_a_ticker_is_spelt_as_each_side_spells_it(ticker: str, exchange: str, symbol: str) -> None:
    assert vendor_symbol(ticker, exchange) == symbol
    assert our_ticker(symbol, exchange) == ticker


def test_a_source_that_can_do_nothing_says_so(tmp_path: Path) -> None:
    connection = Connection(tmp_path, 60)
    with pytest.raises(SourceError, match="has no tickers"):
        YahooSource(YahooParams(), exchange_sessions(), connection)
    with pytest.raises(SourceError, match="the first is 'a b'"):
        YahooSource(YahooParams(tickers=("AAA", "a b")), exchange_sessions(), connection)
    source = YahooSource(YahooParams(tickers=("AAA",), first_session="soon"), exchange_sessions(), connection)
    with pytest.raises(SourceError, match="write it like 2018-01-02"):
        source.coverage()


def test_state_lies_where_the_user_says(tmp_path: Path) -> None:
    assert state_folder({"NEXTGEN_YAHOO_STATE": str(tmp_path)}) == tmp_path
    assert state_folder({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "nextgen" / "yahoo"


def _named(name: str) -> Any:
    from pipeline.engine.session_order import find_stage

    return find_stage(name)
