"""`nextgen plugins`: which there are, what they declare, and whether they work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lake.store import Lake
from nextgen_tui.cli import exit_codes
from tests.nextgen_tui.runner import Run, json_of

EXAMPLE = Path("docs/examples/alpha_plugin.py").absolute()
# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


def test_plugins_are_listed_with_what_they_declare(run: Run, lake: Lake) -> None:
    assert run("plugins")[0] == exit_codes.DONE
    (lake.path / "nextgen.toml").write_text(f'[plugins]\nfiles = ["{EXAMPLE}"]\n', encoding="utf-8")
    (one,) = json_of(run, "plugins")
    assert (one["path"], one["works"], one["features"]) == (str(EXAMPLE), True, ["squeeze_10", "calm_10"])


def test_one_that_does_not_work_is_told_with_file_and_line_and_the_exit_code(run: Run, lake: Lake) -> None:
    (lake.path / "bad.py").write_text("\n1 / 0\n", encoding="utf-8")
    (lake.path / "nextgen.toml").write_text('[plugins]\nfiles = ["bad.py"]\n', encoding="utf-8")
    code, out, _ = run("plugins")
    assert code == exit_codes.DEGRADED
    assert "bad.py, line 2: ZeroDivisionError" in " ".join(out.split())
    assert run("tables")[0] == exit_codes.DONE


@pytest.mark.parametrize("words", [("plugins", "--json"), ("--json", "plugins")])
def test_what_a_plugin_prints_does_not_come_between_the_json(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    plugin = tmp_path / "loud.py"
    plugin.write_text("print('loud')\n", encoding="utf-8")
    _, out, err = run(*words, "--check", str(plugin))
    assert (json.loads(out)[0]["path"], err.splitlines()[0]) == (str(plugin), "loud")


def test_a_file_can_be_checked_before_it_is_configured(run: Run) -> None:
    assert run("plugins", "--check", str(EXAMPLE))[0] == exit_codes.DONE


def test_a_file_to_check_that_is_not_there_is_told_as_that_and_not_as_a_setting(run: Run) -> None:
    code, _, err = run("plugins", "--check", str(EXAMPLE.with_name("none.py")))
    assert code == exit_codes.USAGE
    assert "none.py' does not exist" in " ".join(err.split())
    assert "plugins.files" not in err
