"""Each thing that the doctor looks at is told as it is, and what is wrong comes with what mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lake.tables.control import RUNS
from pipeline.alerts.params import AlertParams, EmailParams, WebhookParams
from pipeline.config.settings import Settings
from pipeline.ingestion.news.params import LanguageModelParams, NewsParams
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.rss.params import Feed, RssParams
from pipeline.reading.doctor.clock import judge_synchronisation
from pipeline.reading.doctor.finding import Finding
from pipeline.reading.doctor.keys import look_at_keys
from pipeline.reading.doctor.lake_state import compare_clock
from pipeline.reading.doctor.machine import find_file_system, judge_memory, judge_open_files, look_at_folder
from pipeline.reading.doctor.network import ask_machines, judge_drift, list_machines, look_at_network
from pipeline.reading.doctor.terminal import TerminalState, look_at_terminal
from pipeline.reading.doctor.versions import compare_with_last_run, judge_libraries
from tests.loopback.conversations import talking, whole
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import land, rows, run_row

MODEL = LanguageModelParams(
    name="m", training_cutoff="2025-01-01", dollars_per_million_input=1, dollars_per_million_output=1
)
XTERM = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def wrong(found: Iterable[Finding]) -> list[Finding]:
    """What is not as it should be; each has what mends it."""
    bad = [one for one in found if one.status != "ok"]
    assert all(one.fix for one in bad)
    return bad


def test_little_memory_is_told_and_enough_is_not() -> None:
    assert judge_memory(16 << 30, 8 << 30).status == "ok"
    assert judge_memory(16 << 30, None).status == "ok"
    few = judge_memory(16 << 30, 1 << 30)
    assert (few.status, few.facts["free_memory_bytes"]) == ("warn", 1 << 30) and "1.1 GB of it free" in few.what
    assert wrong([few]) == [few]


def test_few_open_files_are_told_with_the_command_that_allows_more() -> None:
    assert judge_open_files(1024).status == "ok" and judge_open_files(-1).status == "ok"
    assert (judge_open_files(256).status, judge_open_files(256).fix) == ("warn", "`ulimit -n 4096`")


def test_a_folder_on_another_machine_is_told_by_the_list_of_mounts() -> None:
    mounts = "/dev/vda / ext4 rw 0 0\nserver:/x /home/a\\040b nfs4 rw 0 0\ntmpfs /home/a\\040b/c tmpfs rw 0 0\n"
    assert find_file_system(Path("/var"), mounts) == "ext4"
    assert find_file_system(Path("/home/a b/lake"), mounts) == "nfs4"
    assert find_file_system(Path("/home/a b/c/lake"), mounts) == "tmpfs"
    assert find_file_system(Path("/var"), "") == ""


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above_it(tmp_path: Path) -> None:
    assert not wrong(look_at_folder("The folder", tmp_path / "not" / "yet"))


def test_a_library_that_is_missing_or_of_another_version_is_named_with_both_versions() -> None:
    there = metadata.version("polars")
    assert judge_libraries([Requirement("polars>=1"), Requirement("click")]).status == "ok"
    other = judge_libraries([Requirement("polars>=99"), Requirement("click")])
    assert (other.status, other.facts["libraries"]) == ("fail", ["polars"])
    assert f"{there} is installed, >=99 is needed" in other.what
    assert "which is not installed" in judge_libraries([Requirement("no-such-library>=1")]).what


def test_libraries_other_than_those_of_the_last_run_are_told(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    assert compare_with_last_run(lake).status == "ok"
    land(lake, RUNS, rows(RUNS, run_row("predict", libraries='{"polars": "0.1", "gone": "1"}')))
    found = compare_with_last_run(lake)
    assert (found.status, found.facts["changed"]) == ("warn", [f"polars 0.1 -> {metadata.version('polars')}"])


def test_a_clock_that_was_set_back_behind_the_last_run_is_a_failure(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert not list(compare_clock(lake, now))
    land(lake, RUNS, rows(RUNS, run_row("predict", started_at=now + timedelta(hours=3))))
    (found,) = wrong(compare_clock(lake, now))
    assert found.status == "fail" and "3 h later" in found.what
    assert not list(compare_clock(lake, now + timedelta(hours=3)))


def test_a_clock_that_drifts_is_told_with_its_direction() -> None:
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert judge_drift("there", now - timedelta(seconds=30), now).status == "ok"
    ahead, behind = (
        judge_drift("there", now - timedelta(minutes=5), now),
        judge_drift("x", now + timedelta(hours=1), now),
    )
    assert (ahead.status, ahead.facts["drift_seconds"]) == ("fail", 300.0) and "5 min ahead of" in ahead.what
    assert "behind that of x" in behind.what


@pytest.mark.parametrize(("answer", "statuses"), [("yes", ["ok"]), ("no", ["warn"]), ("", []), ("n/a", [])])
def test_what_the_system_says_of_its_clock_is_repeated_and_nothing_made_up(answer: str, statuses: list[str]) -> None:
    assert [one.status for one in judge_synchronisation(answer)] == statuses


def test_a_terminal_that_is_small_dumb_or_knows_no_signs_is_told() -> None:
    good = TerminalState(True, 140, 40, "UTF-8", XTERM)
    assert not wrong(look_at_terminal(good)) and not wrong(look_at_terminal(TerminalState(False)))
    (small,) = wrong(look_at_terminal(replace(good, columns=60)))
    assert small.status == "warn" and "80 x 24" in small.fix
    (latin,) = wrong(look_at_terminal(replace(good, encoding="latin-1")))
    assert "latin-1" in latin.what
    dumb = wrong(look_at_terminal(replace(good, environ={"TERM": "dumb"})))
    assert [one.status for one in dumb] == ["fail", "warn"]


def test_a_key_that_the_configuration_needs_and_nobody_gave_is_a_failure(tmp_path: Path) -> None:
    settings = Settings(
        ingestion=IngestionParams(news=NewsParams(model=MODEL)),
        alerts=AlertParams(
            webhook=WebhookParams(style="telegram", chat="1"), email=EmailParams(host="mail.example.org", user="me")
        ),
    )
    found = wrong(look_at_keys(settings, {}, tmp_path))
    assert [one.facts["secret"] for one in found] == ["OPENAI_API_KEY", "ALERTS_WEBHOOK_TOKEN", "ALERTS_SMTP_PASSWORD"]
    given = {one.facts["secret"]: "x" for one in found}
    assert not wrong(look_at_keys(settings, given, tmp_path))
    assert not wrong(look_at_keys(Settings(), {}, tmp_path))


def test_a_file_of_a_key_that_others_can_read_is_a_failure_and_its_value_is_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "OPENAI_API_KEY"
    file.write_text("sk-very-secret")
    file.chmod(0o644)
    environ = {"NEXTGEN_CREDENTIALS": str(tmp_path)}
    found = list(look_at_keys(Settings(), environ, tmp_path / "home"))
    (open_file,) = wrong(found)
    assert open_file.status == "fail" and f"chmod 600 {file}" in open_file.fix
    assert "OPENAI_API_KEY (file)" in found[0].what and "sk-very-secret" not in str(found)
    file.chmod(0o600)
    assert not wrong(look_at_keys(Settings(), environ, tmp_path / "home"))


def test_the_machines_that_the_configuration_speaks_to_are_named_without_what_comes_after_their_name() -> None:
    settings = Settings(
        source=SourceParams(
            name="yahoo", rss=RssParams(feeds=(Feed(name="a", url="https://feeds.example.org/x?t=1"),))
        ),
        ingestion=IngestionParams(news=NewsParams(model=MODEL)),
        alerts=AlertParams(
            webhook=WebhookParams(url="https://hooks.example.org/T00/secret-path"),
            email=EmailParams(host="mail.example.org"),
        ),
    )
    machines = list_machines(settings, {})
    assert [one.origin[0] for one in machines] == [
        "query1.finance.yahoo.com",
        "feeds.example.org",
        "api.openai.com",
        "hooks.example.org",
        "mail.example.org",
    ]
    assert "secret-path" not in str(machines) and "t=1" not in str(machines)
    assert list_machines(Settings(), {}) == []


def test_a_proxy_that_does_not_count_is_told_and_one_that_does_is_named_without_its_password() -> None:
    machines = list_machines(Settings(source=SourceParams(name="yahoo")), {})
    (ignored,) = wrong(look_at_network(machines, {"HTTPS_PROXY": "http://p:1"}))
    assert "HTTPS_PROXY is set and does not count" in ignored.what
    used = list(look_at_network(machines, {"NEXTGEN_PROXY": "http://me:hunter2@proxy.example.org:3128"}))
    assert not wrong(used) and "proxy.example.org" in str(used) and "hunter2" not in str(used)


def test_a_machine_that_answers_is_told_and_its_clock_is_compared() -> None:
    late = datetime.now(UTC) - timedelta(hours=2)
    with talking(whole(b"hello", "404 Not Found", f"Date: {format_datetime(late, usegmt=True)}")) as host:
        settings = Settings(source=SourceParams(name="yahoo"))
        machines = list_machines(settings, {"NEXTGEN_YAHOO_URL": host.url("/v8")})
        answers, clock = list(ask_machines(machines, 5.0))
    assert answers.status == "ok" and "127.0.0.1 (prices) answers" in answers.what
    assert clock.topic == "clock" and clock.status == "fail" and "2 h ahead of" in clock.what


def test_a_machine_that_is_silent_or_gone_is_a_failure_within_the_time() -> None:
    with talking([30.0]) as host:
        silent = list_machines(Settings(source=SourceParams(name="yahoo")), {"NEXTGEN_YAHOO_URL": host.url()})
        assert [one.status for one in ask_machines(silent, 0.3)] == ["fail"]
    mail = list_machines(Settings(alerts=AlertParams(email=EmailParams(host="127.0.0.1", port=9))), {})
    (gone,) = ask_machines(mail, 2.0)
    assert gone.status == "fail" and "127.0.0.1 (alerts by mail) does not answer" in gone.what


def test_a_mail_server_that_takes_connections_answers() -> None:
    with talking([b"220 hello\r\n"]) as host:
        mail = list_machines(Settings(alerts=AlertParams(email=EmailParams(host="127.0.0.1", port=host.port))), {})
        assert [one.status for one in ask_machines(mail, 5.0)] == ["ok"]
