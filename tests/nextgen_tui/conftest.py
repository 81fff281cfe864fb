"""Lakes that tests of the operator's side share."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.cli.main import outcome
from tests.copies import copy_lake
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import bars, forecast, land, publish, rows
from tests.nextgen_tui.runner import Run


@pytest.fixture
def lake(template: Path, tmp_path: Path) -> Lake:
    """A copy of the small lake, for a test to do with as it likes."""
    return Lake.open(copy_lake(template, tmp_path / "lake"))


@pytest.fixture
def run(lake: Lake, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `nextgen` on the small lake, in this process; give exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = outcome([*arguments, "--lake", str(lake.path)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with forecasts for two tickers at two horizons, a warning, and one cycle."""
    lake = new_lake(tmp_path_factory.mktemp("template") / "lake")
    levels = [100 + number % 7 for number in range(60)]
    publish(lake, MARKET_PRICES, rows(MARKET_PRICES, *bars("ACME", levels), *bars("ZETA", levels)), name="prices")
    made = [
        forecast("ACME", 1),
        forecast("ACME", 5),
        forecast("ZETA", 1, point=0.02),
        forecast("ZETA", 5, point=0.03),
    ]
    publish(lake, PREDICTIONS, rows(PREDICTIONS, *made), name="predict")
    check = {"service": "market_prices", "check": "arrived", "status": "warn", "message": "1 of 2 members have a bar"}
    fine = {"service": "book", "check": "reconciled", "status": "ok", "message": "every cent of value is explained"}
    land(lake, SYSTEM_HEALTH, rows(SYSTEM_HEALTH, check, fine))
    return lake.path
