"""Turns landed corporate actions into dated facts, each correction a further revision."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import polars as pl

from lake.contract import UTC
from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, RAW_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.decode_payloads import SET_ASIDE, decode
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.parse_values import day, first_broken, instant, number, present
from pipeline.ingestion.prices.actions_from_adjusted_closes import KIND, recover_actions
from pipeline.ingestion.prices.bar_rules import is_well_formed
from pipeline.ingestion.prices.minor_units import add_currency
from pipeline.market.sessions import Sessions

FIELDS = (
    *("ticker", "ex_date", "kind", "numerator", "denominator", "amount", "pay_date", "successor"),
    "available_at",
)
ANNOUNCED = 63
"""Sessions, a quarter: how long an action that is announced ahead is remembered until its ex-date comes."""
NOT_TOLD = ("nature", "currency", "cash", "cost_share", "learned_on", "withdrawn")
CONTENT = ("numerator", "denominator", "amount", "pay_date", "successor")
GROUP = ("ticker", "ex_date", "kind")


class ValidatedActions(NamedTuple):
    """The two parts of what was delivered."""

    good: pl.DataFrame
    """The contract's columns but sequence and revision, and landed, history, line, stated."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text and rule."""


def validate_actions(raw_prices: pl.DataFrame, instruments: pl.DataFrame, calendar: Sessions) -> ValidatedActions:
    """Part the actions, delivered or implied by adjusted closes, into sound ones and those that break a rule.

    Amounts of what is quoted in pence or the like become whole currency. A rule of the table itself (a split without a
    ratio, a dividend without an amount) is told in the table's words.
    """
    lines = decode(raw_prices.filter(pl.col("kind") == "actions"), FIELDS)
    if (raw_prices["kind"] == KIND).any():
        lines = pl.concat([lines, recover_actions(raw_prices, calendar).select(lines.columns)])
    texts = {f"{name}_text": pl.col(name) for name in FIELDS}
    typed = (
        add_currency(lines, instruments)
        .drop("currency")
        .with_columns(**texts)
        .with_columns(
            **{name: day(name) for name in ("ex_date", "pay_date")},
            **{name: number(name) for name in ("numerator", "denominator")},
            amount=number("amount") / pl.col("per"),
            successor=pl.when(present("successor")).then("successor"),
            **{name: pl.lit(None, dtype=CORPORATE_ACTIONS.schema[name]) for name in NOT_TOLD},
            stated=instant("available_at"),
        )
    )
    rules = {
        "ticker is well-formed": is_well_formed("ticker"),
        **({} if instruments.is_empty() else {"ticker is listed": _is_listed(instruments)}),
        **_rules(),
        **{name: rule.holds for name, rule in CORPORATE_ACTIONS.rules.items()},
    }
    typed = typed.with_columns(rule=pl.coalesce("fault", first_broken(rules)))
    return ValidatedActions(
        good=typed.filter(pl.col("rule").is_null()).with_columns(pl.col("numerator", "denominator").cast(pl.Int64)),
        bad=typed.filter(pl.col("rule").is_not_null()).select(*SET_ASIDE),
    )


def _is_listed(instruments: pl.DataFrame) -> pl.Expr:
    return pl.col("ticker").is_in(instruments["ticker"].implode())


def _rules() -> dict[str, pl.Expr]:
    kinds = ["split", "dividend", "delisting", "rename"]
    rules = {
        "kind is known": pl.col("kind").is_in(kinds).fill_null(False),
        "ex_date is present": present("ex_date_text"),
        "ex_date is readable": pl.col("ex_date").is_not_null(),
        "pay_date is readable": ~present("pay_date_text") | pl.col("pay_date").is_not_null(),
        "available_at is a time with a zone": ~present("available_at_text") | pl.col("stated").is_not_null(),
        "successor is well-formed": ~present("successor_text") | is_well_formed("successor"),
        "a rename has a successor": (pl.col("kind") != "rename") | present("successor_text"),
    }
    for name in ("numerator", "denominator", "amount"):
        rules[f"{name} is a finite number"] = ~present(f"{name}_text") | pl.col(name).is_finite().fill_null(False)
    for name in ("numerator", "denominator"):
        whole = (pl.col(name) == pl.col(name).floor()) & (pl.col(name).abs() < 2**53)
        rules[f"{name} is a whole number"] = whole
    return rules


def actions(
    raw_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    instruments: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Keep the actions that have reached their ex-date and are new or differ from what is known.

    Several of one kind on one day are numbered by content. An action without a stated announcement is known at the open
    of its ex-date, or at the landing that brought it late. Works on a range of sessions: landings are taken in order.
    """
    delivered = _due(validate_actions(raw_prices, instruments, moment.calendar).good, moment)
    known = corporate_actions.select(*CORPORATE_ACTIONS.columns)
    new = [known.clear()]
    for landing in delivered.partition_by("due", maintain_order=True):
        public = moment.calendar.close_at(landing["due"][0]) + params.publication_lag
        fresh = _number_revisions(landing, _last(known.filter(pl.col("available_at") <= public)))
        dated = _add_availability(fresh, moment, params.publication_lag)
        new.append(dated.select(*CORPORATE_ACTIONS.columns))
        known = pl.concat([known, new[-1]])
    rows = pl.concat(new).join(corporate_actions, on=CORPORATE_ACTIONS.key, how="anti")
    return rows.sort(CORPORATE_ACTIONS.key)


def _due(actions: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """The actions to take now, with due (Date): the landing, or the ex-date where that comes later.

    Of one landing session's answers and older announcements the latest counts; a line given twice counts once.
    """
    # An ex-date outside the calendar has no session; it is held within it, and the future is left for later.
    last = moment.calendar.days[-1]
    taken = actions.filter(pl.col("ex_date") <= moment.session)
    days = taken.select(day=pl.max_horizontal("landed", "ex_date").clip(moment.calendar.days[0], last))["day"]
    due = pl.Series("due", [moment.calendar.at_or_after(day) for day in days], dtype=pl.Date)
    return (
        taken.with_columns(due)
        .filter((pl.col("due") >= moment.since) & (pl.col("due") <= moment.session))
        .filter(pl.col("landed") == pl.col("landed").max().over(*GROUP, "due"))
        .filter(pl.col("fetched_at") == pl.col("fetched_at").max().over(*GROUP, "due"))
        .sort("due", *GROUP, *CONTENT, "payload_id", "line", nulls_last=True)
        .unique(["due", *GROUP, *CONTENT], keep="first", maintain_order=True)
    )


def _last(known: pl.DataFrame) -> pl.DataFrame:
    return known.sort(CORPORATE_ACTIONS.key).unique(CORPORATE_ACTIONS.entity, keep="last", maintain_order=True)


def _number_revisions(landing: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The rows whose content is not known, with sequence and revision (Int32).

    A changed row takes the number of a known one of its kind and day that the landing no longer holds; a row too many
    gets the next number.
    """
    same = [*GROUP, *CONTENT]
    rank = pl.int_range(pl.len()).over(GROUP).alias("rank")
    fresh = landing.join(known, on=same, how="anti", nulls_equal=True, maintain_order="left").with_columns(rank)
    gone = known.join(landing, on=same, how="anti", nulls_equal=True, maintain_order="left")
    gone = gone.select(*GROUP, "sequence", "revision", rank)
    counts = known.select(GROUP).with_columns(known=pl.len().over(GROUP)).unique()
    left = gone.select(GROUP).with_columns(gone=pl.len().over(GROUP)).unique()
    numbered = fresh.join(gone, on=[*GROUP, "rank"], how="left", maintain_order="left")
    numbered = numbered.join(counts, on=GROUP, how="left", maintain_order="left")
    numbered = numbered.join(left, on=GROUP, how="left", maintain_order="left")
    further = pl.col("known").fill_null(0) + pl.col("rank") - pl.col("gone").fill_null(0)
    return numbered.with_columns(
        sequence=pl.coalesce("sequence", further.cast(pl.Int32)), revision=(pl.col("revision") + 1).fill_null(0)
    )


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
    ),
    writes=CORPORATE_ACTIONS,
    params=IngestionParams(),
    section="ingestion",
)
