"""`nextgen predict-batch`: the forecasts of a batch of windows, without writing any."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.arguments import count_from
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    import polars as pl


@click.command("predict-batch", cls=ReadingCommand)
@click.argument("features_id")
@click.option("--horizon", type=count_from(1), help="Show only this horizon, in sessions.")
@pass_invocation
def command(invocation: Invocation, features_id: str, horizon: int | None) -> None:
    """Forecast from a batch of feature windows.

    Every usable window of the batch gets the forecast that its session's champion would make, from what was known
    then. Nothing is written; that is done by the `predict` stage of a cycle.
    """
    import polars as pl

    from lake.tables.features import FEATURE_WINDOWS
    from lake.tables.predictions import PREDICTIONS
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.text.table_view import choose_columns, frame_grid

    windows = invocation.lake.read(FEATURE_WINDOWS, where=pl.col("features_id") == features_id)
    if windows.is_empty():
        raise click.UsageError(
            f"there is no batch {features_id!r}; `nextgen show feature_windows --columns features_id` lists some"
        )
    forecasts = _forecast(invocation, features_id, windows["session"][0])
    if horizon is not None:
        forecasts = forecasts.filter(pl.col("horizon") == horizon)
    output = invocation.output
    output.record(to_records(forecasts))
    if not output.as_json:
        first = ("ticker", "horizon", "target_session", "reference_close", "point", "q05", "q50", "q95")
        names = choose_columns(
            forecasts, (*first, "probability_up", "confidence", "strangeness"), output.data.width, PREDICTIONS
        )
        output.show(frame_grid(forecasts.select(names), PREDICTIONS))
    output.say(f"{forecasts.height} forecasts from {windows.height} windows of {windows['session'][0]}")


def _forecast(invocation: Invocation, features_id: str, session: date) -> pl.DataFrame:
    """What the predict stage would see at the session, given to its core for the whole batch."""
    from pipeline.models.members import list_members
    from pipeline.prediction.predict import STAGE, predict_batch

    runner, calendar = invocation.runner, invocation.runner.calendar
    made_at = runner.decision_time(session)
    frames = {
        read.table.name: invocation.lake.read(
            read.table,
            since=None if read.lookback is None else calendar.offset(session, -read.lookback),
            until=session if read.upto == "session" else calendar.previous(session),
            as_of=made_at,
            where=read.where,
            columns=read.columns,
            every_revision=read.every_revision,
        )
        for read in STAGE.reads
        if read.table.name != "ticker_priorities"  # the whole batch is asked for, selected or not
    }
    return predict_batch(
        features_id,
        **frames,
        made_at=made_at,
        calendar=calendar,
        params=invocation.settings.prediction,
        members=list_members(runner.plugins.extend(STAGE.uses).members),
        shadow=None,
    )
