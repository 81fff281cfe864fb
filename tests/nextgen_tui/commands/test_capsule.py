"""`nextgen capsule` with the operator's plugins: read first, run only where somebody says so."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lake.migrations.run import migrate
from lake.runs import find_done_runs
from lake.store import Lake
from nextgen_tui.cli import exit_codes
from pipeline.config.loading import load
from pipeline.config.settings import PluginParams
from pipeline.engine.capsules.write_capsule import list_capsules
from pipeline.engine.failures import StageFailedError
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from tests.frames.golden import SECOND, unpack
from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")
RULE = """
from pipeline.trading.planning.rule import rule

@rule(None)
def broken(candidate, state, params):
    raise ZeroDivisionError("nothing to divide by")  # \x1b[8mhidden\x1b[0m

RULES = (broken,)
"""


@pytest.fixture(scope="module")
def capsule(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a plan left that failed in a rule of its operator."""
    path = unpack(SECOND, tmp_path_factory.mktemp("capsule"))
    migrate(Lake.open(path, older=True))
    lake = Lake.open(path)
    (path / "broken.py").write_text(RULE, encoding="utf-8")
    settings = replace(load(path, {}).settings, plugins=PluginParams(files=("broken.py",)))
    with pytest.raises(StageFailedError):
        Runner(lake, settings).run_stage(find_stage("plan"), find_done_runs(lake)[-1].recipe.session)
    return list_capsules(path)[0]


def test_a_plugins_code_is_shown_with_its_hash_and_without_what_steers_a_terminal(run: Run, capsule: Path) -> None:
    digest = sha256(RULE.encode()).hexdigest()
    code, out, _ = run("capsule", "show", str(capsule))
    assert (code, digest in out, "def broken" in out) == (exit_codes.DONE, True, False)
    _, out, _ = run("capsule", "show", str(capsule), "--code")
    assert '    6      raise ZeroDivisionError("nothing to divide by")  # hidden\n' in out
    told = json_of(run, "capsule", "show", str(capsule), "--code")
    assert (told["plugins"], told["code"], told["left_out"]) == ({"broken.py": digest}, {"broken.py": RULE}, {})


def test_a_plugins_code_is_run_only_where_somebody_says_so(run: Run, capsule: Path) -> None:
    code, out, err = run("capsule", "replay", str(capsule))
    assert (code, out) == (exit_codes.USAGE, "")
    assert sha256(RULE.encode()).hexdigest() in err
    assert "--run-plugins" in err
    code, out, _ = run("capsule", "replay", str(capsule), "--run-plugins")
    assert code == exit_codes.DEGRADED
    assert "fails in the same way" in " ".join(out.split())
