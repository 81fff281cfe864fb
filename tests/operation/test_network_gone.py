"""With the network gone the loop runs on what is in the lake, and says so."""

from pathlib import Path

import polars as pl
import pytest

from lake.runs import last_cycle
from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import INFERENCE_LOG, PREDICTIONS
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from nextgen_tui.console.lake_view import LakeView, read_runs
from nextgen_tui.console.pages.predictions import PredictionsPage
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.yahoo.connection import Connection
from pipeline.ingestion.sources.yahoo.params import YahooParams
from pipeline.ingestion.sources.yahoo.source import YahooSource
from tests.copies import copy_lake
from tests.loopback.yahoo import serving
from tests.operation.conftest import Operation


@pytest.fixture(scope="module")
def without_network(operation: Operation, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """The operation one session later, its source a Yahoo that nobody can reach."""
    folder: Path = tmp_path_factory.mktemp("without_network")
    copy_lake(operation.lake.path, folder / "lake")
    with serving() as gone:
        pass  # the address is right and nobody answers there any more
    tickers = tuple(operation.lake.read(MARKET_PRICES)["ticker"].unique().sort())
    params = YahooParams(tickers=tickers, patience_minutes=0.0, requests_per_minute=1e6)
    connection = Connection(folder / "state", params.requests_per_minute, base_url=gone.base_url)
    source = YahooSource(params, operation.runner.calendar, connection)
    runner = Runner(Lake.open(folder / "lake"), operation.settings, source)
    runner.cycle(runner.calendar.next(operation.sessions[-1]))
    return runner


def test_the_whole_loop_still_runs(without_network: Runner, operation: Operation) -> None:
    session = without_network.calendar.next(operation.sessions[-1])
    assert last_cycle(without_network.lake) == session
    lake = without_network.lake
    assert lake.read(MARKET_PRICES).filter(session=session).is_empty()
    value = lake.read(PORTFOLIO_VALUE).sort("session")
    assert value["session"].to_list()[-1] == session and value["unexplained"].to_list()[-1] == 0


def test_the_health_screen_says_that_the_source_cannot_be_reached(
    without_network: Runner, operation: Operation
) -> None:
    session = without_network.calendar.next(operation.sessions[-1])
    health = without_network.lake.read(SYSTEM_HEALTH).filter(session=session)
    checks = {
        (service, check): (status, message)
        for service, check, status, message in health.select("service", "check", "status", "message").rows()
    }
    status, message = checks["sources", "answered"]
    assert status == "fail"
    assert "the source can be reached" in message and "were not requested" in message
    assert checks["market_prices", "arrived"][0] == "fail"
    before = without_network.lake.read(SYSTEM_HEALTH).filter(session=operation.sessions[-1], service="sources")
    assert set(before["status"]) == {"ok"}


def test_no_forecast_is_made_from_a_close_that_is_not_there_and_the_last_ones_are_marked_stale(
    without_network: Runner, operation: Operation
) -> None:
    last = operation.sessions[-1]
    session = without_network.calendar.next(last)
    lake = without_network.lake
    assert lake.read(PREDICTIONS).filter(session=session).is_empty()
    log = lake.read(INFERENCE_LOG).filter(session=session)
    made = lake.read(PREDICTIONS).filter(pl.col("session") == last, pl.col("role") != "shadow")
    assert log.height and set(log["status"]) == {"stale"}
    assert set(log["ticker"]) <= set(made["ticker"])
    assert set(log["features_id"]) == set(made["features_id"]), "the batch names what it was made from"
    assert set(log["reason"]) == {f"no bar since {last}: the forecast made then, 1 session ago, stands for 2 horizons"}
    assert log["horizons"].to_list() == [0] * log.height, "nothing was forecast anew"


def test_health_says_how_old_the_forecasts_are(without_network: Runner, operation: Operation) -> None:
    last = operation.sessions[-1]
    health = without_network.lake.read(SYSTEM_HEALTH).filter(service="predictions", check="fresh").sort("session")
    assert health["status"].to_list()[-2:] == ["ok", "warn"]
    assert health["value"].to_list()[-2:] == [0.0, 1.0]
    assert f"the newest are of {last}, 1 session old" in health["message"][-1]


def test_nothing_is_bought_on_a_stale_forecast(without_network: Runner, operation: Operation) -> None:
    session = without_network.calendar.next(operation.sessions[-1])
    plans = without_network.lake.read(TRADE_PLANS).filter(session=session)
    assert plans.height and not plans.filter(pl.col("taken") & (pl.col("side") == "buy")).height
    for verdicts in plans["verdicts"]:
        (verdict,) = (one for one in verdicts if one["rule"] == "fresh_data")
        assert "the last bar is 1 session old" in verdict["reason"]
    buys = plans.filter(side="buy")
    assert buys.height and set(buys["blocked_by"]) == {"fresh_data"}


def test_the_console_marks_the_forecasts_as_stale(without_network: Runner, operation: Operation) -> None:
    page = PredictionsPage()
    then = page.load(LakeView(operation.lake, read_runs(operation.lake)))
    now = page.load(LakeView(without_network.lake, read_runs(without_network.lake)))
    assert (then.stale, now.stale) == (0, 1)
    assert page.sentence(now).startswith("STALE, no newer bar for 1 session: ")
    assert not page.sentence(then).startswith("STALE")
    name = page.sheets(now)[0]
    assert all(role.endswith(", stale") for role in page.sheet(now, name).frame["role"])
    assert page.sheet(now, "not forecast").frame["status"].unique().to_list() == ["stale"]


@pytest.mark.slow
def test_after_a_week_without_a_network_the_loop_still_runs_and_fails_aloud(
    without_network: Runner, operation: Operation, tmp_path: Path
) -> None:
    copy_lake(without_network.lake.path, tmp_path / "lake")
    runner = Runner(Lake.open(tmp_path / "lake"), operation.settings, without_network.source)
    first = runner.calendar.offset(operation.sessions[-1], 2)
    list(runner.replay(first, runner.calendar.offset(first, 3)))
    health = runner.lake.read(SYSTEM_HEALTH).filter(service="predictions", check="fresh").sort("session")
    assert health["value"].to_list()[-5:] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert health["status"].to_list()[-5:] == ["warn", "warn", "fail", "fail", "fail"]
    value = runner.lake.read(PORTFOLIO_VALUE).sort("session")
    assert set(value["unexplained"]) == {0}
    trades = runner.lake.read(EXECUTED_TRADES).filter(pl.col("session") > operation.sessions[-1], pl.col("shares") > 0)
    assert trades.is_empty(), "nothing is filled without a price"
