"""`nextgen train`: a challenger for the champion."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.arguments import DAY
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import dry_run_option, show_rehearsal

if TYPE_CHECKING:
    from lake.store import Lake


@click.command("train", cls=ReadingCommand)
@click.option("--session", type=DAY, help="Train at this session's close (default: the last one).")
@click.option("--target", metavar="KIND=NAMES", help="Tune the champion for sector=NAME, ticker=ABC or group=ABC,DEF.")
@click.option(
    "--search", is_flag=True, help="Search for settings first (models.search_space), within the training window."
)
@dry_run_option()
@pass_invocation
def command(invocation: Invocation, session: date | None, target: str | None, search: bool, dry_run: bool) -> None:
    """Train a challenger and evaluate it.

    It becomes champion only if it beats the naive forecast and the current champion out of sample. With --target, a
    specialist begins as the champion, learns from these names alone, and speaks for them in his place if it beats a
    general model of the same folds on their held-out sessions, by more than the best of all such trainings would by
    chance; it lapses with the champion. A session is trained for all names once.
    Example: nextgen train --target sector=Energy
    """
    from lake.runs import was_trained
    from nextgen_tui.cli.session_choice import refuse_unknown, require_last_session
    from pipeline.engine import work

    session = session or require_last_session(invocation.lake)
    refuse_unknown(invocation.lake, session, invocation.runner.calendar)
    wanted = _check_target(invocation, target, session)
    _check_search(invocation, search, target)
    if not wanted and was_trained(invocation.lake, session):
        invocation.output.show(f"{session} was trained already, and is left alone: a session is trained once.")
        _show_promotions(invocation, session)
    elif dry_run:
        show_rehearsal(invocation, work.training(session, wanted, search=search))
    else:
        _train_target(invocation, session, wanted) if wanted else _train(invocation, session, search)


def _check_target(invocation: Invocation, target: str | None, session: date) -> str:
    """The target as it is recorded; empty for none."""
    from pipeline.reading.learning.targets import check_target

    if target is None:
        return ""
    try:
        return str(check_target(invocation.lake, target, session))
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _train_target(invocation: Invocation, session: date, target: str) -> None:
    import polars as pl
    from rich.text import Text

    from lake.tables.models import TARGETED_TRAININGS
    from nextgen_tui.cli.error_messages import suggest_request
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.text.safe_text import safe_text

    what = f"training at {session} for {target}"
    with suggest_request(invocation, f"train --session {session}"), invocation.output.progress(what) as progress:
        invocation.runner.train(session, progress, target)
    mine = (pl.col("session") == session) & (pl.col("target") == target)
    decided = invocation.lake.read(TARGETED_TRAININGS, where=mine)
    for row in decided.iter_rows(named=True):
        name = row["specialist_id"] or f"Nothing was trained for {target}"
        invocation.output.show(Text(safe_text(f"{name}: {row['reason']}", 600)))
    invocation.output.record(to_records(decided))


def _check_search(invocation: Invocation, search: bool, target: str | None) -> None:
    """Refuse a search of nothing before anything is begun."""
    from pipeline.models.search.space import read_space

    if not search:
        return
    if target is not None:
        raise click.UsageError("--search is for trainings for all names; a specialist has the settings of the champion")
    try:
        read_space(invocation.settings.models.search_space)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _train(invocation: Invocation, session: date, search: bool) -> None:
    from nextgen_tui.cli.error_messages import suggest_request

    asked = f"train --session {session}"
    with suggest_request(invocation, asked), invocation.output.progress(f"training at {session}") as progress:
        invocation.runner.train(session, progress, search=search)
    _show_promotions(invocation, session)


def _show_promotions(invocation: Invocation, session: date) -> None:
    """Show what became of what was trained at a session, or why nothing was."""
    import polars as pl
    from rich.text import Text

    from lake.tables.models import MODEL_PROMOTIONS
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.text.safe_text import safe_text

    decided = invocation.lake.read(MODEL_PROMOTIONS, where=pl.col("session") == session)
    for row in decided.iter_rows(named=True):
        verdict = "became champion" if row["promoted"] else "was not promoted"
        sentence = f"{row['model_id']} {verdict}: {row['reason']}"
        invocation.output.show(Text(safe_text(sentence, 600)))
    if decided.is_empty():
        invocation.output.show(
            Text(safe_text(f"Nothing was trained at {session}: {_why_nothing(invocation.lake, session)}", 600))
        )
    invocation.output.record(to_records(decided))


def _why_nothing(lake: Lake, session: date) -> str:
    """What the last attempt lacked, and what gives it."""
    import polars as pl

    from lake.runs import last_cycle
    from lake.tables.models import TRAINING_ATTEMPTS

    lacking = lake.read(TRAINING_ATTEMPTS, where=pl.col("session") == session)["reason"].to_list()
    told = lacking[-1] if lacking else "the training left no word"
    first = "; features are computed by the first cycle: run `nextgen cycle`" if last_cycle(lake) is None else ""
    return f"{told}{first}"
