"""The operator's decisions: to approve or veto a planned trade before its open, and to choose the champion."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import uuid4

import polars as pl

from lake.contract import RUN_ID, Table
from lake.errors import ConflictError
from lake.runs import last_decision, last_session
from lake.store import Lake
from lake.tables.control import MODEL_CHOICES, TRADE_DECISIONS
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY
from lake.tables.trading import TRADE_PLANS

if TYPE_CHECKING:  # a runner is handed in: who only asks or previews loads no stages
    from pipeline.engine.runner import Runner
    from pipeline.plugins.plugins import Plugins

Origin = Literal["console", "cli"]
Decision = Literal["approve", "veto"]
MOMENT = timedelta(microseconds=1)
Recorded = TypeVar("Recorded", "TradeDecision", "ModelChoice")


class DecisionError(ValueError):
    """A decision that comes too late, or is about something that does not exist; the text says why."""


@dataclass(frozen=True, kw_only=True)
class TradeDecision:
    """One row of `trade_decisions`."""

    decision_id: str
    plan_id: str
    for_session: date
    ticker: str
    decision: Decision
    reason: str
    decided_at: datetime
    origin: Origin


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """One row of `model_choices`."""

    choice_id: str
    session: date
    choice: Literal["promote", "rollback"]
    model_id: str
    champion: str | None
    reason: str
    decided_at: datetime
    origin: Origin


def decide(
    runner: Runner,
    plan_id: str,
    decision: Decision,
    reason: str,
    origin: Origin,
    decision_id: str = "",
    now: datetime | None = None,
) -> TradeDecision:
    """Approve or veto a planned trade; the last decision before the open counts.

    Args:
        runner: of the lake; nothing is run.
        plan_id: session and ticker of a plan that became an order, such as 2026-01-05:AAPL.
        decision: approve or veto.
        reason: why, for the record.
        origin: where it was made.
        decision_id: made by the caller; a second call with the same id returns the first decision.
        now: the wall clock; the computer's where None.

    Raises:
        DecisionError: if there is no such order, or its open has passed.
        StorageError: if the lake cannot be written.
    """
    lake, decision_id = runner.lake, decision_id or make_id(origin)
    if known := find_row(lake, TRADE_DECISIONS, decision_id):
        return _refuse_conflict(TradeDecision(**known), plan_id=plan_id, decision=decision)
    plan = _find_plan(lake, plan_id)
    opening = runner.calendar.open_at(plan["for_session"])
    at = order_after(
        lake, TRADE_DECISIONS, pl.col("plan_id") == plan_id, read_market_time(runner, now or datetime.now(UTC))
    )
    if at >= opening:
        raise DecisionError(
            f"too late at {at:%Y-%m-%d %H:%M} UTC: {plan_id} was an order for the open at {opening:%m-%d %H:%M}"
        )
    made = TradeDecision(
        decision_id=decision_id,
        plan_id=plan_id,
        for_session=plan["for_session"],
        ticker=plan["ticker"],
        decision=decision,
        reason=reason,
        decided_at=at,
        origin=origin,
    )
    return TradeDecision(**insert_once(lake, TRADE_DECISIONS, asdict(made), decision_id))


def promote(
    runner: Runner, model_id: str, reason: str, origin: Origin, choice_id: str = "", now: datetime | None = None
) -> ModelChoice:
    """Make a registered model champion from the next cycle on.

    Args:
        runner: of the lake; nothing is run.
        model_id: the model.
        reason: why, for the record.
        origin: where it was made.
        choice_id: made by the caller; a second call with the same id returns the first choice.
        now: the wall clock; the computer's where None.

    Raises:
        DecisionError: if there is no such model, it cannot forecast from today's features, or it is champion already.
        StorageError: if the lake cannot be written.
    """
    choice_id = choice_id or make_id(origin)
    if known := find_row(runner.lake, MODEL_CHOICES, choice_id):
        return _refuse_conflict(ModelChoice(**known), choice="promote", model_id=model_id)
    refuse_unusable(runner.lake, runner.plugins, model_id)
    session, at = _find_next_cycle(runner, now)
    if find_next_champion(runner.lake, session) == model_id:
        raise DecisionError(f"{model_id} is already champion")
    choice = {"choice": "promote", "model_id": model_id, "champion": model_id, "reason": reason, "origin": origin}
    return _record_choice(runner.lake, choice | {"choice_id": choice_id, "session": session, "decided_at": at})


def rollback(
    runner: Runner, model_id: str, reason: str, origin: Origin, choice_id: str = "", now: datetime | None = None
) -> ModelChoice:
    """Restore the previous champion from the next cycle on; there is no champion if there was none before.

    Args:
        runner: of the lake; nothing is run.
        model_id: the champion to replace, so that no other is replaced by mistake; any where empty.
        reason: why, for the record.
        origin: where it was made.
        choice_id: made by the caller; a second call with the same id returns the first choice.
        now: the wall clock; the computer's where None.

    Raises:
        DecisionError: if there is no champion, or it is another, or the previous one can no longer forecast.
        StorageError: if the lake cannot be written.
    """
    choice_id = choice_id or make_id(origin)
    if known := find_row(runner.lake, MODEL_CHOICES, choice_id):
        return _refuse_conflict(ModelChoice(**known), choice="rollback")
    session, at = _find_next_cycle(runner, now)
    current = find_next_champion(runner.lake, session)
    if current is None:
        raise DecisionError("there is no champion to roll back")
    if model_id and model_id != current:
        raise DecisionError(f"the champion is {current}, not {model_id}; nothing was changed")
    before = find_previous_champion(runner.lake, current)
    if before is not None:
        refuse_unusable(runner.lake, runner.plugins, before)
    choice = {"choice": "rollback", "model_id": current, "champion": before, "reason": reason, "origin": origin}
    return _record_choice(runner.lake, choice | {"choice_id": choice_id, "session": session, "decided_at": at})


def find_next_champion(lake: Lake, session: date) -> str | None:
    """Find who will be champion at a session's cycle, as decided so far: today's champion, or what was chosen since."""
    from pipeline.models.champion_override import read_last_override
    from pipeline.models.registry import find_champion

    current = find_champion(lake.read(MODEL_PROMOTIONS))
    last = last_session(lake)
    pending = lake.read(MODEL_CHOICES, until=session, where=pl.col("session") > last if last else None)
    for day in sorted(set(pending["session"])):
        if (choice := read_last_override(pending, day)) is not None:
            current = choice.champion_after(current)
    return current


def read_market_time(runner: Runner, now: datetime) -> datetime:
    """Now; in a simulated market, which stands still between cycles, the decision time of the last one."""
    if runner.settings.source.name != "simulated":
        return now
    return last_decision(runner.lake) or now


def order_after(lake: Lake, table: Table, about: pl.Expr, at: datetime) -> datetime:
    """The moment, or just after the last decision on the same: their order survives a clock that goes back."""
    last = lake.read(table, where=about, columns=("decided_at",))["decided_at"].max()
    return max(at, last.astimezone(UTC) + MOMENT) if isinstance(last, datetime) else at


def insert_once(lake: Lake, table: Table, row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Append the row, and return what is stored under its id: another process may have been first."""
    with suppress(ConflictError):
        lake.commit(table, table.check(pl.DataFrame([row], schema=table.schema)), name, {})
    return find_row(lake, table, name)


def find_row(lake: Lake, table: Table, name: str) -> dict[str, Any]:
    """The row with that id; empty if there is none."""
    rows = lake.read(table, where=pl.col(table.key[0]) == name).drop(RUN_ID)
    if rows.is_empty():
        return {}
    row = rows.row(0, named=True)
    return row | {"decided_at": row["decided_at"].astimezone(UTC)}


def make_id(origin: Origin) -> str:
    """An id for a decision whose maker gave none."""
    return f"{origin}-{uuid4().hex[:12]}"


def refuse_unusable(lake: Lake, plugins: Plugins, model_id: str) -> None:
    """Refuse a model that could not forecast.

    Args:
        lake: where it is registered.
        plugins: what there is beyond the program's own features and members, where it would forecast.
        model_id: the model.

    Raises:
        DecisionError: if there is no such model, or its features or members are not there.
    """
    from pipeline.features.feature_set import feature_set
    from pipeline.models.members import list_members
    from pipeline.models.registry import RegistryError, load_members
    from pipeline.models.serialization import WeightsError

    known = lake.read(MODEL_REGISTRY, columns=("model_id", "session"))
    extensions = plugins.extend(("features", "members"))
    if model_id not in known["model_id"]:
        newest = known.sort("session", "model_id")["model_id"].unique(maintain_order=True).to_list()[-5:]
        raise DecisionError(f"model {model_id!r} is not registered; the newest are {', '.join(newest) or 'none'}")
    try:
        load_members(
            lake.read(MODEL_REGISTRY, where=pl.col("model_id") == model_id),
            model_id,
            members=list_members(extensions.members),
            feature_set=feature_set(extensions).name,
        )
    except (RegistryError, WeightsError) as error:
        raise DecisionError(str(error)) from error


# ---- inner workings


def _find_plan(lake: Lake, plan_id: str) -> dict[str, Any]:
    columns = (*TRADE_PLANS.key, "plan_id", "for_session", "taken", "blocked_by")
    found = lake.read(TRADE_PLANS, where=pl.col("plan_id") == plan_id, columns=columns)
    if found.is_empty():
        raise DecisionError(f"there is no plan {plan_id!r}; a plan's id looks like 2026-01-05:AAPL")
    plan = found.row(0, named=True)
    if not plan["taken"]:
        by = f" by the rule {plan['blocked_by']}" if plan["blocked_by"] else ""
        raise DecisionError(f"{plan_id} was refused{by}, so there is no order to approve or veto")
    return plan


def find_previous_champion(lake: Lake, current: str) -> str | None:
    """The champion before this one; today's champion if this one is only chosen so far."""
    from pipeline.models.registry import find_champion

    rows = lake.read(MODEL_PROMOTIONS)
    published = find_champion(rows)
    if published != current:
        return published
    came = rows.filter((pl.col("champion") == current) & pl.col("previous").ne_missing(current))
    before: str | None = came["previous"][-1]
    return before


def _find_next_cycle(runner: Runner, now: datetime | None) -> tuple[date, datetime]:
    """The first session whose cycle can still take account of a choice made now, and the moment of the choice."""
    require_last_session(runner)
    at = read_market_time(runner, now or datetime.now(UTC))
    at = order_after(runner.lake, MODEL_CHOICES, pl.lit(True), at)
    return find_deciding_session(runner, at), at


def find_deciding_session(runner: Runner, at: datetime) -> date:
    """The first session whose cycle has not run and decides at that moment or later."""
    after = runner.calendar.next(require_last_session(runner))
    session = max(after, runner.calendar.at_or_before(at.date() - timedelta(days=1)))
    while runner.decision_time(session) < at:
        session = runner.calendar.next(session)
    return session


def require_last_session(runner: Runner) -> date:
    """The lake's last session.

    Raises:
        DecisionError: if it has none.
    """
    last = last_session(runner.lake)
    if last is None:
        raise DecisionError("the lake has no history yet; load it with `nextgen init`")
    return last


def _record_choice(lake: Lake, row: Mapping[str, Any]) -> ModelChoice:
    return ModelChoice(**insert_once(lake, MODEL_CHOICES, row, str(row["choice_id"])))


def _refuse_conflict(recorded: Recorded, **requested: str) -> Recorded:
    if other := {name: value for name, value in requested.items() if getattr(recorded, name) != value}:
        raise DecisionError(f"another decision is recorded under this id: {recorded}; it cannot become {other}")
    return recorded
