"""`nextgen check leaks`: each detector fires on what was planted, names leaking plugins, and clears the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lake.store import Lake
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.config.settings import PluginParams
from pipeline.engine.executor import Executor
from pipeline.leaks.check import DETECTORS, OF_FACTS, OF_FEATURES, OF_TRAINING, find_leaks
from pipeline.leaks.detection import Detection, Leak, judge
from pipeline.leaks.feature_detectors import poison_bars
from pipeline.leaks.training_detectors import TrainingProbe, alter_after, shuffle_labels
from pipeline.models.folds import Fold, SessionSpan
from tests.copies import copy_lake
from tests.operation.conftest import Operation

FEATURES = """
import numpy as np
from pipeline.features.feature import Feature
def _real(view):
    return view.session.year > 2010
def _next(view):
    growth, row = view.panel.log_growth, view.panel.row(view.session, view.calendar)
    return growth[min(row + 1, len(growth) - 1)] if _real(view) else view.returns(1)[0]
def _scaled(view):
    growth = view.panel.log_growth if _real(view) else view.returns(2)
    return (view.returns(1)[0] - np.nanmean(growth, axis=0)) / np.maximum(np.nanstd(growth, axis=0), 1e-9)
def _long(view):
    return view.returns(41 if _real(view) else 10).sum(axis=0)
def _sound(view):
    return view.returns(10).sum(axis=0)
FEATURES = (
    Feature("next_return", "own", "log return", "ln(C[t+1]/C[t])", 1, _next),
    Feature("scaled_by_all", "own", "deviations", "(r - mean r)/std r", 2, _scaled),
    Feature("longer_than_told", "own", "log return", "sum of 41 returns", 10, _long),
    Feature("sound_10", "own", "log return", "sum of 10 returns", 10, _sound),
)
"""
"""They behave on the made-up sessions that a plugin is tried on when it loads, which are of 2008."""
MEMBERS = """
import numpy as np
from pipeline.models.members.member import Fitted
from pipeline.models.members.naive import centred_quantiles
class Peeking:
    name, simple = "peeking", False
    def fit(self, task):
        everything = np.arange(len(task.examples))
        rows, told = task.examples.last_rows(everything).astype(np.float64), task.examples.relative
        rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-9)
        z = centred_quantiles(task.examples.clipped[task.rows], task.quantiles)
        return Fitted({"slope": rows.T @ told / len(rows), "z": z})
    def quantiles(self, arrays, windows):
        point = windows[:, -1].astype(np.float64) @ arrays["slope"]
        return point[:, :, None] + arrays["z"][None]
    def shapes(self, arrays, sizes):
        return {"slope": (sizes.features, sizes.horizons), "z": (sizes.horizons, sizes.quantiles)}
    def settings(self, choices):
        return {}
MEMBERS = (Peeking(),)
"""


def ask(operation: Operation, folder: Path, plugin: str = "") -> dict[str, Detection]:
    """Each detector's verdict on the operation, with a plugin if there is one."""
    settings = operation.settings
    if plugin:
        (folder / "own.py").write_text(plugin, encoding="utf-8")
        settings = replace(settings, plugins=PluginParams(files=(str(folder / "own.py"),)))
    executor = Executor(operation.lake, settings)
    return {one.detector: one for one in find_leaks(executor, operation.sessions[-1], 3, lambda *_: None)}


@pytest.fixture(scope="module")
def clean(operation: Operation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Detection]]:
    before = {path: path.stat().st_mtime_ns for path in operation.lake.path.rglob("*.parquet")}
    yield ask(operation, tmp_path_factory.mktemp("none"))
    assert {path: path.stat().st_mtime_ns for path in operation.lake.path.rglob("*.parquet")} == before


@pytest.mark.parametrize("detector", DETECTORS)
def test_every_detector_fires_on_what_is_planted_and_clears_the_program(
    clean: dict[str, Detection], detector: str
) -> None:
    found = clean[detector]
    assert (found.state, found.leaks, found.remark) == ("clean", (), "")
    assert found.fired and found.checked >= 1


def test_leaking_features_of_a_plugin_are_named_and_a_sound_one_is_not(operation: Operation, tmp_path: Path) -> None:
    found = ask(operation, tmp_path, FEATURES)
    leaking = {name: {leak.subject for leak in one.leaks} for name, one in found.items()}
    assert leaking["poison"] == {"next_return", "scaled_by_all"}
    assert leaking["truncation"] == {"next_return", "scaled_by_all"}
    assert leaking["warm-up"] == {"longer_than_told", "scaled_by_all"}, "what is scaled by all rows reaches back too"
    assert all(one.fired for name, one in found.items() if name in ("poison", "truncation", "warm-up"))
    (first,) = (leak for leak in found["poison"].leaks if leak.subject == "next_return")
    assert first.count >= 1 and "where rows after" in first.first
    assert found["purge"].state == "not checked", "no rows of the new set yet"
    assert "a cycle computes them" in found["purge"].remark


@pytest.mark.slow
def test_a_member_that_learns_from_later_rows_is_named_and_the_others_are_not(
    operation: Operation, tmp_path: Path
) -> None:
    found = ask(operation, tmp_path, MEMBERS)
    assert [leak.subject for leak in found["later rows"].leaks] == ["peeking"]
    assert found["later rows"].state == "leak"
    assert found["purge"].state == "clean"


def test_a_detector_that_misses_what_is_planted_is_broken_whatever_else_it_says() -> None:
    silent = judge("poison", "?", ["a", "planted_b"], {})
    assert (silent.state, silent.fired) == ("broken", False)
    assert "planted_b" in silent.remark
    half = judge("poison", "?", ["a", "planted_b", "planted_c"], {"planted_b": Leak("planted_b", 1, "")})
    assert half.state == "broken"
    loud = judge("poison", "?", ["a", "planted_b"], {name: Leak(name, 1, "") for name in ("a", "planted_b")})
    assert (loud.state, [leak.subject for leak in loud.leaks]) == ("leak", ["a"])


def test_labels_that_touch_are_counted(operation: Operation) -> None:
    """A label of 20 sessions counted from the last session before the test's reaches 20 into it, and so on back."""
    probe = TrainingProbe.read(Executor(operation.lake, operation.settings), operation.sessions[-1])
    fold = probe.folds[0]
    reach = max(probe.params.horizons)
    for gap in (0, 5, reach):
        near = Fold(SessionSpan(fold.train.first, fold.test.first - gap), fold.test)
        leak = probe._overlap("it", near)
        session = probe.examples.session
        late = ((session > fold.test.first - reach) & (session <= fold.test.first - gap)).sum()
        assert (leak.count if leak else 0) == late
        assert (leak is None) == (gap == reach)


def test_alterations_change_what_they_say_and_nothing_else(operation: Operation) -> None:
    probe = TrainingProbe.read(Executor(operation.lake, operation.settings), operation.sessions[-1])
    examples, last = probe.examples, probe.folds[0].train.last
    altered = alter_after(examples, last)
    kept = np.flatnonzero(examples.session <= last)
    late = np.flatnonzero(examples.session > last)
    assert np.array_equal(altered.windows(kept), examples.windows(kept))
    assert np.array_equal(altered.relative[kept], examples.relative[kept])
    assert not np.isclose(altered.relative[late], examples.relative[late]).any()
    assert (altered.last_rows(late) != examples.last_rows(late)).mean() > 0.95
    shuffled = shuffle_labels(examples, 1)
    by_session = [np.sort(one.outcome[examples.session == examples.session[0]], axis=0) for one in (examples, shuffled)]
    assert np.array_equal(*by_session) and not np.array_equal(shuffled.outcome, examples.outcome)
    bars = pl.DataFrame({"session": [operation.sessions[0]], **dict.fromkeys(("open", "high", "low", "close"), 1.0)})
    wild = poison_bars(bars.with_columns(volume=pl.lit(10)), pl.lit(True))
    assert wild["close"][0] in (1000.0, 0.001) and wild["volume"][0] == 10_000


@pytest.fixture
def lake(operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A copy of the operation's lake that commands find, with a small training."""
    copy_lake(operation.lake.path, tmp_path / "lake")
    lake = Lake.open(tmp_path / "lake")
    monkeypatch.setenv("NEXTGEN_LAKE", str(lake.path))
    (lake.path / "nextgen.toml").write_text(
        "[models]\nmin_sessions = 100\nmin_train_sessions = 60\ntest_sessions = 30\nmin_rows = 500\n"
        "[models.lstm]\nhidden = 4\nepochs = 1\nsessions = 3\nlocation_hidden = 4\nnetworks = 1\nlocation_epochs = 1\n"
        "[models.ridge]\npenalties = [0.1, 10.0]\nblocks = 3\n",
        encoding="utf-8",
    )
    return lake


@pytest.mark.slow
def test_the_command_tells_that_every_detector_is_clean(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["check", "leaks", "--draws", "1"]) == exit_codes.DONE
    told = capsys.readouterr()
    assert f"{len(DETECTORS)} detectors of {len(DETECTORS)} asked, 0 of them broken; 0 leaks found" in told.err
    assert told.out.count(" clean ") == len(DETECTORS)


def test_the_command_tells_and_its_status_follows(
    lake: Lake, operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    before = str(operation.runner.calendar.offset(operation.sessions[0], -1))
    for what, session in ("books", before), ("leaks", "1999-01-04"), ("determinism", "2019-07-04"):
        assert outcome(["check", what, "--session", session]) == exit_codes.USAGE
    told = " ".join(capsys.readouterr().err.split())
    assert f"there are no books of {before}; they go from {operation.sessions[0]} to " in told
    assert "the lake knows nothing of 1999-01-04; its sessions run from " in told
    (lake.path / "own.py").write_text(FEATURES, encoding="utf-8")
    with (lake.path / "nextgen.toml").open("a", encoding="utf-8") as file:
        file.write('[plugins]\nfiles = ["own.py"]\n')
    assert outcome(["check", "leaks", "--draws", "1", "--json"]) == exit_codes.DEGRADED
    told = json.loads(capsys.readouterr().out)
    assert {one["detector"]: one["state"] for one in told} == {
        **dict.fromkeys(OF_FACTS, "clean"), **dict.fromkeys(OF_FEATURES, "leak"),
        **dict.fromkeys(OF_TRAINING, "not checked"),
    }  # fmt: skip
