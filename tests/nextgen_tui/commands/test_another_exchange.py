"""Another exchange is one setting: bars, fills, verdict and schedule go by its hours, currency and zone."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome

SMALL = ("--set", "source.simulated.names=4", "--set", "source.simulated.history_sessions=200")

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


@pytest.mark.slow
def test_a_market_in_frankfurt_years_ago_runs_by_its_own_hours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # nobody has worked out a calendar here before
    monkeypatch.setenv("COLUMNS", "160")

    def said(*arguments: str) -> str:
        code = outcome([*arguments, "--lake", str(tmp_path / "lake")])
        out, err = capsys.readouterr()
        assert code == exit_codes.DONE, err
        return out

    said("init", "--source", "simulated", "--set", "market.exchange=XETR", *SMALL)
    said("replay", "--sessions", "1", "--quiet")
    last = Lake.open(tmp_path / "lake").read(MARKET_PRICES).sort("session").row(-1, named=True)
    assert last["currency"] == "EUR"
    local = last["ts"].astimezone(ZoneInfo("Europe/Berlin"))
    assert (local.date(), local.time()) == (last["session"], time(17, 30))
    assert last["session"] < date(2022, 1, 1)
    assert f"All is well as of {last['session']}." in said("status")
    preview = said("schedule", "preview", "--days", "10")
    assert "17:50 CE" in preview and "EDT" not in preview
