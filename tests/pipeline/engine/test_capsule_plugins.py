"""A run that failed in the operator's own code fails elsewhere as it did, once somebody allows that code to be run."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.runs import find_done_runs
from lake.store import Lake
from pipeline.config.loading import load
from pipeline.config.settings import PluginParams
from pipeline.engine.capsules.capsule_plugins import (
    PLUGINS,
    CapsuleError,
    choose_plugins,
    is_plain_name,
    running_plugins,
)
from pipeline.engine.capsules.replay_capsule import read_capsule, replay_capsule
from pipeline.engine.capsules.write_capsule import MAX_BYTES, list_capsules
from pipeline.engine.failures import StageFailedError
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.plugins.load_plugin_file import MODULE_PREFIX
from tests.copies import copy_lake
from tests.frames.features import CALENDAR

FEATURE = """
from pipeline.features.feature import Feature

def broken(view):
    if view.session.year >= 2019 and len(view.has_row) > 3:
        raise ZeroDivisionError("nothing to divide by")
    return view.close(1)[0] / view.close(2)[1]

FEATURES = (Feature("broken", "trend", "ratio", "C over C before", 1, broken),)
"""
RULE = """
from pipeline.trading.planning.rule import rule

@rule(None)
def broken(candidate, state, params):
    raise ZeroDivisionError("nothing to divide by")

RULES = (broken,)
"""
MEMBER = """
from pipeline.models.members.naive import Naive

class Other(Naive):
    name = "{name}"

MEMBERS = (Other(),)
"""


def fail(runner: Runner, stage: str, text: str) -> Path:
    """The capsule of a run of the stage that failed in a plugin."""
    (runner.lake.path / "broken.py").write_text(text, encoding="utf-8")
    settings = replace(runner.settings, plugins=PluginParams(files=("broken.py",)))
    session = next(one.recipe.session for one in reversed(find_done_runs(runner.lake)) if one.recipe.stage == stage)
    with pytest.raises(StageFailedError):
        Runner(runner.lake, settings).run_stage(find_stage(stage), session)
    (path,) = list_capsules(runner.lake.path)
    return path


def plugin_modules() -> dict[str, ModuleType]:
    return {name: one for name, one in sys.modules.items() if name.startswith(MODULE_PREFIX)}


@pytest.mark.parametrize(("stage", "text"), [("features", FEATURE), ("plan", RULE)])
def test_what_failed_in_a_plugin_fails_so_elsewhere_once_it_is_allowed(
    runner: Runner, tmp_path: Path, stage: str, text: str
) -> None:
    path = fail(runner, stage, text).rename(tmp_path / "sent.zip")
    runner.lake.path.rename(tmp_path / "gone")
    held = read_capsule(path)
    assert held.plugins == {"broken.py": text.encode()}
    modules = plugin_modules()
    with pytest.raises(CapsuleError, match=r"broken\.py, SHA-256 [0-9a-f]{64}\nRead them first .*--run-plugins"):
        replay_capsule(held)
    again = replay_capsule(held, run_plugins=True)
    assert "nothing to divide by" in again.again
    assert again.is_same
    assert plugin_modules() == modules


def test_the_code_that_failed_is_in_it_whatever_the_file_has_by_then(runner: Runner) -> None:
    changing = FEATURE.replace("raise", "__import__('pathlib').Path(__file__).write_text('# other')\n        raise")
    held = read_capsule(fail(runner, "features", changing))
    assert held.plugins == {"broken.py": changing.encode()}
    assert (runner.lake.path / "broken.py").read_text(encoding="utf-8") == "# other"


@pytest.fixture(scope="module")
def failed_once(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The capsule of a plan that failed in a rule."""
    lake = Lake.open(copy_lake(migrated, tmp_path_factory.mktemp("failed") / "lake"))
    return fail(Runner(lake, load(lake.path, {}).settings), "plan", RULE)


@pytest.fixture
def failed_in_a_rule(failed_once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(failed_once, tmp_path))


Change = Callable[[dict[str, bytes]], None]


def change(path: Path, how: Change) -> Path:
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    how(content)
    other = path.with_name("other.zip")
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as file:
        for name, told in content.items():
            file.writestr(name, told)
    return other


def test_what_was_changed_in_it_is_refused_and_never_run(runner: Runner, tmp_path: Path) -> None:
    path, mark = fail(runner, "features", FEATURE), tmp_path / "mark"
    hostile = FEATURE.encode() + f"\nopen({str(mark)!r}, 'w')\n".encode()
    with pytest.raises(CapsuleError, match=r"its plugin broken\.py has SHA-256 .*changed since"):
        read_capsule(change(path, lambda content: content.update({f"{PLUGINS}broken.py": hostile})))
    gone = read_capsule(change(path, lambda content: content.pop(f"{PLUGINS}broken.py")))
    with pytest.raises(CapsuleError, match=r"the plugin broken\.py, not in the capsule: somebody took it out"):
        replay_capsule(gone, run_plugins=True)
    assert not mark.exists()


def record_as(name: str, source: bytes) -> Change:
    """Make the capsule's run one that used a file of that name."""

    def how(content: dict[str, bytes]) -> None:
        told = json.loads(content["capsule.json"])
        told["run"]["plugins"] = json.dumps({name: sha256(source).hexdigest()})
        content["capsule.json"] = json.dumps(told).encode()
        content[f"{PLUGINS}{name}"] = source

    return how


@pytest.mark.parametrize(
    "name",
    [
        "../broken.py",
        "/tmp/broken.py",
        "..\\broken.py",
        "c:broken.py",
        "sub/broken.py",
        "broken.pyc",
        "\x1b[2Jbroken.py",
        "b" * 253 + ".py",
    ],
)
def test_a_name_that_is_more_than_a_files_is_refused(failed_in_a_rule: Path, name: str) -> None:
    with pytest.raises(CapsuleError, match="1 names that no capsule has"):
        read_capsule(change(failed_in_a_rule, record_as(name, RULE.encode())))


def test_a_name_that_is_there_twice_or_a_file_beyond_the_bound_is_refused(failed_in_a_rule: Path) -> None:
    path, large = failed_in_a_rule, RULE.encode() + b"#" * MAX_BYTES
    with pytest.raises(CapsuleError, match=r"plugins/broken\.py has 5,000,\d{3} bytes"):
        read_capsule(change(path, record_as("broken.py", large)))
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr(f"{PLUGINS}broken.py", RULE)
    with pytest.raises(CapsuleError, match=r"1 names that no capsule has, the first is 'plugins/broken\.py'"):
        read_capsule(path)


@given(st.text(max_size=40).map(lambda text: text + ".py"))
def test_a_plain_name_stays_in_its_folder(name: str) -> None:
    if is_plain_name(name):
        assert PurePosixPath("folder", name).parent == PurePosixPath("folder")
        assert not {"/", "\\", ":", "\0"} & set(name)


def test_code_comes_before_rows_and_what_does_not_fit_is_said_in_words() -> None:
    held, left_out = choose_plugins({"a.py": b"1" * 30, "b.py": b"2" * 80, "c.py": b"3" * 40}, 75, {})
    assert set(held) == {"a.py", "c.py"}
    assert left_out == {"b.py": "its 80 bytes did not fit into it"}


def test_a_key_that_somebody_wrote_into_his_plugin_stays_at_home() -> None:
    sources = {"own.py": b"KEY = 'sk-123'", "other.py": b"x = 1", "odd:.py": b"x = 1"}
    held, left_out = choose_plugins(sources, 100, {"OPENAI_API_KEY": "sk-123"})
    assert set(held) == {"other.py"}
    assert left_out["own.py"].startswith("the value of OPENAI_API_KEY is written in it")
    assert "sk-123" not in str(left_out)
    assert "its name has signs" in left_out["odd:.py"]


def test_no_key_is_in_a_capsule_and_a_replay_says_what_is_left_out(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-123")
    path = fail(runner, "plan", RULE.replace('"nothing to divide by"', '"refused: sk-123"'))
    with zipfile.ZipFile(path) as file:
        assert not [name for name in file.namelist() if b"sk-123" in file.read(name)]
    held = read_capsule(path)
    assert "refused: [secret]" in held.error
    with pytest.raises(CapsuleError, match=r"broken\.py, not in the capsule: the value of OPENAI_API_KEY is written"):
        replay_capsule(held, run_plugins=True)


def test_files_are_loaded_in_the_order_of_the_settings_and_their_folder_is_gone_afterwards() -> None:
    sources = {f"{name}.py": MEMBER.format(name=name).encode() for name in ("aa", "bb", "cc")}
    with running_plugins(sources, ("lib/cc.py", "/x/aa.py", "bb.py"), CALENDAR, ()) as plugins:
        assert [one.name for one in plugins.files] == ["cc.py", "aa.py", "bb.py"]
        folder = plugins.files[0].path.parent
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_one_that_does_not_load_here_says_where() -> None:
    with (
        pytest.raises(CapsuleError, match=r"does not load here: .*own\.py, line 1: ModuleNotFoundError"),
        running_plugins({"own.py": b"import nothing_like_it"}, (), CALENDAR, ()),
    ):
        pass
