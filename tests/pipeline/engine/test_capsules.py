"""A run that fails leaves a file that fails in the same way elsewhere, and no capsule does harm."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lake.runs import Run, find_done_runs
from pipeline.config.settings import PluginParams
from pipeline.engine.capsules import write_capsule as module
from pipeline.engine.capsules.capsule_plugins import CapsuleError
from pipeline.engine.capsules.replay_capsule import read_capsule, replay_capsule
from pipeline.engine.capsules.write_capsule import FRAMES, KEPT, MAX_BYTES, list_capsules, write_capsule
from pipeline.engine.failures import StageFailedError
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage

ERROR = ValueError("it failed")
BROKEN = """
from pipeline.features.feature import Feature
from pipeline.features.trailing_window import View

def broken(view: View):
    if view.session.year >= 2019 and len(view.has_row) > 3:
        raise ZeroDivisionError("nothing to divide by")
    return view.close(1)[0] / view.close(2)[1]

FEATURES = (Feature("broken", "trend", "ratio", "C over C before", 1, broken),)
"""


def run_of(runner: Runner, stage: str) -> Run:
    return next(run for run in reversed(find_done_runs(runner.lake)) if run.recipe.stage == stage)


def capsule_of(runner: Runner, stage: str, error: Exception = ERROR, **changed: pl.DataFrame) -> Path:
    """A capsule of a recorded run, some of its frames changed."""
    run = run_of(runner, stage)
    frames, _ = runner.executor.read_inputs(find_stage(stage), run.recipe)
    return write_capsule(runner.lake.path, run, error, {**frames, **changed}, {}, runner.settings)


@pytest.mark.parametrize("stage", ["strategy", "features", "ledger", "metrics"])
def test_a_stage_gives_elsewhere_what_it_gave(runner: Runner, stage: str) -> None:
    again = replay_capsule(read_capsule(capsule_of(runner, stage)))
    assert (again.again, again.rows) == ("", run_of(runner, stage).rows)


def test_what_failed_fails_in_the_same_way_elsewhere(runner: Runner) -> None:
    run = run_of(runner, "features")
    frames, _ = runner.executor.read_inputs(find_stage("features"), run.recipe)
    sunday = pl.when(pl.col("session") == pl.col("session").max()).then(pl.lit(run.recipe.session).dt.offset_by("-2d"))
    spoilt = frames["market_prices"].with_columns(session=sunday.otherwise("session"))
    first = replay_capsule(read_capsule(capsule_of(runner, "features", market_prices=spoilt)))
    assert first.again
    known = type("ValueError", (ValueError,), {})(first.again.removeprefix("ValueError: "))
    path = capsule_of(runner, "features", known, market_prices=spoilt)
    assert replay_capsule(read_capsule(path)).is_same


def test_a_run_that_fails_leaves_its_capsule_with_traceback_and_settings(runner: Runner) -> None:
    (runner.lake.path / "broken.py").write_text(BROKEN, encoding="utf-8")
    settings = replace(runner.settings, plugins=PluginParams(files=("broken.py",)))
    with pytest.raises(StageFailedError) as caught:
        Runner(runner.lake, settings).run_stage(find_stage("features"), run_of(runner, "features").recipe.session)
    (path,) = list_capsules(runner.lake.path)
    assert caught.value.capsule == path
    assert path.stat().st_size <= MAX_BYTES
    assert path.stat().st_mode & 0o077 == 0
    held = read_capsule(path)
    assert "nothing to divide by" in held.error
    assert "ZeroDivisionError" in held.trace
    assert held.settings == settings


def rewrite(path: Path, change: dict[str, bytes | None]) -> Path:
    """The capsule with other content under some names; None leaves it out."""
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()} | change
    other = path.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as file:
        for name, told in content.items():
            if told is not None:
                file.writestr(name, told)
    return other


def test_a_capsule_of_another_version_is_refused_in_words(runner: Runner) -> None:
    path = capsule_of(runner, "strategy")
    with zipfile.ZipFile(path) as file:
        content = json.loads(file.read("capsule.json"))
    for name in ("version", "format"):
        other = rewrite(path, {"capsule.json": json.dumps(content | {name: 99}).encode()})
        with pytest.raises(CapsuleError, match="made by another version"):
            read_capsule(other)


def test_what_is_no_capsule_or_lacks_something_is_refused_in_words(runner: Runner, tmp_path: Path) -> None:
    path = capsule_of(runner, "strategy")
    text = tmp_path / "text.zip"
    text.write_text("no archive", encoding="utf-8")
    bars = f"{FRAMES}market_prices.parquet"
    narrow, empty = tmp_path / "narrow.parquet", rewrite(path, {"capsule.json": b"{}"})
    pl.DataFrame({"ticker": ["AAA"]}).write_parquet(narrow)
    for other, words in (
        (text, "no capsule that can be read"),
        (empty, "no capsule that can be read"),
        (rewrite(path, {"nextgen.toml": b"[trading]\nhorizn = 1\n"}), "no capsule that can be read"),
    ):
        with pytest.raises(CapsuleError, match=words):
            read_capsule(other)
    with pytest.raises(CapsuleError, match="lacks the column"):
        read_capsule(rewrite(path, {bars: narrow.read_bytes()}))
    with pytest.raises(CapsuleError, match="could not be read then"):
        replay_capsule(read_capsule(rewrite(path, {bars: None})))


def test_an_answer_from_outside_is_not_asked_again(runner: Runner) -> None:
    with pytest.raises(CapsuleError, match="asks the world"):
        replay_capsule(read_capsule(capsule_of(runner, "land_prices")))


def test_frames_that_do_not_fit_are_left_out_and_named(runner: Runner) -> None:
    run = run_of(runner, "strategy")
    frames, _ = runner.executor.read_inputs(find_stage("strategy"), run.recipe)
    noise = np.random.default_rng(0).standard_normal(1_000_000)
    wide = pl.DataFrame({**{name: [None] * len(noise) for name in frames["market_prices"].columns}, "close": noise})
    path = write_capsule(runner.lake.path, run, ERROR, {**frames, "market_prices": wide}, {}, runner.settings)
    assert path.stat().st_size <= MAX_BYTES
    held = read_capsule(path)
    assert held.missing == ("market_prices",)
    with pytest.raises(CapsuleError, match="market_prices did not fit into it"):
        replay_capsule(held)


def test_the_newest_capsules_are_kept_and_the_log_comes_along(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = runner.lake.path / "control" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "daemon.log").write_text("what it said last\n", encoding="utf-8")
    monkeypatch.setattr(module, "KEPT", 3)
    run = run_of(runner, "strategy")
    for attempt in range(5):
        again = replace(run, recipe=replace(run.recipe, attempt=attempt))
        path = write_capsule(runner.lake.path, again, ERROR, {}, {}, runner.settings)
        os.utime(path, (attempt, attempt))
    assert KEPT >= 3
    assert len(list_capsules(runner.lake.path)) == 3
    with zipfile.ZipFile(path) as file:
        assert file.read("log.txt") == b"what it said last\n"
