"""The command line: exit codes, streams, and what each reading command says of a small lake."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from lake.storage.lock import writer_lock
from lake.store import Lake
from lake.tables.control import RUNS, SYSTEM_HEALTH, TASK_REQUESTS
from lake.tables.market import QUARANTINED_ROWS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import COMMANDS, main, outcome
from pipeline.engine.children import python_command
from tests.nextgen_tui.hostile import HOSTILE
from tests.nextgen_tui.lakes import SESSION, land, new_lake, publish, rows, run_row
from tests.nextgen_tui.test_safe_text import dangerous

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(lake: Lake, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `nextgen` on the small lake; give exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = outcome([*arguments, "--lake", str(lake.path)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def json_of(run: Run, *arguments: str) -> Any:
    code, out, _ = run(*arguments, "--json")
    assert code in (exit_codes.DONE, exit_codes.DEGRADED)
    return json.loads(out)


@pytest.mark.parametrize("name", [name for entries in COMMANDS.values() for name in entries])
def test_the_help_page_and_the_commands_own_help_agree(name: str) -> None:
    summary = next(entries[name].summary for entries in COMMANDS.values() if name in entries)
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert (command.help or "").split("\n")[0] == summary


def test_help_comes_at_once_and_lists_the_exit_codes() -> None:
    before = os.times()
    result = subprocess.run(
        python_command("nextgen_tui", "--help"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 0.5, "measured: 0.1 s of work, whatever else the machine does"
    assert all(str(code) in result.stdout for code in exit_codes.MEANINGS)


def test_help_imports_neither_polars_nor_textual() -> None:
    program = (
        "import sys\nfrom nextgen_tui.cli.main import outcome\noutcome(['--help'])\n"
        "sys.exit(str({'polars', 'textual', 'deltalake', 'pydantic'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stderr.strip() == "set()"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sho",), "there is no command 'sho'; did you mean 'show'?"),
        (("show", "predicions"), "did you mean 'predictions'?"),
        (("show", "predictions", "--where", "tickr=A"), "predictions has no column 'tickr'; did you mean 'ticker'?"),
        (("show", "predictions", "--where", "horizon=x"), "horizon of predictions is Int32, and 'x' is not"),
        (("show", "predictions", "--where", "ticker"), "'ticker' is not a condition"),
        (("show", "predictions", "--version", "99"), "there is no version 99"),
        (("show", "predictions", "--as-of", "2022-03-01T10:00"), "has no time zone"),
        (("cycle", "--session", "1st of May"), "is not a date"),
        (("replay",), "give an end"),
        (("reproduce",), "name the runs to reproduce, or give --all"),
        (("lineage", "predictions", "horizon>5"), "a key needs exact values"),
        (("run", "predikt"), "did you mean 'predict'?"),
        (("runs", "--stage", "predikt"), "did you mean 'predict'?"),
        (("runs", "nothing"), "no run is called 'nothing'"),
        (("reproduce", "nothing"), "no run is called 'nothing'"),
        (("lineage", "predictions", "ticker=NONE"), "predictions has no row with ticker=NONE;"),
        (("impact", "predictions", "ticker=NONE"), "predictions has no row with ticker=NONE;"),
        (("promote", "nothing"), "model 'nothing' is not registered"),
        (("train", "--session", "2222-01-03"), "leads outside the calendar of XNYS, which runs from"),
        (("train", "--session", "1890-01-03"), "leads outside the calendar of XNYS, which runs from"),
        (("request", "run"), "a request to run names the stages"),
        (("request", "run", "predikt"), "did you mean 'predict'?"),
        (("request", "promote"), "a request to promote names a model"),
        (("request", "cycle", "2022-03-02"), "cycle takes no target, got '2022-03-02'"),
        (("request", "cycle", "--session", "2022-01-01"), "the nearest are 2021-12-31 and 2022-01-03"),
        (("request", "cancel"), "a request to cancel names TASK/SLOT, or a request"),
        (("console",), "the console needs a terminal"),
    ],
)
def test_a_mistake_in_a_command_is_told_in_words(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(*arguments)
    assert code == exit_codes.USAGE
    assert said in " ".join(err.split())
    assert out == ""
    assert "Traceback" not in err


def test_a_request_that_no_daemon_could_carry_out_is_not_put_on_record(run: Run, lake: Lake) -> None:
    assert run("request", "run", "predikt")[0] == exit_codes.USAGE
    assert lake.read(TASK_REQUESTS).is_empty()


SERVE_AND_DIE = """
import sys, time
from pathlib import Path
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
with hold_daemon_lock(Path(sys.argv[1])):
    print("serving", flush=True)
    sys.stdin.readline()
"""


def test_who_waits_for_a_request_is_not_told_that_it_is_done_where_nobody_does_it(run: Run) -> None:
    code, out, err = run("request", "maintain", "--id", "mine", "--wait")
    assert code == exit_codes.RETRY
    assert "mine: queued" in out and "no daemon runs: mine stays queued" in " ".join(err.split())


def test_who_waits_is_let_go_when_the_daemon_dies(run: Run, lake: Lake) -> None:
    command = [sys.executable, "-c", SERVE_AND_DIE, str(lake.path / "control")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as served:
        assert served.stdin is not None and served.stdout is not None
        assert served.stdout.readline() == "serving\n"
        threading.Timer(1.0, served.kill).start()
        assert run("request", "maintain", "--wait")[0] == exit_codes.RETRY


def test_one_name_stands_for_one_request(run: Run, lake: Lake) -> None:
    assert run("request", "maintain", "--id", "mine")[0] == exit_codes.DONE
    assert "mine: queued (already requested)" in run("request", "maintain", "--id", "mine")[1]
    code, _, err = run("request", "train", "--id", "mine")
    assert code == exit_codes.USAGE
    assert "'mine' names another request already, with action maintain and not train" in " ".join(err.split())
    assert lake.read(TASK_REQUESTS).height == 1


def test_nothing_found_is_said_and_is_an_empty_list_to_a_script(run: Run) -> None:
    for command in (("show", "predictions", "--where", "ticker=NONE"), ("runs", "--session", "2001-01-03")):
        assert run(*command)[1].strip() in ("No such row.", "No such run.")
        assert json_of(run, *command) == []


def test_all_that_is_wrong_with_a_schedule_is_told_a_line_each(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[tasks.a]\nrun = "cycle"\ntrigger = "close+20m"\nretires = 3\ngroup = "x"\n')
    code, _, err = run("schedule", "check", "--file", str(tmp_path / "s.toml"))
    assert code == exit_codes.USAGE
    assert [line.partition("tasks.")[2].split(":")[0] for line in err.splitlines()] == ["a.retires", "a.group"]


def test_a_missing_lake_is_said_with_the_way_to_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["status", "--lake", str(tmp_path / "none")]) == exit_codes.USAGE
    assert "make one with `nextgen init`" in " ".join(capsys.readouterr().err.split())


def test_an_empty_path_is_not_the_folder_one_is_in(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["status", "--lake", ""],
        ["backup", ""],
        ["restore", ""],
        ["import", "parquet", ""],
        ["console", "--screenshot", ""],
    ):
        assert outcome(words) == exit_codes.USAGE
        assert "an empty path names no folder" in capsys.readouterr().err


def test_a_busy_lake_is_worth_a_later_try(run: Run, lake: Lake) -> None:
    program = (
        "import sys, pathlib\nfrom lake.storage.lock import writer_lock\n"
        "with writer_lock(pathlib.Path(sys.argv[1]), 'a test'):\n print('held', flush=True)\n sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lake.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        code, _, err = run("run", "universe", "--session", "2022-03-02")
        holder.communicate("")
    assert code == exit_codes.RETRY
    assert "is being written by process" in " ".join(err.split())
    with writer_lock(lake.path, "afterwards"):
        pass


def test_damage_is_told_with_its_own_code(run: Run, lake: Lake) -> None:
    for path in (lake.path / "tables" / "predictions").glob("**/*.parquet"):
        path.unlink()
    code, _, err = run("show", "predictions")
    assert code == exit_codes.DAMAGE
    assert "predictions at version 1: a data file is missing" in " ".join(err.split())


def test_a_mistake_in_the_configuration_is_a_usage_error(run: Run, lake: Lake) -> None:
    (lake.path / "nextgen.toml").write_text("[trading]\ncapitall = 1\n", encoding="utf-8")
    code, _, err = run("config", "validate")
    assert code == exit_codes.USAGE
    assert "did you mean trading.capital?" in " ".join(err.split())


def test_status_says_what_the_health_report_says(run: Run) -> None:
    code, out, _ = run("status")
    assert code == exit_codes.DONE
    assert "1 of 2 members have a bar" in out
    assert "1 check passed" in out
    assert json_of(run, "status")["status"] == "warn"


def test_status_fails_when_a_check_fails(run: Run, lake: Lake) -> None:
    failed = {"service": "book", "check": "x", "status": "fail", "message": "a cent is missing"}
    land(lake, SYSTEM_HEALTH, rows(SYSTEM_HEALTH, failed), "another")
    code, out, _ = run("status")
    assert code == exit_codes.DEGRADED
    assert "a cent is missing" in out


def test_status_of_an_empty_lake_is_not_healthy(tmp_path: Path) -> None:
    assert outcome(["status", "--quiet", "--lake", str(new_lake(tmp_path).path)]) == exit_codes.DEGRADED


def test_show_gives_the_rows_as_json_and_as_a_table(run: Run) -> None:
    content = json_of(run, "show", "predictions", "--where", "ticker=ZETA", "--where", "horizon>=5")
    assert [(row["ticker"], row["horizon"], row["session"]) for row in content] == [("ZETA", 5, "2022-03-01")]
    code, out, err = run("show", "predictions", "--columns", "ticker,point", "--limit", "1")
    assert code == exit_codes.DONE
    assert "3.00 %" in out
    assert "the last 1 of 4 rows" in err


def test_show_as_of_a_past_moment_leaves_out_what_was_not_public(run: Run) -> None:
    limit = ("--limit", "1000")
    assert len(json_of(run, "show", "market_prices", *limit)) == 120
    assert len(json_of(run, "show", "market_prices", "--as-of", "2022-02-27", *limit)) == 116
    assert json_of(run, "show", "predictions", "--as-of", "2022-02-28") == []


def test_columns_that_do_not_fit_are_named(run: Run) -> None:
    _, _, err = run("show", "predictions")
    assert "columns do not fit:" in err


def test_runs_lists_and_explains(run: Run, lake: Lake) -> None:
    failed = run_row("score", status="failed", error="the \x1b[31mmodel\x1b[0m is gone", session=SESSION)
    with lake.lock("a test"):
        lake.commit(RUNS, RUNS.check(rows(RUNS, failed)), "failed", {})
    assert [row["status"] for row in json_of(run, "runs", "--failed")] == ["failed"]
    _, out, err = run("runs", "--failed")
    assert "score-20220301" in out
    assert "the model is gone" in err
    assert json_of(run, "runs", "score-2022")["inputs"] == {}


def test_tables_lists_every_table_with_its_rows(run: Run) -> None:
    content = {row["table"]: row for row in json_of(run, "tables")}
    assert (content["predictions"]["rows"], content["predictions"]["version"]) == (4, 1)
    described = json_of(run, "tables", "predictions")
    assert described["columns"]["point"]["unit"] == "fraction"


def test_lineage_walks_from_a_row_to_the_run_that_wrote_it(run: Run) -> None:
    hops = json_of(run, "lineage", "predictions", "ticker=ACME", "horizon=5")
    assert hops[0]["run_id"] == "predict-20220301"
    code, out, _ = run("lineage", "predictions", "ticker=ACME", "horizon=5")
    assert code == exit_codes.DONE
    assert "ticker=ACME" in out


def test_config_show_says_where_a_value_comes_from(run: Run, lake: Lake) -> None:
    (lake.path / "nextgen.toml").write_text("[runtime]\nseed = 5\n", encoding="utf-8")
    content = json_of(run, "config", "show", "runtime")
    assert content["runtime.seed"] == {"value": 5, "origin": f"file {lake.path / 'nextgen.toml'}"}
    _, out, _ = run("config", "show", "--changed")
    assert out.startswith("[runtime]\nseed = 5  # file ")


def test_what_config_show_prints_can_be_read_back(run: Run, lake: Lake) -> None:
    _, out, _ = run("config", "show", "--explain")
    (lake.path / "nextgen.toml").write_text(out, encoding="utf-8")
    assert run("config", "validate")[0] == exit_codes.DONE


def test_text_from_outside_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = new_lake(tmp_path)
    texts = [text[:150].encode("utf-8", "ignore").decode() for text in HOSTILE]
    set_aside = [
        {"line": n, "ticker": text, "payload_id": "0" * 64, "target": "market_prices", "rule": "a rule", "source": "x"}
        for n, text in enumerate(texts)
    ]
    publish(lake, QUARANTINED_ROWS, rows(QUARANTINED_ROWS, *set_aside), name="quarantine")
    checks = [{"service": f"s{n}", "check": "c", "status": "warn", "message": text} for n, text in enumerate(texts)]
    land(lake, SYSTEM_HEALTH, rows(SYSTEM_HEALTH, *checks))
    for arguments in (
        ["show", "quarantined_rows", "--limit", "100", "--columns", "line,ticker"],
        ["show", "quarantined_rows", "--limit", "100", "--json"],
        ["status"],
        ["status", "--json"],
        ["lineage", "quarantined_rows", "line=1"],
    ):
        assert outcome([*arguments, "--lake", str(lake.path)]) == exit_codes.DONE
        out, err = capsys.readouterr()
        assert [sign for sign in dangerous(out + err) if sign != "\n"] == []


def test_quiet_leaves_nothing_on_stderr(run: Run) -> None:
    assert run("show", "predictions", "--limit", "1", "--quiet")[2] == ""


def test_a_reader_that_has_enough_is_no_error(lake: Lake) -> None:
    words = ("show", "market_prices", "--limit", "1000", "--json", "--lake", lake.path)
    program = shlex.join(python_command("nextgen_tui", *words)) + " | head -1"
    result = subprocess.run(program, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("[\n", "")
