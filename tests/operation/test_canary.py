"""A key that is used everywhere appears nowhere: no process list, screen, command, table, file, log or commit."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables import TABLES
from lake.tables.news import NEWS_ARTICLES
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.runtime.screenshots import take_screenshots
from pipeline.config.resolving import values_of
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.config.toml_document import toml_document, write_document
from pipeline.control.operator.requests import Request, read_request_state, submit
from pipeline.engine.child_command import python_command
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.ingestion.news.params import LanguageModelParams, NewsParams
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from tests.loopback.openai import Answer, Asked, OpenAI, praise, response, serving, trouble
from tests.new_lake import new_lake

CANARY = "sk-canary-0c5e81f2aa7d"
PROC = Path("/proc")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.cold,  # a fork has the environment that its template was started with under /proc
    pytest.mark.skipif(not PROC.is_dir(), reason="this system shows no process list under /proc"),
]
STAGES = ("land_prices", "land_news", "instruments", "articles")
SCHEDULE = '[tasks.upkeep]\nrun = "maintain"\ntrigger = "daily 06:00"\n'


@dataclass
class Watched:
    """What was seen of the processes while they talked to the server."""

    lake: Lake
    folder: Path
    session: date
    shown: dict[int, str] = field(default_factory=dict)
    """Process -> its command line, of every process that has the key in its environment."""
    leaked: list[str] = field(default_factory=list)
    """Command lines that hold the key, whosever."""
    asked: int = 0
    keys: set[str] = field(default_factory=set)
    """What the server was sent as authorization."""

    def look(self, asked: Asked) -> Answer:
        """Answer in ways that give the key away to whoever keeps what a server says."""
        self.keys.add(asked.authorization)
        for entry in PROC.glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                holds = CANARY.encode() in (entry / "environ").read_bytes()
            except OSError:  # gone, or of another user
                continue
            if holds:
                self.shown[int(entry.name)] = line
            if CANARY in line:
                self.leaked.append(line)
        self.asked += 1
        if self.asked % 2:
            return Answer(body=response(praise(asked.articles), model=CANARY))
        return trouble(401, f"Incorrect API key provided: {CANARY}")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A daemon, its worker and a command that ask the model, all with the key in their environment alone."""
    folder = tmp_path_factory.mktemp("canary")
    with serving() as openai:
        lake, session = _lake(folder / "lake", openai)
        seen = Watched(lake, folder, session)
        openai.answers = seen.look
        environ = {**os.environ, "OPENAI_API_KEY": CANARY, "NEXTGEN_STATE": str(folder / "state")}
        _daemon_asks(seen, environ)
        command = python_command("nextgen_tui.cli.main", "run", "ask", "--session", session)
        other = {**environ, "NEXTGEN_STATE": str(folder / "other")}
        told = subprocess.run(
            [*command, "--lake", str(lake.path)], env=other, capture_output=True, text=True, check=False, timeout=120
        )
        (folder / "command.txt").write_text(told.stdout + told.stderr, encoding="utf-8")
        assert told.returncode == exit_codes.DONE, told.stderr
        yield seen


def _lake(path: Path, openai: OpenAI) -> tuple[Lake, date]:
    """A lake with a few weeks of simulated news, configured to ask the server, and a session that has news."""
    model = LanguageModelParams(
        name="gpt-test",
        training_cutoff="2017-06-30",
        base_url=openai.base_url,
        requests_per_minute=60_000.0,
        articles_per_request=1,
        tries=1,
    )
    settings = Settings(
        runtime=RuntimeParams(durable=False),
        source=SourceParams(simulated=SimulatedParams(names=4, history_sessions=40)),
        ingestion=IngestionParams(news=NewsParams(model=model)),
    )
    lake = new_lake(path)
    runner = Runner(lake, settings)
    first, last = runner.source.coverage()
    for name in STAGES:
        runner.run_stage(find_stage(name), last, since=first)
    write_document(path, toml_document(values_of(settings)))
    (path / "schedules.toml").write_text(SCHEDULE, encoding="utf-8")
    about = lake.read(NEWS_ARTICLES).filter(lake.read(NEWS_ARTICLES)["tickers"].list.len() > 0)
    busiest = about["session"].value_counts(sort=True).row(0)
    return lake, busiest[0]


def _daemon_asks(seen: Watched, environ: dict[str, str]) -> None:
    request = Request(
        request_id="ask-now",
        requested_at=datetime.now(UTC),
        origin="cli",
        action="run",
        target="ask,score,sentiment,report",
        session=seen.session,
    )
    submit(seen.lake, request)
    log = (seen.folder / "daemon.log").open("wb")
    program = python_command("pipeline.control.daemon.main", "--lake", seen.lake.path)
    with log, subprocess.Popen(program, env=environ, stdout=log, stderr=log) as daemon:
        try:
            end = time.monotonic() + 120
            while not read_request_state(seen.lake, request).finished:
                assert time.monotonic() < end and daemon.poll() is None, "the daemon did not do what it was asked"
                time.sleep(0.05)
        finally:
            daemon.terminate()
    states = [(event.state, event.reason) for event in read_request_state(seen.lake, request).events]
    assert states[-1][0] == "done", states


def test_no_command_line_holds_the_key_while_daemon_worker_and_command_use_it(watched: Watched) -> None:
    assert watched.keys == {f"Bearer {CANARY}"}, "it was really used"
    programs = " | ".join(watched.shown.values())
    for program in ("pipeline.control.daemon.main", "pipeline.control.workers.worker", "nextgen_tui.cli.main run ask"):
        assert program in programs, f"{program} ran with the key in its environment"
    assert watched.leaked == []


def test_no_screen_of_the_console_shows_it(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    app = ConsoleApp(watched.lake.path)
    pictures = take_screenshots(app, tmp_path, (160, 50))
    assert len(pictures) == len(app.pages)
    for picture in pictures:
        svg = picture.read_text(encoding="utf-8")
        assert len(svg) > 2_000
        assert CANARY not in svg.replace("&#160;", " ") and "sk-canary" not in svg, picture.name


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("runs",),
        ("show", "raw_replies", "--json"),
        ("show", "raw_sentiment"),
        ("show", "system_health"),
        ("config", "show"),
        ("schedule", "preview"),
        ("tables",),
    ],
    ids=" ".join,
)
def test_no_command_prints_it(
    watched: Watched, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    code = outcome([*arguments, "--lake", str(watched.lake.path)])
    said = capsys.readouterr()
    assert code in (exit_codes.DONE, exit_codes.DEGRADED), said.err
    assert len(said.out) > 50
    assert CANARY not in said.out + said.err


def test_no_table_file_log_or_commit_holds_it(watched: Watched) -> None:
    for table in TABLES.values():
        assert CANARY not in str(watched.lake.read(table).rows()), table.name
        assert CANARY not in str(watched.lake.history(table)), table.name
    files = [path for path in watched.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite" for path in files) and any("logs" in path.parts for path in files)
    assert [str(path) for path in files if CANARY.encode() in path.read_bytes()] == []
