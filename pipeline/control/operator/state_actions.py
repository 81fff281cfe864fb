"""The operator states a corporate action himself: a further one, a correction, that one is none, or nothing more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lake.store import Lake
from lake.tables.market import INSTRUMENTS, MARKET_PRICES, RAW_PRICES
from pipeline.control.operator.action_outlook import read_conversion, read_outlook
from pipeline.control.operator.decisions import (
    MOMENT,
    DecisionError,
    Origin,
    find_deciding_session,
    read_market_time,
    require_last_session,
)
from pipeline.control.operator.statements import KINDS, TERMS, StatedAction, Statement, effect_of, spell_out
from pipeline.ingestion.actions.action_coverage import OPERATOR
from pipeline.ingestion.actions.corporate_actions import ANNOUNCED
from pipeline.ingestion.actions.released_words import RELEASED
from pipeline.ingestion.actions.validate_actions import FIELDS, NATURES, validate_actions
from pipeline.ingestion.sources.payloads import BY_LINE, WHOLE, payload_id

if TYPE_CHECKING:  # a runner is handed in: who only asks or previews loads no stages
    from pipeline.engine.runner import Runner

MAX_REASON = 1_000


def state_action(runner: Runner, said: Statement, origin: Origin, now: datetime | None = None) -> StatedAction:
    """Put a statement on record as a landing of the source `operator`; from its session on it stands against any other.

    Nothing is run. The landing is validated as one of any source is, before anything is written.

    Args:
        runner: of the lake.
        said: the statement.
        origin: where it was made.
        now: the wall clock; the computer's where None.

    Raises:
        DecisionError: naming what is wrong and the way out; nothing is recorded then.
        StorageError: if the lake cannot be written.
    """
    _refuse_incomplete(said)
    session, at = _find_session(runner, said, now or datetime.now(UTC))
    outlook = read_outlook(runner, withdrawn=True)
    standing = outlook.filter(~pl.col("withdrawn").fill_null(False))
    lines: list[dict[str, str | None]] = []
    landings = []
    for one in spell_out(said, outlook if said.verb == "release" else standing):
        _refuse_unknown(runner.lake, one)
        _refuse_distant(runner, one, session)
        stated = _state_anew(one, _speak_of(one, outlook), min(at, runner.decision_time(session)))
        landings.append(_make_landing(runner, one, stated, session, at, origin))
        lines += stated
    landing = pl.concat(landings)
    _refuse_unsound(runner, landing, standing)
    runner.lake.commit(RAW_PRICES, RAW_PRICES.check(landing), landing["payload_id"][0], {})
    return StatedAction(
        payload_id=landing["payload_id"][0],
        verb=said.verb,
        ticker=said.ticker,
        ex_date=said.ex_date,
        kind=said.kind,
        session=session,
        takes_effect=runner.calendar.at_or_after(max(said.ex_date, session)),
        reason=said.reason,
        stated_at=at,
        origin=origin,
        actions=tuple({name: value for name, value in line.items() if value is not None} for line in lines),
    )


def _speak_of(said: Statement, outlook: pl.DataFrame) -> list[dict[str, Any]]:
    """The facts that a statement speaks of, those taken back among them: of one kind, ticker and day."""
    about = pl.col("ticker") == said.ticker, pl.col("ex_date") == said.ex_date, pl.col("kind") == effect_of(said.kind)
    return outlook.filter(*about).to_dicts()


def read_reasons(lake: Lake) -> pl.DataFrame:
    """payload_id, verb, reason and stated_at of everything that the operator stated, oldest first."""
    rows = lake.read(RAW_PRICES, where=pl.col("source") == OPERATOR, columns=(*RAW_PRICES.key, "request", "fetched_at"))
    told = [
        (identity, request["verb"], request["reason"], at)
        for identity, text, at in rows.sort("fetched_at", "payload_id")
        .select("payload_id", "request", "fetched_at")
        .iter_rows()
        if (request := json.loads(text))
    ]
    texts = dict.fromkeys(("payload_id", "verb", "reason"), pl.String())
    return pl.DataFrame(told, schema=texts | {"stated_at": rows.schema["fetched_at"]}, orient="row")


# ---- what is refused before anything is made of it


def _refuse_incomplete(said: Statement) -> None:
    if said.kind not in KINDS:
        raise DecisionError(f"there is no kind of action {said.kind!r}; choose from {', '.join(KINDS)}")
    if not said.reason.strip() or len(said.reason) > MAX_REASON:
        raise DecisionError(f"say why in 1 to {MAX_REASON:,} characters; they are recorded with the action")
    if said.verb in ("withdraw", "release") and said.terms:
        raise DecisionError(f"{said.verb} takes no {next(iter(said.terms))}; `correct` changes what an action says")
    if said.verb == "correct" and not said.terms:
        raise DecisionError(f"say what is to change: one or more of {', '.join(TERMS)}")


def _refuse_unknown(lake: Lake, said: Statement) -> None:
    bars = lake.read(MARKET_PRICES, where=pl.col("ticker") == said.ticker, columns=(*MARKET_PRICES.key, "session"))
    listed = lake.read(INSTRUMENTS, where=pl.col("ticker") == said.ticker)["listed_on"].to_list()
    first = bars["session"].min() or (listed[0] if listed else None)
    if not isinstance(first, date):
        raise DecisionError(
            f"{said.ticker} is unknown: the lake has neither a listing nor a bar of it; `nextgen show instruments`"
            " lists the tickers"
        )
    if said.ex_date < first:
        raise DecisionError(
            f"{said.ticker} has no session before {first}, and the ex-date is {said.ex_date}; if the company had"
            " another ticker then, state it under that one"
        )


def _refuse_distant(runner: Runner, said: Statement, session: date) -> None:
    calendar = runner.calendar
    if said.ex_date > calendar.days[-1]:
        raise DecisionError(f"the ex-date {said.ex_date} is beyond the calendar, which ends on {calendar.days[-1]}")
    ahead = calendar.distance(session, max(session, calendar.at_or_after(said.ex_date)))
    if ahead > ANNOUNCED:
        first = calendar.offset(calendar.at_or_after(said.ex_date), -ANNOUNCED)
        raise DecisionError(
            f"the ex-date {said.ex_date} is {ahead:,} sessions ahead, and what is ahead is remembered for {ANNOUNCED};"
            f" state it from {first} on"
        )


def _refuse_unsound(runner: Runner, landing: pl.DataFrame, outlook: pl.DataFrame) -> None:
    instruments = runner.lake.read(INSTRUMENTS).select(*INSTRUMENTS.columns)
    listed = instruments if landing["ticker"][0] in instruments["ticker"] else instruments.clear()
    ends = outlook.filter(pl.col("kind").is_in(["rename", "delisting"]))
    bad = validate_actions(landing, listed, ends, runner.calendar, read_conversion(runner)).bad
    if not bad.is_empty():
        lines = sum(len(payload.splitlines()) for payload in landing["payload"])
        first = {name: value for name, value in json.loads(bad["text"][0]).items() if value is not None}
        told = ", ".join(f"{name} {first[name]}" for name in TERMS if name in first)
        raise DecisionError(
            f"{bad.height} of {lines} actions stated cannot be, the first is the {first['kind']} of {first['ticker']}"
            f" on {first['ex_date']} ({told or 'without terms'}): it breaks the rule '{bad['rule'][0]}';"
            " correct the terms and state it again"
        )


# ---- what is stated


def name_action(action: Mapping[str, Any]) -> str:
    """What a fact is called by its nature, or by its kind where it has none."""
    names = {nature: name for name, (_, nature) in NATURES.items()}
    return names.get(action["nature"], str(action["kind"]))


def _state_anew(said: Statement, facts: Sequence[Mapping[str, Any]], at: datetime) -> list[dict[str, str | None]]:
    """The lines of all actions of the kind, ticker and day that are to stand; what is new is known since `at`."""
    if said.verb == "release":
        return _give_back(said, facts)
    standing = [one for one in facts if not one["withdrawn"]]
    told = {"ticker": said.ticker, "ex_date": said.ex_date.isoformat(), "kind": said.kind}
    stamp = {"available_at": at.isoformat()}
    if said.verb == "add":
        alike = [one for one in standing if name_action(one) == said.kind]
        if alike and not said.another:
            raise DecisionError(
                f"{_describe(alike[0])} is known already, from {alike[0]['source']}; use `correct` if it is that one,"
                " or --another if there are two"
            )
        new = dict.fromkeys(FIELDS) | told | stamp | dict(said.terms)
        return [*(_line(one) for one in standing), new]
    meant = _find_meant(said, standing)
    kept = [_line(one) for one in standing if one is not meant]
    if said.verb == "withdraw":
        return kept
    changed = _line(meant) | stamp | {name: value or None for name, value in said.terms.items()}
    if changed | stamp == _line(meant) | stamp:
        raise DecisionError(f"{_describe(meant)} says so already; nothing was changed")
    return [*kept, changed]


def _give_back(said: Statement, facts: Sequence[Mapping[str, Any]]) -> list[dict[str, str | None]]:
    """No line at all: from then on the operator says nothing of it."""
    if not any(one["source"] == OPERATOR for one in facts):
        others = sorted({one["source"] for one in facts} - {RELEASED})
        known = f"; what is known of it is the word of {' and '.join(others)}" if others else ""
        raise DecisionError(
            f"you state nothing of a {said.kind} of {said.ticker} on {said.ex_date}{known};"
            f" `nextgen actions list {said.ticker} --withdrawn` shows who said what"
        )
    return []


def _find_meant(said: Statement, standing: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The one action that the operator means."""
    exact = [one for one in standing if name_action(one) == said.kind]
    meant = exact or list(standing)
    if said.sequence is not None:
        meant = [one for one in standing if one["sequence"] == said.sequence]
    if not meant:
        known = "; there is " + ", ".join(map(_describe, standing)) if standing else ""
        raise DecisionError(
            f"there is no {said.kind} of {said.ticker} on {said.ex_date}{known}; `nextgen actions list {said.ticker}`"
            " shows what stands"
        )
    if len(meant) > 1:
        which = ", ".join(f"{one['sequence']} ({describe_terms(one)})" for one in meant)
        raise DecisionError(
            f"{said.ticker} has {len(meant)} actions of the kind {said.kind} on {said.ex_date}; say which one is meant"
            f" with --sequence: {which}"
        )
    return meant[0]


def _line(action: Mapping[str, Any]) -> dict[str, str | None]:
    """A fact as a source would write it."""
    said = {"ticker": action["ticker"], "ex_date": action["ex_date"].isoformat(), "kind": name_action(action)}
    terms = {name: None if value is None else _text(value) for name, value in _stated_terms(action).items()}
    return dict.fromkeys(FIELDS) | said | terms


def _stated_terms(action: Mapping[str, Any]) -> dict[str, Any]:
    """The terms of a fact, amounts in the currency in which they were stated."""
    amounts = {name: action[f"stated_{name}"] for name in ("amount", "cash")} if action["rate"] is not None else {}
    return {name: action[name] for name in TERMS} | amounts


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _describe(action: Mapping[str, Any]) -> str:
    return f"the {name_action(action)} of {action['ticker']} on {action['ex_date']} ({describe_terms(action)})"


def describe_terms(action: Mapping[str, Any]) -> str:
    """What an action says of shares and money, in words."""
    stated = _stated_terms(action).items()
    told = (f"{name.replace('_', ' ')} {_text(value)}" for name, value in stated if value is not None)
    return ", ".join(told) or "without terms"


# ---- how it is recorded


def _find_session(runner: Runner, said: Statement, now: datetime) -> tuple[date, datetime]:
    """The session that learns a statement, and its moment: after those before, whatever the clock does."""
    at = read_market_time(runner, now)
    where = pl.col("source") == OPERATOR
    last = runner.lake.read(RAW_PRICES, where=where, columns=(*RAW_PRICES.key, "fetched_at"))["fetched_at"].max()
    at = max(at, last.astimezone(UTC) + MOMENT) if isinstance(last, datetime) else at
    following = runner.calendar.next(require_last_session(runner))
    if said.session is None:
        session = find_deciding_session(runner, at)
        replayed = runner.calendar.distance(following, session) > ANNOUNCED
        return (following, at) if replayed else (session, at)
    if said.session < following or said.session not in runner.calendar.between(said.session, said.session):
        raise DecisionError(
            f"--session {said.session} cannot learn it: the next session whose cycle has not run is {following}"
        )
    return said.session, at


def _make_landing(
    runner: Runner,
    said: Statement,
    lines: Sequence[Mapping[str, str | None]],
    session: date,
    at: datetime,
    origin: Origin,
) -> pl.DataFrame:
    """The row of raw_prices that records the statement, with the reason and all that it speaks of."""
    day = said.ex_date.isoformat()
    request = {
        "fields": {name: name for name in FIELDS},
        "interval": "1d",
        "exchange": runner.calendar.exchange,
        "currency": runner.settings.currency,
        "units": WHOLE,
        "amounts": BY_LINE,
        "history": False,
        "ticker": said.ticker,
        "kind": effect_of(said.kind),
        "covers": {"since": day, "until": day},
        "verb": said.verb,
        "reason": said.reason,
        "origin": origin,
        "stated_at": at.isoformat(),
    }
    text, payload = json.dumps(request, ensure_ascii=False), "\n".join(json.dumps(line) for line in lines)
    row = {
        "payload_id": payload_id(OPERATOR, "actions", said.ticker, text, payload),
        "source": OPERATOR,
        "kind": "actions",
        "ticker": said.ticker,
        "session": session,
        "fetched_at": at,
        "format": "ndjson",
        "request": text,
        "payload": payload,
    }
    return pl.DataFrame([row], schema=RAW_PRICES.schema)
