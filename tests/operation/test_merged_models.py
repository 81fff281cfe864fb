"""What was trained on a branch forecasts in the lake after a merge, to the bit, whatever becomes of the branch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from lake import publication
from lake.branches.branch import Branch, create_branch, discard_branch, find_branch
from lake.fingerprint import fingerprint
from lake.publication import find_unpublished
from lake.runs import find_done_runs
from lake.storage import writer
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import MODEL_CHOICES, RUNS, WorkKind
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, TRAINING_ATTEMPTS, TRIALS
from lake.tables.predictions import PREDICTIONS
from lake.tables.research import BRANCH_MERGES, MERGED_MODELS, MERGED_TRIALS
from lake.tables.trading import MANDATES
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import vacuum
from nextgen_tui.research.branch_view import show_merge
from pipeline.config.loading import load
from pipeline.config.resolving import values_of
from pipeline.config.settings import PluginParams, ResearchParams, Settings
from pipeline.config.toml_document import toml_document, write_document
from pipeline.control.operator.decisions import promote
from pipeline.control.operator.mandates import set_mandate
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.models.params import RidgeParams
from pipeline.reading.doctor.lake_state import look_at_lake
from pipeline.reading.health_verdict import judge_health
from pipeline.reading.report.model_cards import read_model_card
from pipeline.research import ResearchError
from pipeline.research.merging import merge_branch as carrying_out
from pipeline.research.merging.branch_models import WantedModels, refuse_unfit
from pipeline.research.merging.merge_branch import merge_branch
from pipeline.research.merging.plan_merge import Merge, plan_merge
from pipeline.research.variants.variant_branch import make_variant
from pipeline.research.variants.variant_replay import VariantReplay
from tests.copies import copy_lake
from tests.operation.conftest import Operation

NAME = "taught"
KEPT = WantedModels(keeps_champion=True)


@dataclass(frozen=True)
class Taught:
    """The small operation with a branch that trained two models under settings and a mandate of its own."""

    path: Path
    first: str
    """The model that was tried and left."""
    champion: str
    """The one that was promoted there."""


@pytest.fixture(scope="module")
def taught(operation: Operation, tmp_path_factory: pytest.TempPathFactory) -> Taught:
    path = copy_lake(operation.lake.path, tmp_path_factory.mktemp("taught") / "lake")
    configure(path, operation.settings)
    lake = Lake.open(path)
    branch = create_branch(lake, NAME, reason="to train otherwise")
    models = []
    for penalties in ((1.0, 100.0), (0.5, 50.0)):
        ridge = RidgeParams(penalties=penalties, blocks=3)
        settings = replace(operation.settings, models=replace(operation.settings.models, ridge=ridge))
        configure(branch.path, settings)
        there = Lake.open(branch.path)
        before = set(there.read(MODEL_REGISTRY)["model_id"])
        Runner(there, settings).train(operation.sessions[-1 if models else -2])
        models += sorted(set(there.read(MODEL_REGISTRY)["model_id"]) - before)
    runner = Runner(there, settings)
    promote(runner, models[1], "the better of the two", "cli")
    set_mandate(runner, {"active_risk": "0.03"}, "less risk", "cli")
    return Taught(path, *models)


@pytest.fixture
def lake(taught: Taught, tmp_path: Path) -> Iterator[Lake]:
    yield Lake.open(copy_lake(taught.path, tmp_path / "lake"))


def configure(path: Path, settings: Settings) -> None:
    write_document(path, toml_document((key, value) for key, value in values_of(settings) if value is not None))


def runner_of(lake: Lake) -> Runner:
    return Runner(lake, load(lake.path, {}).settings)


def branch_of(lake: Lake) -> tuple[Branch, Lake]:
    branch = find_branch(lake.path, NAME)
    return branch, Lake.open(branch.path)


def next_cycle(lake: Lake, operation: Operation) -> None:
    runner = runner_of(lake)
    runner.cycle(runner.calendar.next(operation.sessions[-1]))


def content(lake: Lake) -> dict[str, str]:
    """A hash of the content of each table of the operation, ids of merges apart."""
    named = {MODEL_REGISTRY.name: ["merge_id"]}
    return {
        name: fingerprint(
            lake.read(table), table.key, [one for one in table.content_columns if one not in named.get(name, ())]
        )
        for name, table in TABLES.items()
        if table.published_by_run and table is not RUNS
    }


def test_what_a_branch_trained_forecasts_in_the_lake_to_the_bit_when_the_branch_is_gone(
    lake: Lake, taught: Taught, operation: Operation
) -> None:
    before, history = find_done_runs(lake), lake.read(MODEL_PROMOTIONS)
    _, there = branch_of(lake)
    trained = there.read(MODEL_REGISTRY, where=pl.col("model_id") == taught.champion).drop("run_id", "merge_id")
    merge = merge_branch(runner_of(lake), NAME, "it forecasts better")
    assert (merge.models.champion, merge.models.names) == (taught.champion, sorted([taught.first, taught.champion]))
    assert merge.writes["model_registry"] == lake.rows(MERGED_MODELS) and merge.writes["trials"] == 6
    with (screen := Console(width=200)).capture() as shown:
        screen.print(show_merge(merge, done=True))
    assert f"model {taught.champion}" in shown.get() and "to be champion" in shown.get()
    discard_branch(lake.path, NAME)
    assert find_done_runs(lake)[: len(before)] == before and lake.read(MODEL_PROMOTIONS).equals(history)
    next_cycle(lake, operation)
    vacuum(lake)
    assert scrub(lake).findings == ()
    mine = lake.read(MODEL_REGISTRY, where=pl.col("model_id") == taught.champion)
    assert mine.drop("run_id", "merge_id").equals(trained)
    session = lake.read(PREDICTIONS)["session"].max()
    made = lake.read(PREDICTIONS, where=pl.col("session") == session)
    decides = made.filter(pl.col("role") == "champion")["model_id"].unique().to_list()
    assert decides == [taught.champion]
    runner = Runner(Lake.open(lake.path), runner_of(lake).settings)
    later = [run for run in find_done_runs(lake) if run not in before]
    verdicts = {run.run_id: reproduce(runner, run) for run in later}
    assert [one.difference for one in verdicts.values() if not one.identical] == []
    assert {run.recipe.stage for run in later} >= {"merge_models", "merge_trials", "promote", "predict", "plan"}


def test_the_registry_tells_which_merge_a_model_came_by_and_that_how_it_was_made(
    lake: Lake, taught: Taught, operation: Operation
) -> None:
    branch, there = branch_of(lake)
    merge_branch(runner_of(lake), NAME, "it forecasts better")
    decision = lake.read(BRANCH_MERGES).row(0, named=True)
    assert (decision["champion"], decision["session"], decision["left_after"]) == (
        taught.champion,
        operation.sessions[-1],
        operation.sessions[-1],
    )
    assert json.loads(decision["fork_versions"]) == branch.versions
    assert json.loads(decision["branch_versions"])["model_registry"] == there.version(MODEL_REGISTRY)
    came = lake.read(MODEL_REGISTRY).filter(pl.col("merge_id").is_not_null())
    assert came["merge_id"].unique().to_list() == [decision["merge_id"]]
    told = lake.read(MERGED_MODELS)
    assert set(told["model_id"]) == {taught.first, taught.champion}
    for run_id, recipe in told.select("trained_by", "recipe").iter_rows():
        run = there.read(RUNS, where=pl.col("run_id") == run_id).row(0, named=True)
        assert json.loads(recipe)["inputs"] == run["inputs"] and json.loads(recipe)["stage"] == "train"
    card = read_model_card(lake, taught.champion)
    assert card is not None and dict(card.data)["brought over"].startswith("from the branch taught, where train-")
    (choice,) = lake.read(MODEL_CHOICES).to_dicts()
    assert (choice["choice_id"], choice["model_id"]) == (decision["merge_id"], taught.champion)
    assert choice["reason"] == "merged from the branch taught: it forecasts better"


def test_all_that_was_tried_on_the_branch_counts_in_the_lake(lake: Lake, taught: Taught) -> None:
    _, there = branch_of(lake)
    merge_branch(runner_of(lake), NAME, "why")
    assert lake.read(TRIALS).drop("run_id").equals(there.read(TRIALS).drop("run_id"))
    assert set(lake.read(TRIALS)["model_id"]) >= {taught.first, taught.champion}


def test_a_merge_is_done_once_and_brings_later_what_was_trained_later(lake: Lake, operation: Operation) -> None:
    merge_branch(runner_of(lake), NAME, "why")
    assert plan_merge(lake, NAME).is_empty
    with pytest.raises(ResearchError, match="there is nothing to merge"):
        merge_branch(runner_of(lake), NAME, "again")
    _, there = branch_of(lake)
    runner_of(there).train(operation.sessions[-3])
    merge = merge_branch(runner_of(lake), NAME, "one more", wanted=KEPT)
    assert (len(merge.models.names), merge.models.champion) == (1, None)
    assert lake.read(BRANCH_MERGES).sort("merged_at")["reason"].to_list() == ["why", "one more"]


def test_a_training_by_hand_beside_merged_models_is_recorded_and_judged_for_itself(
    lake: Lake, taught: Taught, operation: Operation
) -> None:
    merge_branch(runner_of(lake), NAME, "why", wanted=KEPT)
    counted, judged = lake.read(TRIALS), lake.read(MODEL_PROMOTIONS)
    settings = load(lake.path, {}).settings
    ridge = RidgeParams(penalties=(0.7, 70.0), blocks=3)
    Runner(lake, replace(settings, models=replace(settings.models, ridge=ridge))).train(operation.sessions[-1])
    own = lake.read(MODEL_REGISTRY).filter(pl.col("session") == operation.sessions[-1], pl.col("merge_id").is_null())
    (model,) = own["model_id"].unique()
    attempt = lake.read(TRAINING_ATTEMPTS).filter(pl.col("session") == operation.sessions[-1])
    assert attempt["model_id"].to_list() == [model]
    assert set(lake.read(TRIALS).join(counted, on=TRIALS.key, how="anti")["model_id"]) == {model}
    assert set(lake.read(MODEL_PROMOTIONS)["model_id"]) - set(judged["model_id"]) == {model}


def test_a_training_that_gives_a_merged_model_once_more_registers_nothing_new(
    lake: Lake, taught: Taught, operation: Operation
) -> None:
    merge_branch(runner_of(lake), NAME, "why", wanted=KEPT)
    before = lake.read(MODEL_REGISTRY)
    runner_of(lake).train(operation.sessions[-1])
    assert lake.read(MODEL_REGISTRY).equals(before)
    assert taught.champion in set(before["model_id"])


def test_a_variant_of_sessions_with_a_merge_is_the_same(lake: Lake, operation: Operation) -> None:
    merge_branch(runner_of(lake), NAME, "why")
    next_cycle(lake, operation)
    last = lake.read(PREDICTIONS)["session"].max()
    assert isinstance(last, date)
    settings = load(lake.path, {}).settings
    branch = make_variant(lake, "same", operation.sessions[-1], last, {}, "")
    done = list(VariantReplay(Lake.open(branch.path), lake, settings).run(last))
    assert [one.computed for one in done] == [0] * len(done)
    assert content(Lake.open(branch.path)) == content(lake)


# ---- what is refused


def rename_champion(lake: Lake, taught: Taught, operation: Operation) -> None:
    """The lake trains a model of its own and makes it champion."""
    runner = runner_of(lake)
    runner.train(operation.sessions[-1])
    (own,) = set(lake.read(MODEL_REGISTRY).filter(pl.col("session") == operation.sessions[-1])["model_id"])
    promote(runner, own, "the lake's own", "cli")


def run_ahead(lake: Lake, taught: Taught, operation: Operation) -> None:
    _, there = branch_of(lake)
    next_cycle(there, operation)
    runner = runner_of(there)
    runner.train(runner.calendar.next(operation.sessions[-1]))


def leave_half(lake: Lake, taught: Taught, operation: Operation) -> None:
    """A training on the branch is cut off before its publication."""
    _, there = branch_of(lake)
    runner = runner_of(there)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runner, "_publish", crash)
        runner.train(operation.sessions[-4])
    assert find_unpublished(Lake.open(there.path))


def crash(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(rename_champion, "was not compared with it", marks=pytest.mark.slow),
        (run_ahead, "knows what has not happened there yet"),
        (leave_half, "holds half of a piece of work"),
    ],
)
def test_a_lake_that_moved_or_a_branch_that_knows_more_is_refused_in_words(
    lake: Lake, taught: Taught, operation: Operation, change: Callable[..., None], told: str
) -> None:
    change(lake, taught, operation)
    registered = lake.read(MODEL_REGISTRY)
    with pytest.raises(ResearchError, match=told):
        merge_branch(runner_of(lake), NAME, "why")
    assert lake.read(BRANCH_MERGES).is_empty() and lake.read(MODEL_REGISTRY).equals(registered)


def test_where_the_champion_moved_models_come_as_challengers(lake: Lake, taught: Taught, operation: Operation) -> None:
    rename_champion(lake, taught, operation)
    with pytest.raises(ResearchError, match="was not compared with it"):
        merge_branch(runner_of(lake), NAME, "why")
    merge = merge_branch(runner_of(lake), NAME, "to be seen", wanted=KEPT)
    assert merge.models.champion is None and lake.read(MODEL_CHOICES).height == 1
    assert {taught.first, taught.champion} <= set(lake.read(MODEL_REGISTRY)["model_id"])


def test_a_model_has_to_be_named_where_none_was_promoted_and_has_to_be_of_the_branch(
    lake: Lake, taught: Taught, operation: Operation
) -> None:
    before = lake.read(MODEL_REGISTRY)["model_id"][0]
    branch = create_branch(lake, "other")
    runner_of(Lake.open(branch.path)).train(operation.sessions[-3])
    with pytest.raises(ResearchError, match="none of them is champion there; name the one"):
        plan_merge(lake, "other")
    with pytest.raises(ResearchError, match=f"{before} was not trained on the branch other; it is the lake's own"):
        plan_merge(lake, "other", WantedModels(named=before))
    with pytest.raises(ResearchError, match="nothing was not trained on the branch other; choose from m-"):
        plan_merge(lake, "other", WantedModels(named="nothing"))
    assert plan_merge(lake, NAME, WantedModels(named=taught.first)).models.champion == taught.first


def test_what_was_trained_beyond_what_the_lake_puts_aside_stays_where_it_is(lake: Lake, operation: Operation) -> None:
    settings = load(lake.path, {}).settings
    aside = replace(settings, research=ResearchParams(holdout=str(operation.sessions[-3])))
    configure(lake.path, aside)
    for name, theirs, sealed in (("lifted", settings, False), ("held", aside, True)):
        branch = create_branch(lake, name)
        configure(branch.path, theirs)
        runner_of(Lake.open(branch.path)).train(operation.sessions[-2])
        if sealed:
            assert len(plan_merge(lake, name, KEPT).models.names) == 1
        else:
            with pytest.raises(ResearchError, match=f"where sessions from {operation.sessions[-3]} on could be seen"):
                plan_merge(lake, name, KEPT)


def test_weights_that_were_altered_are_not_brought_over(lake: Lake) -> None:
    models = plan_merge(lake, NAME).models
    altered = models.registry.with_columns(weights=pl.lit(b"something else"))
    with pytest.raises(ResearchError, match="are not those that were registered"):
        refuse_unfit(lake, replace(models, registry=altered), load(lake.path, {}).settings)


MEMBER = Path("docs/examples/alpha_plugin.py").read_text(encoding="utf-8").partition("FEATURES = (")[0]


def test_what_rests_on_a_plugin_that_the_lake_lacks_is_refused_until_it_is_there(
    lake: Lake, operation: Operation
) -> None:
    branch = create_branch(lake, "other")
    own = branch.path / "reversal.py"
    own.write_text(f"{MEMBER}MEMBERS = (Reversal(),)\n", encoding="utf-8")
    configure(branch.path, replace(load(lake.path, {}).settings, plugins=PluginParams(files=("reversal.py",))))
    runner_of(Lake.open(branch.path)).train(operation.sessions[-3])
    (model,) = set(Lake.open(branch.path).read(MODEL_REGISTRY)["model_id"]) - set(lake.read(MODEL_REGISTRY)["model_id"])
    wanted = WantedModels(named=model)
    with pytest.raises(ResearchError, match=r"ran with the plugin reversal.py \(SHA-256 .*, and the lake has none"):
        plan_merge(lake, "other", wanted)
    (lake.path / "reversal.py").write_text("MEMBERS = ()\n", encoding="utf-8")
    with pytest.raises(ResearchError, match="and the lake has another one"):
        plan_merge(lake, "other", wanted)
    shutil.copy(own, lake.path / "reversal.py")
    merge = merge_branch(runner_of(lake), "other", "why", wanted=wanted)
    assert [(one.name, one.is_same) for one in (*merge.plugins, *merge.stages)] == [
        ("reversal.py", True),
        ("stage train", True),
    ]
    assert lake.read(MODEL_CHOICES)["model_id"].to_list() == [model]


# ---- crashes


class CutOff:
    """Ends everything at one of the steps by which a merge becomes what it is: before it, or just after."""

    def __init__(self, step: int, *, after: bool) -> None:
        self.left, self.after = step, after

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def calls(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self.after:
                raise KeyboardInterrupt
            done = call(*arguments, **named)
            if self.left == 0:
                raise KeyboardInterrupt
            return done

        return calls


STEPS = 10
"""Commits of the decision, what is brought (2), registry, ledger, runs; the pointer, settings, mandate, choice."""


def cut(lake: Lake, step: int, *, after: bool) -> None:
    """Merge the branch as far as a step."""
    cutting = CutOff(step, after=after)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(writer.Writer, "commit", cutting.around(writer.Writer.commit))
        patch.setattr(publication, "write_pointer", cutting.around(publication.write_pointer))
        patch.setattr(carrying_out, "write_document", cutting.around(carrying_out.write_document))
        merge_branch(runner_of(lake), NAME, "why")


def finish(lake: Lake) -> Merge | None:
    """The same call again; None where nothing was lacking."""
    try:
        return merge_branch(runner_of(lake), NAME, "once more")
    except ResearchError as error:
        assert "there is nothing to merge" in str(error)
        return None


def is_merged(lake: Lake, taught: Taught, reason: str = "why") -> None:
    """All of the merge is there, and once."""
    (decision,) = lake.read(BRANCH_MERGES).to_dicts()
    (choice,) = lake.read(MODEL_CHOICES).to_dicts()
    assert (decision["reason"], choice["choice_id"]) == (reason, decision["merge_id"])
    assert choice["model_id"] == taught.champion
    assert lake.read(MANDATES)["active_risk"].to_list() == [0.03]
    assert load(lake.path, {}).settings.models.ridge.penalties == (0.5, 50.0)
    assert lake.read(MERGED_MODELS)["model_id"].n_unique() == 2
    assert lake.read(MERGED_TRIALS).height > 2
    assert [run.recipe.work for run in find_done_runs(lake, decision["merge_id"])] == [WorkKind.MERGE] * 2


@pytest.mark.parametrize(
    ("step", "after"),
    [
        pytest.param(step, after, marks=() if (step, after) == (4, True) else pytest.mark.slow)
        for step in range(1, STEPS + 1)
        for after in (False, True)
    ],
)
def test_a_merge_that_was_cut_off_shows_no_half_and_is_ended_by_the_same_call(
    lake: Lake, taught: Taught, step: int, after: bool
) -> None:
    before = content(lake)
    whole = Lake.open(copy_lake(lake.path, lake.path.with_name("whole")))
    merge_branch(runner_of(whole), NAME, "why")
    cut(lake, step, after=after)
    now = content(Lake.open(lake.path))
    assert now in (before, content(whole)), "models and what was tried are there together or not at all"
    told = [one.what for one in look_at_lake(lake, judge_health(lake), frozenset(TABLES)) if "was cut off" in one.what]
    begun, done = step > 1 or after, (step, after) == (STEPS, True)
    assert len(told) == (begun and not done)
    finish(Lake.open(lake.path))
    left = Lake.open(lake.path)
    assert content(left) == content(whole)
    is_merged(left, taught, "why" if begun else "once more")
    assert plan_merge(left, NAME).is_empty and find_unpublished(left) == []


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_cycles_go_on_after_a_merge_that_was_cut_off_and_it_is_ended_later(
    lake: Lake, taught: Taught, operation: Operation, step: int
) -> None:
    cut(lake, step, after=True)
    next_cycle(Lake.open(lake.path), operation)
    finish(Lake.open(lake.path))
    left = Lake.open(lake.path)
    is_merged(left, taught)
    runner = runner_of(left)
    runner.cycle(runner.calendar.offset(operation.sessions[-1], 2))
    last = left.read(PREDICTIONS).filter(pl.col("session") == pl.col("session").max(), pl.col("role") == "champion")
    assert last["model_id"].unique().to_list() == [taught.champion]
    verdicts = [reproduce(runner, run) for run in find_done_runs(left) if run.recipe.session > operation.sessions[-1]]
    assert all(one.identical for one in verdicts)


def test_a_sweep_of_crashes_leaves_out_no_step(lake: Lake) -> None:
    counting = CutOff(0, after=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer.Writer, "commit", counting.around(writer.Writer.commit))
        patch.setattr(publication, "write_pointer", counting.around(publication.write_pointer))
        patch.setattr(carrying_out, "write_document", counting.around(carrying_out.write_document))
        merge_branch(runner_of(lake), NAME, "why")
    assert -counting.left == STEPS
