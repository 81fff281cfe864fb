"""One verdict: `status`, its exit code, its JSON, screen 1, the bar at the top and the metric say the same sentence."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screen_frame import top_bar
from pipeline.control.daemon.heartbeat import FILE
from pipeline.health.checks import SEVERITY
from tests.nextgen_tui.commands.test_status import SCHEDULE, a_daemon
from tests.nextgen_tui.lakes import MOMENT, publish, rows

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


@contextmanager
def killed(lake: Lake) -> Iterator[None]:
    with a_daemon(lake):
        pass
    aged(lake, timedelta(minutes=3))
    yield


@contextmanager
def stopped_for_three_minutes(lake: Lake) -> Iterator[None]:
    with a_daemon(lake):
        aged(lake, timedelta(minutes=3, seconds=20))
        yield


@contextmanager
def silent_for_100_seconds(lake: Lake) -> Iterator[None]:
    """Longer than any mouth may call well, and shorter than two minutes."""
    with a_daemon(lake):
        aged(lake, timedelta(seconds=100))
        yield


def aged(lake: Lake, by: timedelta) -> None:
    """Let the daemon's last sign of life be so old."""
    beat = lake.path / "control" / FILE
    at = datetime.now(UTC) - by
    beat.write_text(json.dumps(json.loads(beat.read_text()) | {"at": at.isoformat()}))
    os.utime(beat, (at.timestamp(), at.timestamp()))


@contextmanager
def unreadable_configuration(lake: Lake) -> Iterator[None]:
    (lake.path / "nextgen.toml").write_text("foo = [\n")
    yield


@contextmanager
def book_far_behind(lake: Lake) -> Iterator[None]:
    """The lake of a real market whose tables end in 2022, and a schedule that wants them fresh."""
    (lake.path / "nextgen.toml").write_text('[source]\nname = "files"\n')
    fresh = 'outputs = [{ table = "market_prices", fresh_within = "1d" }]\n'
    (lake.path / "schedules.toml").write_text(SCHEDULE + fresh)
    yield


CASES = {
    "a daemon that was killed": (killed, "fail", "The daemon crashed 3 min ago; start `nextgen-daemon`"),
    "a daemon that hangs": (stopped_for_three_minutes, "fail", "The daemon has not responded for 3 min; end process"),
    "a daemon that was silent a little too long": (silent_for_100_seconds, "fail", "The daemon has not responded for "),
    "a configuration that is not TOML": (
        unreadable_configuration,
        "fail",
        "The configuration cannot be used, so no task can run:",
    ),
    "a book that is years behind": (book_far_behind, "warn", "market_prices ends at 2022-03-01, "),
}

LIKE_A_HANG = "a daemon that was silent a little too long"
"""Found as a hang is, by the age of what the daemon last said."""


def steady(words: str) -> str:
    """The seconds that pass between two mouths aside."""
    return re.sub(r"\b1\d\d s\b", "100 s", words)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case == LIKE_A_HANG else case for case in CASES]
)
async def test_every_mouth_says_the_same(lake: Lake, capsys: pytest.CaptureFixture[str], case: str) -> None:
    pytest.importorskip("prometheus_client", reason="the extra `metrics` is not installed")
    happen, status, begins = CASES[case]
    (lake.path / "schedules.toml").write_text(SCHEDULE)
    with happen(lake):
        code = outcome(["status", "--lake", str(lake.path)])
        shown = steady(" ".join(capsys.readouterr().out.split()))
        assert outcome(["status", "--json", "--lake", str(lake.path)]) == code
        told = json.loads(steady(capsys.readouterr().out))
        sentence = told["sentence"]
        assert sentence.startswith(begins)
        assert shown.startswith(f"{status} {' '.join(sentence.split())[:60]}")
        assert (told["status"], told["healthy"]) == (status, status != "fail")
        assert code == (exit_codes.DEGRADED if status == "fail" else exit_codes.DONE)
        assert told["answers"][0]["sentence"] == sentence
        assert told["problems"][0]["what"] in sentence and told["problems"][0]["fix"] in sentence
        from pipeline.reading.prometheus import HealthCollector  # needs the extra `metrics`

        families = {family.name: family for family in HealthCollector(lake.path).collect()}
        assert families["nextgen_verdict"].samples[0].value == SEVERITY[status]
        assert families["nextgen_verdict_info"].samples[0].labels["status"] == status
        assert steady(families["nextgen_verdict_info"].samples[0].labels["sentence"]) == sentence
        app = ConsoleApp(lake.path)
        async with app.run_test(size=(160, 40)) as pilot:
            await wait_until_loaded(pilot)
            screen = pilot.app.screen
            assert isinstance(screen, PageScreen)
            assert steady(screen.answer) == sentence
            assert app.health is not None
            for width in (78, 138):
                bar = plain_text([top_bar(app, width)[0]])
                assert f"{status}: {app.health.problems[0].part}" in bar
                assert lake.path.name in bar and len(bar) <= width


def test_a_history_that_was_replayed_is_not_late(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    with book_far_behind(lake):
        replayed = MOMENT + timedelta(days=1_000)
        publish(lake, PORTFOLIO_VALUE, rows(PORTFOLIO_VALUE, {}), name="value", as_of=MOMENT, started_at=replayed)
        assert outcome(["status", "--json", "--lake", str(lake.path)]) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    parts = {one["service"]: one for one in told["parts"]}
    assert parts["market_prices"]["status"] == "ok", "nobody follows this market as it happens"


def test_a_simulated_market_is_measured_against_its_own_time(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    with book_far_behind(lake):
        (lake.path / "nextgen.toml").write_text('[source]\nname = "simulated"\n')
        assert outcome(["status", "--json", "--lake", str(lake.path)]) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    parts = {one["service"]: one for one in told["parts"]}
    assert parts["market_prices"]["status"] == "ok", "years after its last session nothing of it is late"
