"""The plan of a session as rows: what every name is to weigh, why, and what stands in the way of more."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lake.tables.trading import TRADE_PLANS
from pipeline.engine.stage import Moment
from pipeline.trading.books.money import rate_series
from pipeline.trading.currencies.session_rates import Exchange
from pipeline.trading.planning.rule import RuleVerdict


def frame_plans(
    rows: Sequence[dict[str, object]],
    verdicts: Sequence[Sequence[RuleVerdict]],
    exchanges: Sequence[Exchange],
    moment: Moment,
) -> pl.DataFrame:
    """Return rows of `trade_plans` with what all of a session share; columns that no row has are null.

    Args:
        rows: one per name, all with the same columns.
        verdicts: what each rule says of each name, in the rules' order.
        exchanges: how each name's close is converted.
        moment: the session at whose close they are decided.
    """
    if not rows:
        return TRADE_PLANS.empty()
    frame = pl.DataFrame(list(rows), schema={name: TRADE_PLANS.schema[name] for name in rows[0]})
    session = moment.session
    frame = frame.with_columns(
        _fold_verdicts(verdicts),
        rate_series(one.rate if one.currency else None for one in exchanges).alias("rate"),
        plan_id=pl.format("{}:{}", pl.lit(str(session)), "ticker"),
        session=pl.lit(session),
        for_session=pl.lit(moment.calendar.next(session)),
        decided_at=pl.lit(moment.as_of).cast(TRADE_PLANS.schema["decided_at"]),
    )
    absent = [name for name in TRADE_PLANS.columns if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=TRADE_PLANS.schema[name]).alias(name) for name in absent)
    return frame.select(*TRADE_PLANS.columns)


def _fold_verdicts(verdicts: Sequence[Sequence[RuleVerdict]]) -> pl.Series:
    """Every ticker has a verdict of every rule, so a flat frame folds into lists without a copy per row."""
    if not any(verdicts):  # no rule is in force: `trading.philosophy.order` names none, or those of short sales alone
        return pl.Series("verdicts", [[]] * len(verdicts), dtype=TRADE_PLANS.schema["verdicts"])
    names = ("rule", "verdict", "scale", "distance", "reason")
    types = (pl.String, pl.String, pl.Float64, pl.Float64, pl.String)
    columns = zip(*(verdict for row in verdicts for verdict in row), strict=True)
    flat = pl.DataFrame(dict(zip(names, columns, strict=True)), schema=dict(zip(names, types, strict=True)))
    return flat.to_struct("verdicts").reshape((len(verdicts), -1)).arr.to_list()
