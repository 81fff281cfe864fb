"""With the network gone the loop runs on what is in the lake, and says so."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import INFERENCE_LOG, PREDICTIONS
from lake.tables.trading import PORTFOLIO_VALUE
from pipeline.ingestion.sources.params import YahooParams
from pipeline.ingestion.sources.yahoo import YahooSource
from pipeline.ingestion.sources.yahoo.connection import Connection
from pipeline.runner import Runner
from tests.loopback.yahoo import serving
from tests.operation.conftest import Operation


@pytest.fixture(scope="module")
def without_network(operation: Operation, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """The operation one session later, its source a Yahoo that nobody can reach."""
    folder: Path = tmp_path_factory.mktemp("without_network")
    shutil.copytree(operation.lake.path, folder / "lake")
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
    assert without_network.last_cycle() == session
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
    assert "the source can be reached" in message and "were not asked for" in message
    assert checks["market_prices", "arrived"][0] == "fail"
    before = without_network.lake.read(SYSTEM_HEALTH).filter(session=operation.sessions[-1], service="sources")
    assert set(before["status"]) == {"ok"}


def test_no_forecast_is_made_from_a_close_that_is_not_there(without_network: Runner, operation: Operation) -> None:
    session = without_network.calendar.next(operation.sessions[-1])
    assert without_network.lake.read(PREDICTIONS).filter(session=session).is_empty()
    log = without_network.lake.read(INFERENCE_LOG).filter(session=session)
    assert log.height and not (log["status"] == "predicted").any()
    assert log.filter(pl.col("reason").is_null()).is_empty()
