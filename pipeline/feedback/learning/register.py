"""Register hypotheses on our own errors before they are tested, look at them as planned, confirm or drop them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl

from lake.tables.feedback import BIAS_FLAGS, LEARNING_INSIGHTS, PREDICTION_ACCURACY
from lake.tables.learning import HYPOTHESES, SLICE_LESSONS
from lake.tables.market import CORPORATE_ACTIONS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.learning.discovery import grant_level, plan_looks
from pipeline.feedback.learning.evidence import COLUMNS, LOOKBACK, SPAN, Evidence, Key, SliceEvidence, follow
from pipeline.feedback.learning.proposals import FAMILIES, Proposal, family_of, is_rhythm, propose
from pipeline.feedback.learning.questions import BIAS, list_questions, state
from pipeline.feedback.params import BiasParams, FeedbackParams, LearningParams
from pipeline.text_format import counted, percent

Row = dict[str, Any]
AT_WORK = ("registered", "looked")


def hypotheses(
    prediction_accuracy: pl.DataFrame,
    hypotheses: pl.DataFrame,
    bias_flags: pl.DataFrame,
    slice_lessons: pl.DataFrame,
    learning_insights: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """Write one row for each hypothesis that is registered, looked at, confirmed, dropped or ended at the session.

    A hypothesis is tested by scores from its registration on alone. What its looks may cost in false alarms is granted
    when it is registered (`grant_level`), so that of all ever confirmed few are false. For `moment.session` only
    (ignores `since`).
    """
    if params.learning == 1 or prediction_accuracy.is_empty():
        return HYPOTHESES.empty()
    learned = hypotheses, bias_flags, slice_lessons, learning_insights
    followed = follow(prediction_accuracy, learned, corporate_actions, moment.session)
    past, *acting, insights = followed.learned
    steps = []
    scores = Evidence.gather(followed.accuracy, moment.session, moment.calendar, params)
    for question in list_questions(followed.accuracy, params.hypotheses):
        live = find_live(past.filter(pl.col("kind") == question.kind))
        if not live and question is not BIAS and not is_rhythm(moment.session, moment.calendar):
            continue
        evidence = scores.ask(question)
        over = [*_end(live, acting, moment.session), *_look(live, evidence)]
        barred = find_barred(insights, moment.calendar.offset(moment.session, -params.bias.quarantine), question.kind)
        new = _register(propose(evidence, _taken(live, over) | barred), evidence, hypotheses)
        steps += [*over, *new]
    return pl.DataFrame(steps, schema=HYPOTHESES.schema, orient="row").sort(HYPOTHESES.key)


def _taken(live: list[Row], steps: list[Row]) -> set[Key]:
    """Slices with a hypothesis that goes on."""
    over = {row["hypothesis_id"] for row in steps if row["status"] in ("dropped", "ended")}
    return {key_of(row) for row in live if row["hypothesis_id"] not in over}


def find_live(past: pl.DataFrame) -> list[Row]:
    """The last step of every hypothesis that is at work or confirmed."""
    last = past.sort("session", "hypothesis_id").unique("hypothesis_id", keep="last", maintain_order=True)
    return last.filter(pl.col("status").is_in([*AT_WORK, "confirmed"])).to_dicts()


def find_barred(insights: pl.DataFrame, first: date, kind: str = "bias") -> set[Key]:
    """Slices whose last lesson was measured to hurt, or to do nothing, since that session: they are left alone."""
    useless = pl.col("effect").is_in(["hurt", "no effect"])
    unmeasurable = (pl.col("effect") == "expired") & (pl.col("status") == "measured")
    mine = insights.filter((pl.col("kind") == kind) & (useless | unmeasurable) & (pl.col("session") > first))
    return {key_of(row) for row in mine.to_dicts()}


def key_of(row: Row) -> Key:
    """The slice that a row is about."""
    return str(row["scope"]), str(row["slice"]), int(row["horizon"])


def _end(live: list[Row], acting: list[pl.DataFrame], session: date) -> Iterator[Row]:
    """Confirmed ones on which nothing is acted any more."""
    acted_on: set[str] = set()
    for flags in acting:
        active = flags.filter((pl.col("session") == pl.col("session").max()) & pl.col("active"))
        acted_on |= set(active["hypothesis_id"].drop_nulls())
    for row in live:
        if row["status"] == "confirmed" and row["hypothesis_id"] not in acted_on:
            yield row | {"session": session, "status": "ended"}


def _look(live: list[Row], evidence: Evidence) -> Iterator[Row]:
    """The step of each hypothesis whose next look is due."""
    for row in live:
        if row["status"] not in AT_WORK:
            continue
        found = evidence.weigh(key_of(row), row["registered"])
        scored = 0 if found is None else found.scored
        done, due = (sum(look <= count for look in row["looks"]) for count in (row["scored"], scored))
        over_age = evidence.calendar.distance(row["registered"], evidence.session) >= SPAN
        if due > done or over_age:
            last = due == len(row["looks"]) or over_age
            yield row | {"session": evidence.session, "scored": scored, **_judge(row, found, last, evidence)}


def _judge(row: Row, found: SliceEvidence | None, last: bool, evidence: Evidence) -> Row:
    if found is None:
        return {"status": "dropped"}
    asked = evidence.params.hypotheses
    large = evidence.question.is_large(found.mean, found.series.raw, found.series.sigma, asked)
    true = large and found.p <= row["level"] / len(row["looks"])
    return {
        "status": "confirmed" if true else "dropped" if last else "looked",
        "mean_error": found.mean,
        "standard_error": found.standard_error,
        "p_value": found.p,
    }


def _register(proposals: list[Proposal], evidence: Evidence, past: pl.DataFrame) -> Iterator[Row]:
    """The new hypotheses' rows, with the level that what was decided before grants them."""
    kind, asked, session = evidence.question.kind, evidence.params.hypotheses, evidence.session
    begun: dict[str, tuple[int, list[int]]] = {}
    for proposal in proposals:
        scope, name, horizon = proposal.key
        family = family_of(kind, scope, name)
        number, confirmed = begun.get(family) or _begun(past, family)
        begun[family] = number + 1, confirmed
        level = grant_level(number, confirmed, asked.false_discovery * FAMILIES[family])
        looks = plan_looks(horizon, asked.scored)
        yield {
            "hypothesis_id": f"{'' if kind == 'bias' else f'{kind}:'}{scope}:{name}:{horizon}:{session}",
            "session": session,
            "kind": kind,
            "registered": session,
            "scope": scope,
            "slice": name,
            "horizon": horizon,
            "status": "registered",
            "statement": state(kind, counted(horizon, "session"), describe(scope, name)),
            "reason": proposal.reason[:300],
            "family": family,
            "number": number,
            "level": level,
            "criterion": _criterion(kind, looks, level, asked),
            "looks": list(looks),
            "scored": 0,
            "mean_error": None,
            "standard_error": None,
            "p_value": None,
        }


def _begun(past: pl.DataFrame, family: str) -> tuple[int, list[int]]:
    """The number of the family's next hypothesis, and how many had begun when each confirmed one was confirmed."""
    mine = past.filter(pl.col("family") == family)
    begun = mine.filter(pl.col("status") == "registered")["session"].to_list()
    confirmed = sorted(mine.filter(pl.col("status") == "confirmed")["session"].to_list())
    # Within a session hypotheses are looked at before others are registered.
    return len(begun) + 1, [sum(day < at for day in begun) for at in confirmed]


def _criterion(kind: str, looks: tuple[int, ...], level: float, asked: LearningParams) -> str:
    when = ", ".join(str(look) for look in looks[:-1])
    large = {
        "bias": f"the error {asked.min_sigmas:g} sigma or more",
        "width": f"the width off by {percent(asked.min_width, 0)} or more",
    }.get(kind, f"the loss {asked.min_loss:g} sigma higher or more")
    return (
        f"confirmed if p is at most {level / len(looks):.3g} and {large} after {when} or"
        f" {looks[-1]} scored sessions; dropped if it is not after the last of them, or after {SPAN} sessions"
    )


def describe(scope: str, name: str) -> str:
    """A slice in words."""
    return "all tickers" if scope == "all" else name if scope in ("trait", "pair") else f"{scope} {name}"


STAGE = Stage(
    name="hypotheses",
    function=hypotheses,
    reads=(
        Read(PREDICTION_ACCURACY, lookback=LOOKBACK, columns=COLUMNS),
        Read(HYPOTHESES, lookback=None, upto="previous"),
        Read(BIAS_FLAGS, lookback=5, upto="previous"),
        Read(SLICE_LESSONS, lookback=5, upto="previous"),
        Read(LEARNING_INSIGHTS, lookback=BiasParams().quarantine, upto="previous"),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK, where=pl.col("kind").is_in(["rename", "delisting"])),
    ),
    writes=HYPOTHESES,
    params=FeedbackParams(),
    section="feedback",
)
