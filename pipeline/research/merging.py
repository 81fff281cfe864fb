"""Brings over what was decided on a branch: its settings and its mandate, as decisions of the lake it came from."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lake.branches.branch import MAIN, Branch, find_branch, read_config
from lake.publication import find_unpublished
from lake.store import Lake
from lake.tables.research import BRANCH_MERGES
from lake.tables.trading import MANDATES
from pipeline.config.loading import load
from pipeline.config.resolving import DEFAULT, values_of
from pipeline.config.toml_document import toml_document, write_document
from pipeline.control.operator.mandates import set_mandate, standing_mandate
from pipeline.control.operator.trading_switches import who_decides
from pipeline.reading.mandate_fields import write_value
from pipeline.research import ResearchError
from pipeline.research.recording import record
from pipeline.trading.mandates.mandate import Mandate

if TYPE_CHECKING:  # a runner is handed in: who only asks or previews loads no stages
    from pipeline.engine.runner import Runner


@dataclass(frozen=True, kw_only=True)
class Merge:
    """What a merge brings over."""

    branch: str
    settings: list[tuple[str, Any, Any]]
    """Dotted key, value now and value then."""
    mandate: dict[str, str]
    """Field of the mandate -> its new value."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to bring."""
        return not self.settings and not self.mandate


def plan_merge(lake: Lake, name: str) -> Merge:
    """Return what a branch decided otherwise than its lake.

    Its forecasts, trades and models stay where they are: what the lake has done does not change, and under the same
    settings its next training gives the same model.

    Raises:
        NoSuchError: if there is no such branch.
        ResearchError: if work on it is unfinished, or the lake has changed since in what it would bring.
    """
    branch = find_branch(lake.path, name)
    there = Lake.open(branch.path)
    if left := find_unpublished(there):
        raise ResearchError(
            f"the branch {name} holds half of a piece of work ({left[0].recipe.cycle_id}); finish it first with"
            f" `nextgen --branch {name} recover`"
        )
    here, theirs = load(lake.path, os.environ).settings, load(branch.path, {}).settings
    values = dict(values_of(theirs))
    settings = [(key, value, values[key]) for key, value in values_of(here) if values[key] != value]
    if settings and branch.config_at_fork != read_config(lake.path):
        raise ResearchError(
            f"the settings of the lake have changed since {name} left it, so what it was tried against is gone; make a"
            " branch anew, and try there"
        )
    return Merge(branch=name, settings=settings, mandate=_changed_mandate(lake, there, branch))


def merge_branch(runner: Runner, name: str, reason: str, now: datetime | None = None) -> Merge:
    """Make a branch's settings and mandate the lake's own, and record that it was done and why.

    Raises:
        ResearchError: if there is nothing to bring, no reason is given, or what `plan_merge` raises.
        DecisionError: if the mandate cannot be set.
    """
    lake, merge = runner.lake, plan_merge(runner.lake, name)
    if merge.is_empty:
        raise ResearchError(
            f"the branch {name} has the settings and the mandate of the lake; there is nothing to merge"
        )
    if not reason.strip():
        raise ResearchError("say why it is merged; it is recorded with what it changes")
    merge_id = f"merge-{uuid4().hex[:12]}"
    # What is recorded first is told even if a crash comes after it; the same call then brings what is still lacking.
    _record(lake, merge, reason, merge_id, now or datetime.now(UTC))
    if merge.settings:
        loaded = load(find_branch(lake.path, name).path, {})
        values = [(key, value) for key, value in values_of(loaded.settings) if loaded.origins[key] != DEFAULT]
        write_document(lake.path, toml_document(values))
    if merge.mandate:
        set_mandate(runner, merge.mandate, f"merged from the branch {name}: {reason}", "cli", mandate_id=merge_id)
    return merge


def _record(lake: Lake, merge: Merge, reason: str, merge_id: str, now: datetime) -> None:
    row = {
        "merge_id": merge_id,
        "merged_at": now,
        "merged_by": who_decides(),
        "branch": merge.branch,
        "reason": reason,
        "settings": json.dumps({key: [was, new] for key, was, new in merge.settings}, default=str),
        "mandate_id": merge_id if merge.mandate else None,
    }
    record(lake, BRANCH_MERGES, merge_id, [row])


def _changed_mandate(lake: Lake, there: Lake, branch: Branch) -> dict[str, str]:
    """The fields of the mandate that were set on the branch."""
    if there.newest(MANDATES) == branch.versions.get(MANDATES.name, 0):
        return {}
    default = load(lake.path, os.environ).settings.trading.mandate
    before, wanted = (standing_mandate(one, default).mandate for one in (lake, there))
    if before == wanted:
        return {}
    if lake.newest(MANDATES) != branch.versions.get(MANDATES.name, 0):
        raise ResearchError(
            f"a mandate was set on {MAIN} and another one on {branch.name} since it left; they cannot both stand: set"
            " the one you want with `nextgen mandate set`"
        )
    return {
        field.name: write_value(getattr(wanted, field.name))
        for field in fields(Mandate)
        if asdict(wanted)[field.name] != asdict(before)[field.name]
    }
