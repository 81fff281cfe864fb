"""The command line: exit codes, streams, and what each reading command says of a small lake."""

from __future__ import annotations

import errno
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lake.migrations import FORMAT
from lake.storage.lock import writer_lock
from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.market import QUARANTINED_ROWS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.error_messages import describe_error
from nextgen_tui.cli.main import COMMANDS, main, outcome
from pipeline.engine.child_command import python_command
from tests.new_lake import new_lake
from tests.nextgen_tui.hostile import HOSTILE
from tests.nextgen_tui.lakes import land, publish, rows
from tests.nextgen_tui.runner import Run, json_of
from tests.nextgen_tui.text.test_safe_text import dangerous

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

ROOT = Path(__file__).parents[3]


def test_the_help_page_and_the_commands_own_help_agree() -> None:
    for entries in COMMANDS.values():
        for name, entry in entries.items():
            command = main.get_command(click.Context(main), name)
            assert command is not None
            assert (command.help or "").split("\n")[0] == entry.summary


def walk(command: click.Command) -> Iterator[click.Command]:
    """The command and all below it."""
    yield command
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        yield from walk(below)


def test_no_number_can_be_larger_than_what_it_counts() -> None:
    context = click.Context(main)
    commands = [one for name in main.list_commands(context) for one in walk(main.get_command(context, name))]  # type: ignore[arg-type]
    endless = [
        f"{command.name} {option.name}"
        for command in commands
        for option in command.params
        if isinstance(option.type, click.types.IntParamType) and getattr(option.type, "max", None) is None
    ]
    assert len(commands) > 60 and not endless


@pytest.mark.cold
def test_help_comes_at_once_and_lists_the_exit_codes() -> None:
    before = os.times()
    result = subprocess.run(
        python_command("nextgen_tui.cli.main", "--help"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 0.5, "measured: 0.1 s of work, whatever else the machine does"
    assert all(str(code) in result.stdout for code in exit_codes.MEANINGS)


def test_the_version_is_told_with_commit_and_lake_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["--version"]) == exit_codes.DONE
    words = capsys.readouterr().out
    assert re.fullmatch(rf"nextgen \S+, commit ([0-9a-f]{{12}}(-dirty)?|unknown), lake format {FORMAT}\n", words), words


@pytest.mark.cold
def test_help_imports_neither_polars_nor_textual() -> None:
    program = (
        "import sys\nfrom nextgen_tui.cli.main import outcome\noutcome(['--help'])\n"
        "sys.exit(str({'polars', 'textual', 'deltalake', 'pydantic'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stderr.strip() == "set()"


MISTAKES: tuple[tuple[tuple[str, ...], str], ...] = (
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
    (("train", "--session", "2222-01-03"), "is outside the calendar of XNYS, which runs from"),
    (("train", "--session", "1890-01-03"), "is outside the calendar of XNYS, which runs from"),
    (("request", "run"), "name the stages to run; `nextgen stages` lists them"),
    (("request", "run", "predikt"), "did you mean 'predict'?"),
    (("request", "promote"), "name what to promote: a model to make champion"),
    (("request", "cycle", "2022-03-02"), "cycle takes no target, got '2022-03-02'"),
    (("request", "cycle", "--session", "2022-01-01"), "the nearest are 2021-12-31 and 2022-01-03"),
    (("request", "cancel"), "name what to cancel: TASK/SLOT, or a request"),
    (("console",), "the console needs a terminal"),
)


def test_a_mistake_in_a_command_is_told_in_words(run: Run) -> None:
    for arguments, words in MISTAKES:
        code, out, err = run(*arguments)
        assert code == exit_codes.USAGE, arguments
        assert words in " ".join(err.split())
        assert out == ""
        assert "Traceback" not in err


def test_nothing_found_is_said_and_is_an_empty_list_to_a_script(run: Run) -> None:
    for command in (("show", "predictions", "--where", "ticker=NONE"), ("runs", "--session", "2001-01-03")):
        assert run(*command)[1].strip() in ("No such row.", "No such run.")
        assert json_of(run, *command) == []


def test_a_missing_lake_is_said_with_the_way_to_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["status", "--lake", str(tmp_path / "none")]) == exit_codes.USAGE
    assert "create one with `nextgen init`" in " ".join(capsys.readouterr().err.split())


def test_an_empty_path_is_not_the_folder_one_is_in(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["status", "--lake", ""],
        ["backup", ""],
        ["restore", ""],
        ["import", "parquet", ""],
        ["console", "--screenshot", ""],
    ):
        assert outcome(words) == exit_codes.USAGE
        assert "the path of a folder is empty" in capsys.readouterr().err


def test_a_busy_lake_is_worth_a_later_try(run: Run, lake: Lake) -> None:
    with writer_lock(lake.path, "a test"):
        code, _, err = run("run", "universe", "--session", "2022-03-02")
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


def test_text_from_outside_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = new_lake(tmp_path / "lake")
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
    program = shlex.join(python_command("nextgen_tui.cli.main", *words)) + " | head -1"
    result = subprocess.run(program, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("[\n", "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/from", None, "/to"), "/to: No space left on device"),
        (OSError(errno.EACCES, "Permission denied", "/from", None, "/to"), "/from: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device", "/to"), "/to: No space left on device"),
    ],
)
def test_a_full_disk_is_named_by_what_was_written_and_not_by_what_was_read(error: OSError, words: str) -> None:
    assert describe_error(error) == (exit_codes.DAMAGE, words)
