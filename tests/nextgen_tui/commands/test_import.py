"""`nextgen import` and `nextgen compare` as an operator types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lake.tables.market import MARKET_PRICES
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.market.sessions import exchange_sessions
from tests.frames.older import CONTENT, LAST, cents, insert, older_system
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import bars, publish, rows

pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")
Run = Callable[..., tuple[int, str, str]]


def toml(content: dict[str, object], above: str = "") -> str:
    """A mapping as its file."""
    plain = [f"{name} = {json.dumps(value)}" for name, value in content.items() if not isinstance(value, dict)]
    tables = [toml(value, f"{above}{name}.") for name, value in content.items() if isinstance(value, dict)]
    head = [f"[{above.removesuffix('.')}]"] if above else []
    return "\n".join([*head, *plain, *tables])


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an older system's database and its mapping."""
    folder = tmp_path_factory.mktemp("older")
    older_system(folder / "old.db", exchange_sessions())
    (folder / "mapping.toml").write_text(toml(CONTENT), encoding="utf-8")
    return folder


@pytest.fixture
def run(older: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `nextgen` in a copy of the folder, on a lake beside it; give exit code, stdout, stderr."""
    shutil.copytree(older, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = outcome([*arguments, "--lake", "lake"])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_from_a_proposal_to_a_comparison(run: Run) -> None:
    code, proposal, _ = run("import", "sqlite", "old.db", "--propose")
    assert code == exit_codes.DONE and "[prices.columns]" in proposal
    code, out, _ = run("import", "sqlite", "old.db", "--mapping", "mapping.toml", "--create", "--json")
    assert code == exit_codes.DONE
    report = json.loads(out)
    assert report["source"] == "import-legacy" and report["last"] == LAST.isoformat()
    assert {one["kind"]: one["accepted"] == one["read"] > 0 for one in report["accounts"]} == dict.fromkeys(
        ("prices", "news", "predictions", "trades"), True
    )
    code, out, said = run("import", "sqlite", "old.db", "--mapping", "mapping.toml")
    assert code == exit_codes.DONE and "0 rows imported from import-legacy" in said
    assert "prices -> market_prices" in out
    code, out, _ = run("compare", "--json")
    figures = {one["name"]: one for one in json.loads(out)["figures"]}
    assert code == exit_codes.DONE
    assert figures["closes"]["taken_over"] == report["accounts"][0]["read"]


def test_what_is_set_aside_is_shown_with_its_rule_and_cannot_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    insert(tmp_path / "old.db", "bars", [("\x1b]52;c;evil\x07", "01/04/2023", 1, 1, 1, 1, 1), cents("A A", LAST, 5)])
    code, out, said = run("import", "sqlite", "old.db", "--mapping", "mapping.toml", "--create")
    assert code == exit_codes.DONE
    assert "Set aside" in out and "ticker is well-formed" in out
    assert "\x1b]52" not in out + said


def test_the_comparison_ends_with_1_where_they_differ(run: Run, tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    own = [
        row | {"close": 90.0, "open": 90.0, "low": 89.0, "high": 91.0, "source": "files"}
        for row in bars("AAA", [90], LAST)
    ]
    close = exchange_sessions().close_at(LAST)
    publish(
        lake,
        MARKET_PRICES,
        rows(MARKET_PRICES, *(row | {"ts": close, "available_at": close} for row in own)),
        work="backfill",
    )
    assert run("import", "sqlite", "old.db", "--mapping", "mapping.toml")[0] == exit_codes.DONE
    code, out, _ = run("compare", "legacy", "--from", str(LAST), "--to", str(LAST))
    assert code == exit_codes.DEGRADED
    assert f"AAA {LAST}: 102.2 there, 90.0 here" in out
    assert run("compare", "--from", str(LAST), "--to", str(LAST), "--tolerance", "0.5")[0] == exit_codes.DONE


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "sqlite", "old.db"), "give either --mapping FILE, or --propose"),
        (("import", "sqlite", "old.db", "--mapping", "mapping.toml", "--propose"), "give either --mapping FILE"),
        (("import", "sqlite", "none.db", "--propose"), "there is no file none.db"),
        (("import", "sqlite", "mapping.toml", "--propose"), "mapping.toml is not a SQLite database"),
        (("import", "sqlite", "old.db", "--mapping", "old.db"), "old.db is not a text file"),
        (("import", "parquet", ".", "--propose"), "contains no file that ends in .parquet"),
        (("import", "sqlite", "old.db", "--mapping", "mapping.toml"), "there is no lake at"),
    ],
)
def test_a_mistake_is_a_sentence_and_makes_no_lake(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = run(*arguments)
    assert code == exit_codes.USAGE
    assert said in err
    assert not (tmp_path / "lake").exists()


def test_a_dry_run_makes_no_lake_either(run: Run, tmp_path: Path) -> None:
    code, _, _ = run("import", "sqlite", "old.db", "--mapping", "mapping.toml", "--dry-run", "--create")
    assert code == exit_codes.USAGE
    assert not (tmp_path / "lake").exists()


def test_a_lake_without_an_import_has_nothing_to_compare(run: Run, tmp_path: Path) -> None:
    new_lake(tmp_path / "lake")
    code, _, err = run("compare")
    assert code == exit_codes.USAGE
    assert "no older system has been imported; import one with `nextgen import sqlite FILE`" in " ".join(err.split())
