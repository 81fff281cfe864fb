"""Register hypotheses on one-sided errors before they are tested, look at them as planned, confirm or drop them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl

from lake.tables.feedback import BIAS_FLAGS, HYPOTHESES, LEARNING_INSIGHTS, PREDICTION_ACCURACY
from lake.tables.market import CORPORATE_ACTIONS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.learning.discovery import grant_level, plan_looks
from pipeline.feedback.learning.evidence import COLUMNS, LOOKBACK, SPAN, Evidence, Key, SliceEvidence, follow
from pipeline.feedback.learning.proposals import FAMILIES, Proposal, family_of, propose
from pipeline.feedback.params import BiasParams, FeedbackParams
from pipeline.text_format import counted

Row = dict[str, Any]
AT_WORK = ("registered", "looked")


def hypotheses(
    prediction_accuracy: pl.DataFrame,
    hypotheses: pl.DataFrame,
    bias_flags: pl.DataFrame,
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
    followed = follow(
        prediction_accuracy, (hypotheses, bias_flags, learning_insights), corporate_actions, moment.session
    )
    past, flags, insights = followed.learned
    evidence = Evidence.gather(followed.accuracy, moment.session, moment.calendar, params)
    live = find_live(past)
    steps = [*_end(live, flags, moment.session), *_look(live, evidence)]
    over = {row["hypothesis_id"] for row in steps if row["status"] in ("dropped", "ended")}
    taken = {key_of(row) for row in live if row["hypothesis_id"] not in over}
    taken |= find_barred(insights, moment.calendar.offset(moment.session, -params.bias.quarantine))
    new = _register(propose(evidence, taken), hypotheses, moment.session, params)
    return pl.DataFrame([*steps, *new], schema=HYPOTHESES.schema, orient="row").sort(HYPOTHESES.key)


def find_live(past: pl.DataFrame) -> list[Row]:
    """The last step of every hypothesis that is at work or confirmed."""
    last = past.sort("session", "hypothesis_id").unique("hypothesis_id", keep="last", maintain_order=True)
    return last.filter(pl.col("status").is_in([*AT_WORK, "confirmed"])).to_dicts()


def find_barred(insights: pl.DataFrame, first: date) -> set[Key]:
    """Slices whose last adjustment was measured to hurt, or to do nothing, since that session: they are left alone."""
    useless = pl.col("effect").is_in(["hurt", "no effect"])
    unmeasurable = (pl.col("effect") == "expired") & (pl.col("status") == "measured")
    mine = insights.filter((pl.col("kind") == "bias") & (useless | unmeasurable) & (pl.col("session") > first))
    return {key_of(row) for row in mine.to_dicts()}


def key_of(row: Row) -> Key:
    """The slice that a row is about."""
    return str(row["scope"]), str(row["slice"]), int(row["horizon"])


def _end(live: list[Row], flags: pl.DataFrame, session: date) -> Iterator[Row]:
    """Confirmed ones on which nothing is acted any more."""
    active = flags.filter((pl.col("session") == pl.col("session").max()) & pl.col("active"))
    acted_on = set(active["hypothesis_id"].drop_nulls())
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
            smallest = evidence.params.hypotheses.min_sigmas
            yield row | {"session": evidence.session, "scored": scored, **_judge(row, found, last, smallest)}


def _judge(row: Row, found: SliceEvidence | None, last: bool, min_sigmas: float) -> Row:
    if found is None:
        return {"status": "dropped"}
    large = abs(found.mean) >= min_sigmas * found.series.sigma
    true = large and found.p <= row["level"] / len(row["looks"])
    return {
        "status": "confirmed" if true else "dropped" if last else "looked",
        "mean_error": found.mean,
        "standard_error": found.standard_error,
        "p_value": found.p,
    }


def _register(proposals: list[Proposal], past: pl.DataFrame, session: date, params: FeedbackParams) -> Iterator[Row]:
    """The new hypotheses' rows, with the level that what was decided before grants them."""
    begun = {family: _begun(past, family) for family in FAMILIES}
    for proposal in proposals:
        scope, name, horizon = proposal.key
        family = family_of(scope)
        number, confirmed = begun[family]
        begun[family] = number + 1, confirmed
        looks = plan_looks(horizon, params.hypotheses.scored)
        yield {
            "hypothesis_id": f"{scope}:{name}:{horizon}:{session}",
            "session": session,
            "registered": session,
            "scope": scope,
            "slice": name,
            "horizon": horizon,
            "status": "registered",
            "statement": f"forecasts over {counted(horizon, 'session')} of {describe(scope, name)} err to one side",
            "reason": proposal.reason,
            "family": family,
            "number": number,
            "level": (level := grant_level(number, confirmed, params.hypotheses.false_discovery * FAMILIES[family])),
            "criterion": _criterion(looks, level, params.hypotheses.min_sigmas),
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


def _criterion(looks: tuple[int, ...], level: float, min_sigmas: float) -> str:
    when = ", ".join(str(look) for look in looks[:-1])
    return (
        f"confirmed if p is at most {level / len(looks):.3g} and the error {min_sigmas:g} sigma or more after {when} or"
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
        Read(LEARNING_INSIGHTS, lookback=BiasParams().quarantine, upto="previous"),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK, where=pl.col("kind").is_in(["rename", "delisting"])),
    ),
    writes=HYPOTHESES,
    params=FeedbackParams(),
    section="feedback",
)
