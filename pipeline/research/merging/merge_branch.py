"""Carries out a merge: the decision goes on record first, then each part of it, so that a crash leaves no half."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lake.contract import RUN_ID
from lake.runs import last_session
from lake.store import Lake
from lake.tables.models import MODEL_PROMOTIONS
from lake.tables.research import BRANCH_MERGES, MERGED_MODELS, MERGED_TRIALS
from pipeline.config.loading import load
from pipeline.config.resolving import DEFAULT, values_of
from pipeline.config.toml_document import toml_document, write_document
from pipeline.control.operator.decisions import promote, read_market_time
from pipeline.control.operator.mandates import MAX_REASON, set_mandate
from pipeline.control.operator.trading_switches import who_decides
from pipeline.research import ResearchError
from pipeline.research.merging.branch_models import WantedModels
from pipeline.research.merging.plan_merge import Merge, plan_merge
from pipeline.research.recording import record

if TYPE_CHECKING:  # a runner is handed in: who only asks or previews loads no stages
    from pipeline.engine.runner import Runner


@dataclass(frozen=True, kw_only=True)
class MergeDecision:
    """The decision that a merge is carried out by."""

    merge_id: str
    session: date | None
    at: datetime
    words: str
    """Where it came from and why."""


def merge_branch(
    runner: Runner, name: str, reason: str, now: datetime | None = None, wanted: WantedModels | None = None
) -> Merge:
    """Make what a branch decided, trained and tried the lake's own, and record that it was done and why.

    Cut off anywhere, each part of it is there whole or not at all, cycles go on, and the same call brings what lacks.

    Args:
        runner: of the lake.
        name: the branch.
        reason: why, for the record.
        now: the wall clock; the computer's where None.
        wanted: what is wanted of its models; its own champion where None.

    Raises:
        ResearchError: if there is nothing to bring, no reason is given, or what `plan_merge` raises.
        DecisionError: if the mandate cannot be set.
        BusyError: if models come along and somebody else writes to the lake.
    """
    merge = plan_merge(runner.lake, name, wanted)
    if merge.is_empty:
        raise ResearchError(f"the lake has the settings, mandate and models of {name}; there is nothing to merge")
    if not reason.strip():
        raise ResearchError("say why it is merged; it is recorded with what it changes")
    if len(words := _write_words(name, reason)) > MAX_REASON:  # the mandate has them too, after settings are written
        raise ResearchError(f"say why it is merged in {len(words) - MAX_REASON:,} characters less; it is recorded")
    if not merge.models.comes_along:
        return _carry_out(runner, merge, reason, now or datetime.now(UTC))
    with runner.lake.lock(f"merge of the branch {name}"):
        runner.recover()
        return _carry_out(runner, plan_merge(runner.lake, name, wanted), reason, now or datetime.now(UTC))


# ---- inner workings


def _carry_out(runner: Runner, merge: Merge, reason: str, now: datetime) -> Merge:
    """Models are there before settings, and both before the choice of who forecasts, which rests on them."""
    from pipeline.engine import work

    lake, branch = runner.lake, merge.branch
    decided = _decide(runner, merge, reason, now)
    if merge.models.comes_along:
        assert decided.session is not None, "a lake with models has history"
        record(lake, MERGED_MODELS, decided.merge_id, _describe_models(merge, decided))
        trials = [row | _stamp(merge, decided) for row in merge.models.trials.iter_rows(named=True)]
        record(lake, MERGED_TRIALS, decided.merge_id, trials)
        runner.bring_over(work.merge(decided.merge_id, decided.session, decided.at))
    if merge.settings:
        loaded = load(branch.path, {})
        values = [(key, value) for key, value in values_of(loaded.settings) if loaded.origins[key] != DEFAULT]
        write_document(lake.path, toml_document(values))
    if merge.mandate:
        set_mandate(runner, merge.mandate, decided.words, "cli", mandate_id=decided.merge_id)
    if merge.models.champion:
        promote(_under_todays(runner), merge.models.champion, decided.words, "cli", decided.merge_id, now)
    return merge


def _under_todays(runner: Runner) -> Runner:
    """A runner of the lake under the settings that it has by now."""
    return type(runner)(runner.lake, load(runner.lake.path, os.environ).settings)


def _write_words(name: str, reason: str) -> str:
    return f"merged from the branch {name}: {reason}"


def _decide(runner: Runner, merge: Merge, reason: str, now: datetime) -> MergeDecision:
    """Put the decision on record, or take up the one that was cut off if it was about the same."""
    words = _write_words(merge.branch.name, reason)
    begun, models = merge.begun, merge.models
    if begun and set(models.names) <= set(begun["models"]) and models.champion == begun["champion"]:
        at = begun["decided_at"].astimezone(UTC)
        return MergeDecision(merge_id=begun["merge_id"], session=begun["session"], at=at, words=words)
    decided = MergeDecision(
        merge_id=f"merge-{uuid4().hex[:12]}",
        session=last_session(runner.lake),
        at=read_market_time(runner, now),
        words=words,
    )
    record(runner.lake, BRANCH_MERGES, decided.merge_id, [_describe(merge, decided, reason, now)])
    return decided


def _describe(merge: Merge, decided: MergeDecision, reason: str, now: datetime) -> dict[str, Any]:
    """The row of the decision."""
    branch, models = merge.branch, merge.models
    return {
        "merge_id": decided.merge_id,
        "merged_at": now,
        "merged_by": who_decides(),
        "branch": branch.name,
        "reason": reason,
        "settings": json.dumps({key: [was, new] for key, was, new in merge.settings}, default=str),
        "mandate_id": decided.merge_id if merge.mandate else None,
        "session": decided.session,
        "decided_at": decided.at,
        "champion": models.champion,
        "models": models.names,
        "trials": models.trials.height,
        "left_after": branch.session,
        "fork_versions": json.dumps(branch.versions, sort_keys=True),
        "branch_versions": json.dumps(Lake.open(branch.path).published_versions(), sort_keys=True),
        "plugins": json.dumps({one.name: one.there for one in merge.plugins}, sort_keys=True),
    }


def _describe_models(merge: Merge, decided: MergeDecision) -> list[dict[str, Any]]:
    """Rows of models with where they come from: the run that trained them, and what the branch decided of them."""
    runs = {run.run_id: json.dumps(run.row(), sort_keys=True, default=str) for run in merge.models.runs}
    promotions = Lake.open(merge.branch.path).read(MODEL_PROMOTIONS).sort("session")
    told = dict(promotions.select("model_id", "reason").iter_rows())
    return [
        row
        | {
            "trained_by": row[RUN_ID],
            "recipe": runs[row[RUN_ID]],
            "decided_there": told.get(row["model_id"]),
            **_stamp(merge, decided),
        }
        for row in merge.models.registry.iter_rows(named=True)
    ]


def _stamp(merge: Merge, decided: MergeDecision) -> dict[str, Any]:
    """The merge that brings a row."""
    return {
        "merge_id": decided.merge_id,
        "merged_at_session": decided.session,
        "decided_at": decided.at,
        "branch": merge.branch.name,
    }
