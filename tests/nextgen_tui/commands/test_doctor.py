"""`nextgen doctor`: one page with what mends each finding, without a secret, without a request, whatever is broken."""

from __future__ import annotations

import json
import socket
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lake.store import Lake
from lake.tables.market import TICKER_UNIVERSE
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.config.secrets import SECRETS
from pipeline.reading.doctor.finding import TOPICS
from tests.nextgen_tui.lakes import publish, rows
from tests.nextgen_tui.runner import Run

pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")  # pandas, inside the calendar library
SCHEDULE = '[tasks.upkeep]\nrun = "maintain"\ntrigger = "daily 06:00"\n'


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in (*SECRETS, "NEXTGEN_CREDENTIALS", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def quiet(lake: Lake) -> Lake:
    """A lake with a schedule of which nothing is due."""
    (lake.path / "schedules.toml").write_text(SCHEDULE)
    return lake


def findings(run: Run, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code, out, _ = run("doctor", "--json", *arguments)
    return code, json.loads(out)["findings"]


def of(found: list[dict[str, Any]], topic: str, status: str = "fail") -> list[str]:
    return [one["what"] for one in found if (one["topic"], one["status"]) == (topic, status)]


def test_every_topic_is_told_in_order_and_all_that_is_wrong_has_what_mends_it(run: Run, quiet: Lake) -> None:
    code, found = findings(run)
    topics = list(dict.fromkeys(one["topic"] for one in found))
    assert topics == list(TOPICS)
    assert all(one["fix"] for one in found if one["status"] != "ok")
    assert code == (exit_codes.DEGRADED if any(one["status"] == "fail" for one in found) else exit_codes.DONE)


def test_the_page_says_the_same_as_the_json_and_ends_with_a_count(run: Run, quiet: Lake) -> None:
    _, found = findings(run)
    _, page, _ = run("doctor")
    whole = " ".join(page.split())
    assert [one["what"] for one in found if one["topic"] == "keys" and one["what"] not in whole] == []
    assert "findings" in page.splitlines()[-1]
    only = run("doctor", "--problems")[1]
    assert "✓" not in only and len(only) < len(page)


def test_without_a_lake_everything_else_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = outcome(["doctor", "--json", "--lake", str(tmp_path / "none")])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert code == exit_codes.DEGRADED
    assert of(found, "lake") == [f"there is no lake at {tmp_path / 'none'}"]
    assert {"machine", "versions", "keys", "disk", "clock", "terminal"} <= {one["topic"] for one in found}


def test_a_configuration_that_cannot_be_used_is_one_finding_and_hides_no_other(run: Run, quiet: Lake) -> None:
    (quiet.path / "nextgen.toml").write_text("foo = [")
    code, found = findings(run)
    assert code == exit_codes.DEGRADED and len(of(found, "configuration")) == 1
    assert of(found, "disk", "ok") and of(found, "versions", "ok")


def test_a_mandate_that_excludes_what_nothing_is_called_is_told(run: Run, quiet: Lake) -> None:
    listed = {"session": date(2026, 1, 5), "ticker": "AAA", "member": True, "sector": "Energy"}
    publish(quiet, TICKER_UNIVERSE, rows(TICKER_UNIVERSE, listed), name="universe")
    (quiet.path / "nextgen.toml").write_text('[trading.mandate]\nexclusions = ["Enregy"]\n')
    (told,) = of(findings(run)[1], "configuration", "warn")
    assert told.endswith("no ticker or sector is called Enregy; did you mean Energy?")
    (quiet.path / "nextgen.toml").write_text('[trading.mandate]\nexclusions = ["Energy", "AAA"]\n')
    assert of(findings(run)[1], "configuration", "warn") == []


def test_a_broken_plugin_and_a_missing_file_of_one_are_told(run: Run, quiet: Lake) -> None:
    (quiet.path / "nextgen.toml").write_text('[plugins]\nfiles = ["mine.py"]\n')
    assert "mine.py" in of(findings(run)[1], "plugins")[0]


def test_a_damaged_table_is_a_finding_and_not_the_end(run: Run, quiet: Lake) -> None:
    for file in (quiet.path / "tables" / "runs").rglob("*.parquet"):
        file.write_bytes(b"nothing of a table")
    code, found = findings(run)
    assert code == exit_codes.DEGRADED and of(found, "lake")
    assert of(found, "machine", "ok") and of(found, "terminal", "ok")


def test_no_secret_is_ever_shown_whatever_carries_it(
    run: Run, quiet: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    values = {name: f"{name.lower()}-do-not-show" for name in SECRETS}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NEXTGEN_PROXY", "http://me:hunter2@127.0.0.1:9")
    # A file of plugins is named after a secret, so that the words of an error carry it.
    (quiet.path / "nextgen.toml").write_text(
        f'[source]\nname = "yahoo"\n[plugins]\nfiles = ["{values["OPENAI_API_KEY"]}.py"]\n'
    )
    shown = "".join(run("doctor")[1:]) + "".join(run("doctor", "--json")[1:]) + "".join(run("doctor", "--debug")[1:])
    assert [name for name, value in values.items() if value in shown] == []
    assert "hunter2" not in shown and "OPENAI_API_KEY (variable)" in shown and "[secret]" in shown


def test_no_other_machine_is_spoken_to_unless_that_is_asked_for(
    run: Run, quiet: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def note(self: socket.socket, address: object) -> None:
        asked.append(address)
        raise OSError("no network in this test")

    def note_name(*arguments: object, **_named: object) -> list[object]:
        asked.append(arguments[0])
        raise OSError("no names in this test")

    monkeypatch.setattr(socket.socket, "connect", note)
    monkeypatch.setattr(socket, "getaddrinfo", note_name)
    (quiet.path / "nextgen.toml").write_text('[source]\nname = "yahoo"\n')
    _, found = findings(run)
    assert asked == [] and any("query1.finance.yahoo.com" in one["what"] for one in found)
    code, found = findings(run, "--online")
    assert code == exit_codes.DEGRADED and asked == ["query1.finance.yahoo.com"]
    assert "query1.finance.yahoo.com (prices) does not answer" in of(found, "network")[0]
