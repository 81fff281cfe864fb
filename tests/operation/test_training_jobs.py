"""A training in a lake: shown pass by pass, taken up after it was cut off, and the same when it is done twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from lake.errors import NoSuchError
from lake.runs import find_done_runs
from lake.store import Lake
from lake.tables.models import CERTIFICATES, MODEL_REGISTRY, TRAINING_PROGRESS, TRIALS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.control.operator.requests import Request
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.models.jobs.attendance import FOLDER
from pipeline.reading.foresight.refusals import foresee_refusal
from pipeline.reading.learning.trainings import read_trainings
from pipeline.reading.report.model_cards import read_model_card
from tests.copies import copy_lake
from tests.operation.conftest import Operation


@pytest.fixture
def copied(operation: Operation, tmp_path: Path) -> Iterator[Runner]:
    lake = Lake.open(copy_lake(operation.lake.path, tmp_path / "lake"))
    yield Runner(lake, operation.settings)


def passes(lake: Lake) -> int:
    return len(lake.read(TRAINING_PROGRESS))


def test_every_pass_of_a_training_is_in_the_lake_with_its_losses(operation: Operation) -> None:
    shown = read_trainings(operation.lake)[0]
    assert shown.session == operation.lake.read(MODEL_REGISTRY)["session"].max()
    assert not shown.unfinished
    assert not any((operation.lake.path / FOLDER).glob("*"))
    fits = ("fold 1 of 1", "final")
    assert set(shown.done) == {f"{fit}, {member}" for fit in fits for member in ("naive", "ridge", "lstm")}
    learned = {(one.fit, one.part) for one in shown.curves}
    networks = ("lstm spread", "lstm location 1", "lstm location 2")
    assert learned >= {(fit, part) for fit in fits[:1] for part in networks}
    for one in shown.curves:
        assert len(one.losses) <= one.most
        assert all(loss > 0 for loss in one.losses)
        assert all((loss is None) == (one.fit == "final") for loss in one.held)


def test_a_training_that_is_cut_off_is_taken_up_and_gives_the_same_model(
    copied: Runner, operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    session = operation.sessions[-1]
    whole = Runner(Lake.open(copy_lake(copied.lake.path, copied.lake.path.with_name("whole"))), copied.settings)
    before = passes(whole.lake)
    whole.train(session)
    told: list[str] = []

    def interrupt(what: str, _done: int, _total: int) -> None:
        told.append(what)
        if "fold 1 of 1, lstm location 1" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copied.train(session, interrupt)
    assert any(one.startswith("train: fold 1 of 1, ridge done") for one in told)
    assert read_trainings(copied.lake)[0].unfinished
    outcome(["status", "--lake", str(copied.lake.path)])
    assert f"training-{session:%Y%m%d}: under way, or cut off" in capsys.readouterr().out
    left = passes(copied.lake)
    copied.train(session)
    assert set(copied.lake.read(MODEL_REGISTRY)["model_id"]) == set(whole.lake.read(MODEL_REGISTRY)["model_id"])
    assert passes(copied.lake) - left < passes(whole.lake) - before, "what was done is not done again"
    assert not read_trainings(copied.lake)[0].unfinished


def write_settings(operation: Operation, path: Path) -> None:
    models = asdict(operation.settings.models)
    text = {name: models[name] for name in ("folds", "test_sessions", "min_train_sessions", "min_sessions", "min_rows")}
    nested = {
        f"lstm.{name}": models["lstm"][name]
        for name in ("hidden", "epochs", "sessions", "location_hidden", "networks", "location_epochs")
    } | {"ridge.blocks": models["ridge"]["blocks"], "ridge.penalties": list(models["ridge"]["penalties"])}
    lines = [f"{name} = {value}" for name, value in (text | nested).items()]
    (path / "nextgen.toml").write_text("[models]\n" + "\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_a_training_done_twice_is_certified(
    copied: Runner, operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, session = copied.lake, trained_at(operation)
    write_settings(operation, lake.path)
    told = ["check", "determinism", "--session", str(session), "--lake", str(lake.path), "--json"]
    assert outcome(told) == exit_codes.DONE
    rows = lake.read(CERTIFICATES)
    assert rows["member"].to_list() == ["lstm", "naive", "ridge"]
    assert rows["equal"].all()
    assert rows["first_sha256"].n_unique() == 3
    assert "torch" in json.loads(rows["libraries"][0])
    assert rows["cpu"].str.len_chars().min() > 10
    assert {row["member"] for row in json.loads(capsys.readouterr().out)} == set(rows["member"])


def test_what_cannot_be_trained_is_said_and_not_certified(
    copied: Runner, operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = copied.lake
    (lake.path / "nextgen.toml").write_text("[models]\nmin_sessions = 5000\n", encoding="utf-8")
    told = ["check", "determinism", "--session", str(operation.sessions[-1]), "--lake", str(lake.path)]
    assert outcome(told) != exit_codes.DONE
    assert "not enough labelled history" in capsys.readouterr().err
    assert lake.read(CERTIFICATES).is_empty()


def test_curves_and_card_are_told_on_the_command_line(operation: Operation, capsys: pytest.CaptureFixture[str]) -> None:
    lake = str(operation.lake.path)
    assert outcome(["model", "curves", "--lake", lake]) == exit_codes.DONE
    assert "lstm location 2" in capsys.readouterr().out
    assert outcome(["model", "card", "--lake", lake]) == exit_codes.DONE
    told = capsys.readouterr().out
    card = read_model_card(operation.lake)
    assert card is not None
    for word in (card.model_id, "Limits", "Trials", "95 % interval", card.reason[:40]):
        assert word in told
    assert outcome(["model", "card", "m-20000101-00000000", "--lake", lake]) != exit_codes.DONE
    assert card.model_id in capsys.readouterr().err


def test_a_model_that_never_decided_has_a_card_too(operation: Operation) -> None:
    registry = operation.lake.read(MODEL_REGISTRY)
    champion = read_model_card(operation.lake)
    assert champion is not None and champion.decided is not None
    for model_id in registry["model_id"].unique():
        card = read_model_card(operation.lake, model_id)
        assert card is not None and card.model_id == model_id
        assert card.figures and card.members and card.limits
    with pytest.raises(NoSuchError, match="no model 'nobody' is registered"):
        read_model_card(operation.lake, "nobody")


def trained_at(operation: Operation) -> date:
    newest = operation.lake.read(MODEL_REGISTRY).sort("session")["session"][-1]
    assert isinstance(newest, date)
    return newest


def test_a_cycles_training_names_its_work(operation: Operation) -> None:
    rows = operation.lake.read(TRAINING_PROGRESS)
    assert set(rows["cycle_id"]) <= {f"cycle-{day:%Y%m%d}" for day in operation.sessions}
    assert rows.filter(pl.col("held_loss").is_not_null())["best"].any()


def test_a_search_of_nothing_is_refused_before_anything_begins(
    operation: Operation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = ["--lake", str(operation.lake.path)]
    assert outcome(["train", "--search", *lake]) == exit_codes.USAGE
    assert "models.search_space is empty" in capsys.readouterr().err
    assert outcome(["train", "--search", "--target", "ticker=A", *lake]) == exit_codes.USAGE
    copied = Lake.open(copy_lake(operation.lake.path, tmp_path / "lake"))
    settings = '[models]\nsearch_space = ["lstm.hidden=0"]\n'
    (copied.path / "nextgen.toml").write_text(settings, encoding="utf-8")
    assert outcome(["train", "--search", "--lake", str(copied.path)]) == exit_codes.USAGE
    assert "lstm.hidden=0: " in capsys.readouterr().err


def test_a_training_that_differs_on_another_kind_of_processor_says_so(operation: Operation) -> None:
    run = next(one for one in find_done_runs(operation.lake) if one.recipe.stage == "train")
    assert reproduce(operation.runner, run).identical
    other = replace(run, fingerprint="0" * 64)
    assert "a network's last bits" not in reproduce(operation.runner, other).difference
    libraries = {**run.recipe.libraries, "machine": "Linux x86_64 AVX512_SKX"}
    verdict = reproduce(operation.runner, replace(other, recipe=replace(run.recipe, libraries=libraries)))
    assert "trained on Linux x86_64 AVX512_SKX, this is Linux" in verdict.difference
    assert any(one.startswith("machine Linux x86_64 AVX512_SKX -> ") for one in verdict.changed_since)


@pytest.mark.slow
def test_a_search_is_recorded_with_its_run_and_comes_out_the_same(copied: Runner, operation: Operation) -> None:
    space = ("lstm.location_rate=0.001,0.01",)
    models = replace(copied.settings.models, search_space=space, search_points=3)
    runner = Runner(copied.lake, replace(copied.settings, models=models))
    session = runner.calendar.next(operation.sessions[-1])
    runner.cycle(session)
    runs = runner.train(session, search=True)
    assert runs[0].recipe.params["search"] is True
    assert reproduce(runner, runs[0]).identical
    rows = copied.lake.read(TRIALS, since=session).filter(pl.col("settings").is_not_null())
    assert len(rows) == 3
    assert not any((copied.lake.path / FOLDER).glob("*"))


def test_a_session_is_trained_once_and_what_was_lacking_is_told(
    copied: Runner, operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, session = copied.lake, trained_at(operation)
    before = lake.published_versions()
    asked = ["train", "--session", str(session), "--lake", str(lake.path)]
    for how in ([], ["--search"], ["--dry-run"]):
        (lake.path / "nextgen.toml").write_text('[models]\nsearch_space = ["lstm.dropout=0,0.2"]\n', "utf-8")
        assert outcome([*asked, *how]) == exit_codes.DONE
        told = " ".join(capsys.readouterr().out.split())
        assert f"{session} was trained already, and is left alone" in told
        assert lake.read(MODEL_REGISTRY)["model_id"][-1] in told
    assert copied.train(session) == []
    assert lake.published_versions() == before
    asked_for = Request(
        request_id="again", requested_at=datetime.now(UTC), origin="cli", action="train", session=session
    )
    assert foresee_refusal(lake, asked_for) == f"{session} was trained already, and is left alone"
    (lake.path / "nextgen.toml").write_text("[models]\nmin_sessions = 5000\n", encoding="utf-8")
    assert outcome(["train", "--lake", str(lake.path)]) == exit_codes.DONE
    assert "models.min_sessions is 5000" in " ".join(capsys.readouterr().out.split())
