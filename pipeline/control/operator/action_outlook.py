"""The corporate actions that stand by all that has been landed: those in effect, and those stated ahead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, RAW_PRICES
from pipeline.control.operator.decisions import require_last_session
from pipeline.engine.stage import Moment
from pipeline.ingestion.actions.corporate_actions import ANNOUNCED, STAGE, actions
from pipeline.ingestion.actions.foreign_amounts import Conversion

if TYPE_CHECKING:  # a runner is handed in: who only asks or previews loads no stages
    from pipeline.engine.runner import Runner


def read_outlook(runner: Runner, further: pl.DataFrame | None = None, *, withdrawn: bool = False) -> pl.DataFrame:
    """The last revision of each action, as it will be once every landing has been taken in.

    Nothing is written: the stage that keeps the actions is computed for the sessions ahead.

    Args:
        runner: of the lake.
        further: landings (rows of raw_prices) to take in as well.
        withdrawn: True to have those that were taken back, too.

    Returns:
        The columns of corporate_actions, sorted by ex-date and ticker. What is not in effect yet has an ex-date, or
        a `learned_on`, after the lake's last session.

    Raises:
        DecisionError: if the lake has no history yet.
    """
    lake, calendar = runner.lake, runner.calendar
    since = calendar.next(require_last_session(runner))
    until = calendar.days[min(calendar.position(since) + ANNOUNCED, len(calendar.days) - 1)]
    asked = next(read for read in STAGE.reads if read.table is RAW_PRICES)
    raw = lake.read(RAW_PRICES, since=calendar.offset(since, -ANNOUNCED), until=until, where=asked.where)
    raw = raw.select(*RAW_PRICES.columns)
    known = lake.read(CORPORATE_ACTIONS, every_revision=True).select(*CORPORATE_ACTIONS.columns)
    moment = Moment(
        session=until, since=since, as_of=runner.decision_time(until), seed=0, versions={}, calendar=calendar
    )
    landed = raw if further is None else pl.concat([raw, further.select(*RAW_PRICES.columns)])
    listed = lake.read(INSTRUMENTS).select(*INSTRUMENTS.columns)
    rates, _, age = read_conversion(runner)
    # Rates of the sessions ahead are still to come: until then the last ones known are carried.
    params = replace(runner.settings.section(STAGE.section), max_rate_age_days=age + (until - since).days)
    ahead = actions(landed, known, listed, rates, moment, params)
    last = pl.concat([known, ahead.select(known.columns)]).sort(CORPORATE_ACTIONS.key)
    last = last.unique(CORPORATE_ACTIONS.entity, keep="last", maintain_order=True)
    stands = last if withdrawn else last.filter(~pl.col("withdrawn").fill_null(False))
    return stands.sort("ex_date", "ticker", "kind", "sequence")


def read_conversion(runner: Runner) -> Conversion:
    """By which rates what is stated now would be converted: those known, carried until the next session."""
    rates = runner.lake.read(FX_RATES).select(*FX_RATES.columns)
    following = runner.calendar.next(require_last_session(runner))
    return Conversion(rates, following, runner.settings.section(STAGE.section).max_rate_age_days)
