"""A card of each champion of a span: what it is, on what it was fitted, how it did beside baselines, and its limits."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import polars as pl

from lake.errors import NoSuchError
from lake.store import Lake
from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY
from lake.tables.predictions import PREDICTIONS
from lake.tables.research import MERGED_MODELS
from pipeline.text_format import counted, percent

LIVE = ("pinball_skill", "ic", "coverage_90")
"""Figures of a model's own live forecasts."""
HELD_OUT = "held out"
CARD_COLUMNS = tuple(name for name in MODEL_REGISTRY.columns if name not in ("weights", "profile", "distances"))
"""Of the registry: all but what is large and tells a reader nothing."""
STRANGE = 0.99
"""Share of the training rows beyond which a forecast's inputs are told as strange."""


@dataclass(frozen=True)
class MemberShare:
    """What a member counts at each horizon."""

    member: str
    ranking: tuple[float, ...]
    width: tuple[float, ...]


@dataclass(frozen=True)
class CardFigure:
    """A figure with its interval and what the naive forecast, or the stated level, comes to."""

    when: str
    """`held out` before it decided, or `live`."""
    horizon: int
    metric: str
    value: float
    low: float | None
    high: float | None
    baseline: float
    n: int
    """Sessions where it was held out, forecasts live."""


@dataclass(frozen=True)
class Importance:
    """What a feature is worth to a member: its values shuffled within each held-out session."""

    feature: str
    member: str
    horizon: int
    rise: float
    """Of the squared error of the location, as a fraction of the naive forecast's."""
    error: float
    """Standard error of it over sessions."""


@dataclass(frozen=True)
class ModelCard:
    """All that a stranger needs to judge a champion."""

    model_id: str
    trained: date
    decided: date | None
    """Session since which it is, or last was, champion; None where it never was."""
    until: date | None
    """Session at which another was taken; None while it decides, or where it never did."""
    reason: str
    """Why it was promoted, or was not."""
    data: tuple[tuple[str, str], ...]
    """What it was fitted on, as pairs of name and value."""
    members: tuple[MemberShare, ...]
    horizons: tuple[int, ...]
    figures: tuple[CardFigure, ...]
    trials: tuple[tuple[str, str], ...]
    """What was tried and what that leaves of the advantage."""
    matters: tuple[Importance, ...]
    """The features that its held-out forecasts owe most to, at each horizon."""
    limits: tuple[str, ...]
    """What it must not be trusted with, as sentences."""

    def as_dict(self) -> dict[str, Any]:
        """The same for a script."""
        return asdict(self)


def read_model_cards(lake: Lake, first: date, last: date) -> tuple[ModelCard, ...]:
    """Read a card for each model that was champion at a session of a span, the newest first."""
    decisions = lake.read(MODEL_PROMOTIONS, until=last).sort("session", "model_id")
    reigns = [one for one in _find_reigns(decisions) if one[2] is None or one[2] >= first]
    registry = lake.read(MODEL_REGISTRY, until=last, columns=CARD_COLUMNS)
    return tuple(_read_card(lake, registry, decisions, *reign, last) for reign in reversed(reigns))


def read_model_card(lake: Lake, model_id: str | None = None) -> ModelCard | None:
    """Read the card of a registered model, champion or not; of the champion by default, None where there is none.

    Raises:
        NoSuchError: if no model of that name is registered, with the newest that are.
    """
    decisions = lake.read(MODEL_PROMOTIONS).sort("session", "model_id")
    reigns = {champion: (decided, until) for champion, decided, until in _find_reigns(decisions)}
    wanted = model_id or next((name for name, (_, until) in reigns.items() if until is None), None)
    if wanted is None:
        return None
    registry = lake.read(MODEL_REGISTRY, columns=CARD_COLUMNS)
    if registry.filter(pl.col("model_id") == wanted).is_empty():
        known = registry.sort("session", "model_id")["model_id"].unique(maintain_order=True).to_list()
        raise NoSuchError(f"no model {wanted!r} is registered; the newest are {', '.join(known[-5:]) or 'none'}")
    last = registry["session"].max()
    assert isinstance(last, date), "the registry has a row"
    decided, until = reigns.get(wanted, (None, None))
    end = max(last, lake.last_clock(PREDICTIONS, until=date.max) or last)
    return _read_card(lake, registry, decisions, wanted, decided, until, end)


def _find_reigns(decisions: pl.DataFrame) -> list[tuple[str, date, date | None]]:
    """Champions with the session they began at, and that of the decision that ended it."""
    reigns: list[tuple[str, date, date | None]] = []
    current: str | None = None
    for session, champion in decisions.select("session", "champion").iter_rows():
        if champion == current:
            continue
        if current is not None:
            reigns[-1] = (*reigns[-1][:2], session)
        if champion is not None:
            reigns.append((champion, session, None))
        current = champion
    return reigns


def _read_card(
    lake: Lake,
    registry: pl.DataFrame,
    decisions: pl.DataFrame,
    model_id: str,
    decided: date | None,
    until: date | None,
    last: date,
) -> ModelCard:
    mine = registry.filter(pl.col("model_id") == model_id).sort("member")
    row = mine.row(0, named=True)
    if decided is None:
        judged = decisions.filter(pl.col("model_id") == model_id)
    else:
        judged = decisions.filter(pl.col("champion") == model_id, pl.col("session") == decided)
    decision = judged.row(-1, named=True) if len(judged) else {"reason": "it was not judged yet"}
    end = until or last
    return ModelCard(
        model_id=model_id,
        trained=row["session"],
        decided=decided,
        until=until,
        reason=decision["reason"],
        data=(*_describe_data(row), *_describe_origin(lake, row)),
        members=tuple(
            MemberShare(
                one["member"],
                tuple(one["location_weights"] if one["location_weights"] is not None else one["ensemble_weights"]),
                tuple(one["ensemble_weights"]),
            )
            for one in mine.to_dicts()
        ),
        horizons=tuple(row["horizons"]),
        figures=(*_held_out(row), *_live(lake, model_id, end)),
        trials=tuple(_describe_trials(decision)),
        matters=_read_importance(row),
        limits=tuple(_describe_limits(lake, row, model_id, decided or row["session"], end)),
    )


def _describe_data(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("fitted on", f"{row['train_first']} to {row['train_last']}, {counted(row['rows_train'], 'window')}"),
        ("inputs", f"{counted(len(row['features']), 'feature')} of set {row['feature_set']}"),
        ("window", counted(row["window"], "session")),
        ("kept apart", f"{counted(row['purge'], 'session')} purged, {row['embargo']} of embargo"),
        ("seed", str(row["seed"])),
        ("tables", ", ".join(f"{name} {number}" for name, number in sorted(json.loads(row["input_versions"]).items()))),
        ("trained beside", row["parent"] or "no champion"),
    ]


def _describe_origin(lake: Lake, row: dict[str, Any]) -> list[tuple[str, str]]:
    """The branch that a model came from, whose versions its tables are; nothing of one that was trained here."""
    if row["merge_id"] is None:
        return []
    mine = pl.col("merge_id") == row["merge_id"], pl.col("model_id") == row["model_id"]
    told = lake.read(MERGED_MODELS, where=mine[0] & mine[1], columns=("branch", "trained_by", "decided_there"))
    branch, run_id, decided = told.select("branch", "trained_by", "decided_there").row(0)
    there = [("decided there", decided)] if decided else []
    return [("brought over", f"from the branch {branch}, where {run_id} trained it, by {row['merge_id']}"), *there]


def _held_out(row: dict[str, Any]) -> list[CardFigure]:
    """The ensemble's figures on the sessions that its training held out, two standard errors to each side."""
    found = json.loads(row["metrics"])["ensemble"]["figures"]
    figures = []
    for horizon, one in sorted(found.items(), key=lambda pair: int(pair[0])):
        for metric, name in (("pinball_skill", "skill"), ("ic", "ic")):
            value, error = one.get(name), one.get(f"{name}_error")
            low, high = (None, None) if value is None or error is None else (value - 1.96 * error, value + 1.96 * error)
            if value is not None:
                figures.append(CardFigure(HELD_OUT, int(horizon), metric, value, low, high, 0.0, one["sessions"]))
        covered = one["coverage_90"]
        figures.append(CardFigure(HELD_OUT, int(horizon), "coverage_90", covered, None, None, 0.9, one["sessions"]))
    return figures


def _read_importance(row: dict[str, Any], most: int = 5) -> tuple[Importance, ...]:
    """What the training measured, the largest first; nothing of models that measured none."""
    found = []
    for member, own in json.loads(row["metrics"]).get("importance", {}).items():
        for feature, one in own.items():
            pairs = zip(row["horizons"], one["rise"], one["error"], strict=True)
            found += [Importance(feature, member, horizon, rise, error) for horizon, rise, error in pairs]
    by_horizon = [[one for one in found if one.horizon == horizon] for horizon in row["horizons"]]
    return tuple(one for own in by_horizon for one in sorted(own, key=lambda one: -one.rise)[:most])


def _live(lake: Lake, model_id: str, end: date) -> list[CardFigure]:
    """What its own forecasts came to, by the last measurement up to a session."""
    mine = (pl.col("scope") == "model") & (pl.col("slice") == model_id) & pl.col("metric").is_in(LIVE)
    rows = lake.read(FEEDBACK_METRICS, until=end, where=mine)
    latest = rows.filter(pl.col("session") == pl.col("session").max()).sort("horizon", "metric")
    return [
        CardFigure("live", h, metric, value, low, high, baseline, n)
        for h, metric, value, low, high, baseline, n in latest.select(
            "horizon", "metric", "value", "low", "high", "baseline", "n"
        ).iter_rows()
    ]


def _describe_trials(decision: dict[str, Any]) -> list[tuple[str, str]]:
    if decision.get("trials") is None:
        return [("trials", "not counted when it was promoted")]
    told = [
        ("trials", f"{decision['trials']:,} candidates had been tried on held-out sessions, its own among them"),
        ("real", f"with probability {decision['deflated_sharpe']:.2f}, given that the best of so many was taken"),
    ]
    if decision["min_sessions"] is not None:
        told.append(
            ("by chance", f"the best of so many looks as good over up to {decision['min_sessions']:.0f} sessions")
        )
    if decision["overfitting"] is not None:
        told.append(("overfitting", f"{percent(decision['overfitting'], 0)} of choices on one half fail on the other"))
    if decision["dm_p"] is not None:
        told.append(
            ("against the champion", f"Diebold-Mariano {decision['dm_statistic']:+.1f}, p {decision['dm_p']:.2g}")
        )
    return told


def _describe_limits(lake: Lake, row: dict[str, Any], model_id: str, decided: date, end: date) -> list[str]:
    """What can be said against it, from what it is and what it met."""
    limits = [
        f"It knows nothing of sessions after {row['train_last']}, and nothing but its {len(row['features'])} inputs.",
        f"It forecasts {', '.join(map(str, row['horizons']))} sessions ahead, and was judged on members alone.",
    ]
    forecasts = lake.read(
        PREDICTIONS,
        since=decided,
        until=end,
        where=pl.col("model_id") == model_id,
        columns=(*PREDICTIONS.key, "strangeness", "bias_adjustment", "bounds"),
    )
    if forecasts.is_empty():
        return [*limits, "It has forecast nothing yet."]
    known = forecasts["strangeness"].drop_nulls()
    if len(known):
        share = known.filter(known > STRANGE).len() / len(known)
        limits.append(
            f"{percent(share, 1)} of its forecasts rest on inputs further out than {percent(STRANGE, 0)} of its"
            " training rows."
        )
    adjusted = int((forecasts["bias_adjustment"] != 0).sum())
    bound = int((forecasts["bounds"].list.len() > 0).sum())
    limits.append(
        f"Of {counted(len(forecasts), 'forecast')}, {adjusted} were adjusted for bias and {bound} held back by a bound."
    )
    return limits
