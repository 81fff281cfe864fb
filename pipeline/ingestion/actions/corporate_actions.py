"""Turns landed corporate actions into dated facts: a correction, and what is taken back, is a further revision."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from lake.contract import UTC
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, RAW_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.actions.action_coverage import COVERAGE, OPERATOR, drop_superseded, join_covering, list_landings
from pipeline.ingestion.actions.actions_from_adjusted_closes import KIND
from pipeline.ingestion.actions.foreign_amounts import Conversion
from pipeline.ingestion.actions.operator_word import (
    bring_forward,
    drop_spoken_of,
    find_claimed,
    find_denied,
    follow_word,
    last_words,
    read_words,
)
from pipeline.ingestion.actions.released_words import give_back
from pipeline.ingestion.actions.revisions import (
    CONTENT,
    GROUP,
    SAME,
    number_copies,
    number_revisions,
    select_last,
    select_standing,
)
from pipeline.ingestion.actions.validate_actions import validate_actions
from pipeline.ingestion.params import IngestionParams

ANNOUNCED = 63
"""Sessions, a quarter: how long an action that is announced ahead is remembered until its ex-date comes."""


def actions(
    raw_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Keep the actions that have reached their ex-date and are new or differ from what is known.

    Several of one kind on one day are numbered by content. An action without a stated announcement is known at the open
    of its ex-date, or at the landing that brought it late. Of a source whose landings say which ex-dates they cover,
    the newest counts alone: what it leaves out is taken back, what it states unsoundly stays as it was. What the
    operator states stands against every source, until he releases it. Works on a range of sessions: landings in order.
    """
    known = corporate_actions.select(*CORPORATE_ACTIONS.columns)
    raw_prices = bring_forward(raw_prices, moment.since)
    rates = Conversion(fx_rates, moment.session, params.max_rate_age_days)
    parts = validate_actions(raw_prices, instruments, select_standing(select_last(known)), moment.calendar, rates)
    lines = _number_copies(parts.good)
    landings, words = list_landings(raw_prices), read_words(raw_prices)
    due = _due(lines, moment)
    new = [known.clear()]
    for session in _days_of_work(due, pl.concat([landings["landed"], words["landed"]]), moment):
        public = moment.calendar.close_at(session) + params.publication_lag(moment.calendar)
        last = select_last(known.filter(pl.col("available_at") <= public))
        standing = number_copies(select_standing(last))
        landed = landings.filter(pl.col("landed") <= session)
        said, released = last_words(words, session)
        stated = drop_superseded(due.filter(pl.col("due") == session), landed)
        told = lines.filter(pl.col("landed") <= session, pl.col("ex_date") <= session)
        back = give_back(released, known.filter(pl.col("available_at") <= public), told, landed)
        stated = stated.join(back, on=GROUP, how="anti", maintain_order="left")
        fresh = number_revisions(follow_word(stated, said, last), last, standing)
        left_out = _left_out(standing, fresh, lines, landings.filter(pl.col("landed") == session))
        left_out = drop_spoken_of(_drop_unsound(left_out, parts.bad), said, last)
        denied = _denied(last, standing, stated, fresh, lines, said)
        dated = _add_availability(fresh, moment, params.publication_lag(moment.calendar))
        gone = pl.concat([left_out, denied]).with_columns(withdrawn=pl.lit(True))
        claimed = find_claimed(standing, lines, said, SAME)
        claimed = claimed.select(last.columns).with_columns(pl.col("revision") + 1)
        gone = _date_landing(pl.concat([gone, back, claimed]), session, public)
        new += [dated.select(*CORPORATE_ACTIONS.columns), gone]
        known = pl.concat([known, *new[-2:]])
    rows = pl.concat(new).join(corporate_actions, on=CORPORATE_ACTIONS.key, how="anti")
    return rows.sort(CORPORATE_ACTIONS.key)


def _number_copies(lines: pl.DataFrame) -> pl.DataFrame:
    """Add copy (UInt32): 0 for the first of equal lines in one payload, then 1, ...

    Two equal dividends of one day are two payments. But a payload of which every line is there as often is one that was
    written twice, and one without coverage is read as it always was: a line given twice counts once.
    """
    alike = ["payload_id", *GROUP, *CONTENT]
    numbered = lines.sort("payload_id", "line").with_columns(
        copy=pl.int_range(pl.len(), dtype=pl.UInt32).over(alike), copies=pl.len().over(alike)
    )
    doubled = (pl.col("copies").min() > 1).over("payload_id") & (pl.struct(alike).n_unique() > 1).over("payload_id")
    single = (doubled & (pl.col("source") != OPERATOR)) | pl.col(COVERAGE[0]).is_null()
    return numbered.filter(~single | (pl.col("copy") == 0)).drop("copies")


def _days_of_work(due: pl.DataFrame, landings: pl.Series, moment: Moment) -> list[date]:
    """The sessions at which something is due or was landed, in order."""
    landed = landings.filter(landings.is_between(moment.since, moment.session))
    return pl.concat([due["due"], landed]).unique().sort().to_list()


def _due(actions: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """The actions to take now, with due (Date): the landing, or the ex-date where that comes later.

    Of one landing session's answers and older announcements the latest counts; a line given twice counts once. The
    operator's lines are reckoned by themselves.
    """
    # An ex-date outside the calendar has no session; it is held within it, and the future is left for later.
    last = moment.calendar.days[-1]
    taken = actions.filter(pl.col("ex_date") <= moment.session)
    days = taken.select(day=pl.max_horizontal("landed", "ex_date").clip(moment.calendar.days[0], last))["day"]
    due = pl.Series("due", [moment.calendar.at_or_after(day) for day in days], dtype=pl.Date)
    return (
        taken.with_columns(due, spoken=pl.col("source") == OPERATOR)
        .filter((pl.col("due") >= moment.since) & (pl.col("due") <= moment.session))
        .filter(pl.col("landed") == pl.col("landed").max().over(*GROUP, "due", "spoken"))
        .filter(pl.col("fetched_at") == pl.col("fetched_at").max().over(*GROUP, "due", "spoken"))
        .sort("due", *SAME, "spoken", "payload_id", "line", nulls_last=True)
        .unique(["due", *SAME, "spoken"], keep="first", maintain_order=True)
        .drop("spoken")
    )


def _left_out(standing: pl.DataFrame, fresh: pl.DataFrame, lines: pl.DataFrame, landings: pl.DataFrame) -> pl.DataFrame:
    """The facts that stand and that today's landings of their source cover and do not state."""
    if landings.is_empty() or standing.is_empty():
        return standing.clear().select(*CORPORATE_ACTIONS.columns)
    newest = landings.sort("fetched_at").unique(["source", "asked"], keep="last", maintain_order=True)
    speaking = newest.select("source", "asked", *COVERAGE, told_by="payload_id")
    covered = join_covering(standing, speaking)
    told = lines.select(*SAME, told_by="payload_id")
    missing = covered.join(told, on=[*SAME, "told_by"], how="anti", nulls_equal=True)
    replaced = fresh.select(*CORPORATE_ACTIONS.entity)
    missing = missing.with_columns(payload_id=pl.col("told_by")).join(replaced, on=replaced.columns, how="anti")
    missing = missing.with_columns(pl.col("revision") + 1)
    return missing.select(*CORPORATE_ACTIONS.columns).unique(CORPORATE_ACTIONS.key, maintain_order=True)


def _drop_unsound(facts: pl.DataFrame, bad: pl.DataFrame) -> pl.DataFrame:
    """The facts to take back but those that the landing still speaks of, if in a line that breaks a rule."""
    unsound = bad.select("payload_id", said_of="ticker", said_for="ex_date")
    met = (pl.col("said_of").is_null() | (pl.col("said_of") == pl.col("ticker"))) & (
        pl.col("said_for").is_null() | (pl.col("said_for") == pl.col("ex_date"))
    )
    spoken_of = facts.join(unsound, on="payload_id").filter(met)
    return facts.join(spoken_of, on=CORPORATE_ACTIONS.key, how="anti", maintain_order="left")


def _denied(
    last: pl.DataFrame,
    standing: pl.DataFrame,
    stated: pl.DataFrame,
    fresh: pl.DataFrame,
    lines: pl.DataFrame,
    said: pl.DataFrame,
) -> pl.DataFrame:
    """The facts that stand and that the operator leaves out, and the lines ahead of which he said that it is not so."""
    replaced, known = fresh.select(*CORPORATE_ACTIONS.entity), pl.concat([last.select(GROUP), fresh.select(GROUP)])
    facts = find_denied(standing, lines, said, SAME).with_columns(pl.col("revision") + 1)
    facts = facts.join(replaced, on=replaced.columns, how="anti", maintain_order="left")
    ahead = find_denied(stated, lines, said, SAME).join(known, on=GROUP, how="anti", maintain_order="left")
    numbered = number_revisions(ahead, last, standing).with_columns(pl.lit(None, UTC).alias("available_at"))
    return pl.concat([facts.select(*CORPORATE_ACTIONS.columns), numbered.select(*CORPORATE_ACTIONS.columns)])


def _date_landing(facts: pl.DataFrame, session: date, public: datetime) -> pl.DataFrame:
    """The revisions that the landing of a session makes, known since then."""
    return facts.with_columns(learned_on=pl.lit(session), available_at=pl.lit(public).cast(UTC))


def _add_availability(fresh: pl.DataFrame, moment: Moment, lag: timedelta) -> pl.DataFrame:
    """Add available_at (UTC): as announced, else the open of the ex-date, or the landing of what came late."""
    calendar = moment.calendar
    opens = {day: calendar.open_at(calendar.at_or_after(max(day, calendar.days[0]))) for day in fresh["ex_date"]}
    landings = {day: calendar.close_at(day) + lag for day in fresh["landed"]}
    if fresh.is_empty():
        return fresh.with_columns(available_at=pl.lit(None, dtype=UTC))
    at_open = pl.col("ex_date").replace_strict(opens, return_dtype=UTC)
    at_landing = pl.col("landed").replace_strict(landings, return_dtype=UTC)
    changed = pl.col("revision") > 0
    late = ~pl.col("history") & (pl.col("ex_date") < pl.col("landed"))
    first = pl.when(late).then(pl.max_horizontal(at_open, at_landing)).otherwise(at_open)
    return fresh.with_columns(
        available_at=pl.when(changed).then(at_landing).otherwise(pl.coalesce("stated", first)).cast(UTC)
    )


STAGE = Stage(
    name="actions",
    function=actions,
    reads=(
        Read(RAW_PRICES, lookback=ANNOUNCED, where=pl.col("kind").is_in(["actions", KIND])),
        Read(CORPORATE_ACTIONS, lookback=None, upto="previous", every_revision=True),
        Read(INSTRUMENTS, lookback=None),
        Read(FX_RATES, lookback=None),
    ),
    writes=CORPORATE_ACTIONS,
    params=IngestionParams(),
    section="ingestion",
)
