"""`nextgen snapshot` takes bars within sessions, now or through the past, and says what it brought."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.intraday import INTRADAY_PRICES
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from nextgen_tui.commands.snapshot import list_moments
from pipeline.market.sessions import exchange_sessions
from tests.new_lake import new_lake
from tests.pipeline.ingestion.intraday.five_minutes import OPEN, at, write_bars

DAY = OPEN.date()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose configuration names a file of five-minute bars of one session."""
    write_bars(tmp_path / "bars.csv", {at(end): 100.0 for end in range(5, 395, 5)})
    lake = new_lake(tmp_path / "lake")
    files = f'prices = ["{tmp_path}/bars.csv"]\nintraday = ["{tmp_path}/bars.csv"]\nintervals = ["1d", "5m"]\n'
    (lake.path / "nextgen.toml").write_text(f'[source]\nname = "files"\n[source.files]\n{files}')
    return lake


def test_snapshots_through_a_past_session_bring_all_its_bars_once(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["snapshot", "--from", str(DAY), "--every", "3h", "--lake", str(lake.path), "--quiet"]
    assert outcome(asked) == exit_codes.DONE
    assert "4 snapshots, the last at 2025-06-02 20:00 UTC: 78 bars new or changed." in capsys.readouterr().out
    bars = Lake.open(lake.path).read(INTRADAY_PRICES)
    assert bars.height == 78 and bars["revision"].max() == 0
    assert outcome([*asked[:-3], "--lake", str(lake.path)]) == exit_codes.DONE
    assert "nothing was changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("moment", "told"), [("2222-01-03T15:00Z", "has not come yet"), ("0001-01-01", "is outside the calendar of XNYS")]
)
def test_a_moment_that_has_not_come_or_no_session_has_is_refused(
    lake: Lake, capsys: pytest.CaptureFixture[str], moment: str, told: str
) -> None:
    assert outcome(["snapshot", "--at", moment, "--lake", str(lake.path)]) == exit_codes.USAGE
    assert told in capsys.readouterr().err


def test_the_moments_of_past_sessions_are_those_while_open_and_each_close() -> None:
    calendar = exchange_sessions("XNYS")
    moments = list_moments(calendar, DAY, calendar.next(DAY), "3h")
    assert moments == [*(at(m) for m in (0, 180, 360, 390)), *(at(m, days=1) for m in (0, 180, 360, 390))]
