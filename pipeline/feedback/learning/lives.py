"""The life of a lesson from a confirmed hypothesis: on trial beside its control arm, measured, kept or reverted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from pipeline.feedback.learning.questions import act, state, tell_mean
from pipeline.feedback.learning.register import describe, key_of
from pipeline.feedback.params import InsightParams
from pipeline.market.sessions import Sessions
from pipeline.text_format import counted

Row = dict[str, Any]
ON_TRIAL, EXPIRED = "on trial", "expired"


def step_lessons(
    flags: pl.DataFrame, live: Mapping[str, Row], session: date, calendar: Sessions, params: InsightParams
) -> Iterator[Row]:
    """Yield the next step of each insight on a slice that has one at the session, without its readers.

    Opened when its hypothesis is acted on, acted a session later; measured when the interval of its gain excludes 0,
    or at the last of its looks; retired when it is acted on no more. It ends as helped, hurt or no effect, or as
    expired where it ended before anything could be measured.

    Args:
        flags: bias_flags or slice_lessons of the session.
        live: insight -> its last step, of those of their kinds that are not retired.
        session: of the steps.
        calendar: of the exchange.
        params: when lessons are measured.
    """
    rows = flags.to_dicts()
    acting = {row["insight_id"]: row for row in rows if row["active"] and row["insight_id"]}
    for identity in sorted(acting.keys() - live.keys()):
        yield _open(identity, acting[identity], session)
    by_slice = {(_kind(row), *key_of(row)): row for row in rows}
    for identity, last in sorted(live.items()):
        row = acting.get(identity)
        if row is None:
            yield _retire(last, by_slice.get((last["kind"], *key_of(last))), session, calendar, params)
        elif last["status"] == "open":
            yield last | {"session": session, "status": "acted", "action": _action(row)}
        elif last["effect"] == ON_TRIAL and (effect := _verdict(last, row, session, calendar, params)):
            yield last | {"session": session, "status": "measured", "effect": effect, **_figures(row, effect)}


def _kind(row: Row) -> str:
    """What a flag is about: those of bias_flags do not say."""
    return str(row.get("kind", "bias"))


def _open(identity: str, row: Row, session: date) -> Row:
    where = describe(row["scope"], row["slice"])
    return {
        "insight_id": identity,
        "session": session,
        "opened": session,
        "kind": _kind(row),
        "scope": row["scope"],
        "slice": row["slice"],
        "horizon": row["horizon"],
        "status": "open",
        "hypothesis": state(_kind(row), counted(row["horizon"], "session"), where),
        "evidence": _evidence(row),
        "action": f"from the next session on {_action(row)}",
        "before": row["mean_error"],
        "after": None,
        "effect": ON_TRIAL,
        "n": 0,
        "hypothesis_id": row["hypothesis_id"],
        "control_n": 0,
        "gain": None,
        "gain_low": None,
        "gain_high": None,
    }


def _evidence(row: Row) -> str:
    return (
        f"{tell_mean(_kind(row), row['mean_error'], row['standard_error'])} (t {row['t']:+.1f}, p {row['p_value']:.2g};"
        f" {row['level']:.2g} was granted) over {counted(row['n'], 'forecast')} since it was registered"
    )


def _action(row: Row) -> str:
    alone = {"ticker": "; half of the tickers are left alone", "week": "; every other week, by lot, is left alone"}
    size = row["adjustment"] if _kind(row) == "bias" else row["size"]
    return f"{act(_kind(row), size)}{alone.get(str(row['arm']).split()[0], '')}"


def _trial(last: Row, session: date, calendar: Sessions, params: InsightParams) -> tuple[int, tuple[int, ...]]:
    """Scored sessions since the lesson began, and after how many of them it is measured."""
    horizon = int(last["horizon"])
    first = max(params.measure_after, horizon)
    return calendar.distance(last["opened"], session) - horizon, (first, 2 * first, 4 * first)


def _verdict(last: Row, row: Row, session: date, calendar: Sessions, params: InsightParams) -> str | None:
    """What the lesson did, at a look that decides; None at any other session."""
    scored, looks = _trial(last, session, calendar, params)
    if scored not in looks and scored < looks[-1]:
        return None
    decided = _decide(row)
    if scored < looks[-1]:
        return decided
    return decided or ("no effect" if row["gain"] is not None else EXPIRED)


def _decide(row: Row) -> str | None:
    """Helped or hurt, where the interval excludes 0."""
    if row["gain"] is None:
        return None
    return "helped" if row["gain_low"] > 0 else "hurt" if row["gain_high"] < 0 else None


def _figures(row: Row, effect: str) -> Row:
    kept = {
        "helped": "kept, and the control arm has it as well",
        "hurt": "reverted: it made forecasts worse",
        "no effect": "reverted: no effect could be measured",
        EXPIRED: "reverted: one arm stayed too small to be measured",
    }
    return {
        "action": f"{_action(row)}; {kept[effect]}",
        "evidence": _describe_gain(row),
        "after": row["adjusted_error"],
        "n": row["adjusted_n"],
        "control_n": row["control_n"],
        "gain": row["gain"],
        "gain_low": row["gain_low"],
        "gain_high": row["gain_high"],
    }


def _describe_gain(row: Row) -> str:
    arms = f"{counted(row['adjusted_n'], 'forecast')} with it, {row['control_n'] or 0} in the control arm"
    if row["gain"] is None:
        return f"{arms}: too few to compare"
    return (
        f"loss {row['gain']:+.4f} sigma below the control arm's ({row['gain_low']:+.4f} to {row['gain_high']:+.4f}, "
        f"95 % over all looks); {arms}"
    )


def _retire(last: Row, row: Row | None, session: date, calendar: Sessions, params: InsightParams) -> Row:
    """The last step: the verdict stands, or is given now by what was scored so far."""
    ended = last | {"session": session, "status": "retired", "action": "retired: the evidence no longer stands"}
    if last["effect"] not in (ON_TRIAL, "pending"):
        return ended | {"action": f"retired; {last['action']}"[:500]}
    scored, looks = _trial(last, session, calendar, params)
    if row is None or row["gain"] is None or scored < looks[0]:
        return ended | {"effect": EXPIRED}
    effect = _decide(row) or "no effect"
    return ended | {"effect": effect, **_figures(row, effect), "action": ended["action"]}
