"""`nextgen train`: a challenger for the champion."""

from __future__ import annotations

from datetime import date

import click

from nextgen_tui.cli.arguments import DAY
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import dry_run_option, show_rehearsal


@click.command("train", cls=ReadingCommand)
@click.option("--session", type=DAY, help="Train at this session's close (default: the last one).")
@dry_run_option()
@pass_invocation
def command(invocation: Invocation, session: date | None, dry_run: bool) -> None:
    """Train a challenger and evaluate it.

    It becomes champion only if it beats the naive forecast and the current champion out of sample.
    """
    import polars as pl
    from rich.text import Text

    from lake.tables.models import MODEL_PROMOTIONS
    from nextgen_tui.cli.error_messages import suggest_request
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.cli.session_choice import refuse_open, require_last_session
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.engine import work

    session = session or require_last_session(invocation.lake)
    refuse_open(session, invocation.runner.calendar)
    if dry_run:
        show_rehearsal(invocation, work.training(session))
        return
    asked = f"train --session {session}"
    with suggest_request(invocation, asked), invocation.output.progress(f"training at {session}") as progress:
        invocation.runner.train(session, progress)
    decided = invocation.lake.read(MODEL_PROMOTIONS, where=pl.col("session") == session)
    for row in decided.iter_rows(named=True):
        verdict = "became champion" if row["promoted"] else "was not promoted"
        sentence = f"{row['model_id']} {verdict}: {row['reason']}"
        invocation.output.show(Text(safe_text(sentence, 600)))
    if decided.is_empty():
        invocation.output.show(f"Nothing was trained at {session}: there is not enough labelled history.")
    invocation.output.record(to_records(decided))
