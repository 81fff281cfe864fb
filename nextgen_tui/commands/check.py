"""`nextgen check`: does anything of this lake know the future, do its books add up, is a training the same twice?"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.arguments import DAY
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from lake.store import Lake
    from pipeline.leaks.detection import Detection

COLOURS = {"clean": "green", "leak": "bold red", "broken": "bold red", "not checked": "yellow"}


@click.command("check", cls=ReadingCommand)
@click.argument("what", type=click.Choice(["leaks", "books", "determinism"]))
@click.option("--session", type=DAY, help="The last session that is looked at (default: the last one there is).")
@click.option(
    "--draws",
    type=click.IntRange(1, 10),
    default=3,
    show_default=True,
    help="Sessions after which the future is altered, and cut off.",
)
@pass_invocation
def command(invocation: Invocation, what: str, session: date | None, draws: int) -> int:
    """Look for what knows the future, add the books up again, or train twice.

    With books, every entry of the ledger is added up and compared with the balances that the books go on from, and
    with fills and facts gone through from the first session on; a cycle looks at what its session adds.

    With leaks, bars and news may not be known too early, nor stages be shown what comes after, nor members be picked
    by survival. Later rows and corporate actions are altered or cut off, and no feature or forecast may move; features
    may look back no further than they declare; labels of folds may not overlap, nor be an input; and nothing may be
    learned from shuffled labels. Each detector has to find a planted leak first: one that does not is told as broken.

    With determinism, the session's training is done twice in fresh processes. Whether the weights of every member are
    equal to the bit is recorded in determinism_certificates, with the versions of the libraries and the processor.

    Nothing else is written. The exit status is 1 if there is a leak, a broken detector, books that are off, or weights
    that differ. Example: nextgen check leaks --draws 5
    """
    if session is not None:
        from nextgen_tui.cli.session_choice import refuse_unknown

        refuse_unknown(invocation.lake, session, invocation.runner.calendar)
    if what == "books":
        return _check_books(invocation, session)
    return _check_leaks(invocation, session, draws) if what == "leaks" else _check_determinism(invocation, session)


def _require_books(lake: Lake, session: date | None) -> date:
    """The session whose books are looked at; without a cycle there are none, and nothing could agree with them."""
    from lake.runs import cycle_sessions
    from lake.tables.control import RUNS

    done = cycle_sessions(lake.read(RUNS, columns=("run_id", "session", "work", "status")))
    if not done:
        raise click.UsageError("there are no books yet; the first `nextgen cycle` opens them")
    if session is not None and session not in done:
        raise click.UsageError(f"there are no books of {session}; they go from {done[0]} to {done[-1]}")
    return session or done[-1]


def _check_books(invocation: Invocation, session: date | None) -> int:
    from pipeline.engine.executor import Executor
    from pipeline.reading.books_check import check_books

    executor = Executor(invocation.lake, invocation.settings)
    found = check_books(executor, _require_books(invocation.lake, session))
    invocation.output.record(asdict(found) | {"agrees": found.agrees, "sentence": found.sentence})
    invocation.output.say(found.sentence)
    return exit_codes.DONE if found.agrees else exit_codes.DEGRADED


def _check_determinism(invocation: Invocation, session: date | None) -> int:
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.cli.session_choice import require_last_session
    from pipeline.engine.determinism import certify

    session = session or require_last_session(invocation.lake)
    with invocation.output.progress(f"training twice at {session}") as progress:
        progress("in two processes, one after the other", 0, 1)
        found = certify(invocation.lake, session)
    invocation.output.record(to_records(found.rows))
    invocation.output.say(found.sentence)
    return exit_codes.DONE if found.equal else exit_codes.DEGRADED


def _check_leaks(invocation: Invocation, session: date | None, draws: int) -> int:
    from nextgen_tui.cli.session_choice import require_last_session
    from nextgen_tui.text.formats import counted
    from pipeline.engine.executor import Executor
    from pipeline.leaks.check import find_leaks

    executor = Executor(invocation.lake, invocation.settings)
    session = session or require_last_session(invocation.lake)
    with invocation.output.progress("looking for leaks") as progress:
        found = list(find_leaks(executor, session, draws, progress))
    _show(invocation, found)
    invocation.output.record([_record(one) for one in found])
    leaks, broken = sum(len(one.leaks) for one in found), sum(one.state == "broken" for one in found)
    asked = sum(one.state != "not checked" for one in found)
    invocation.output.say(
        f"{counted(asked, 'detector')} of {len(found)} asked, {broken} of them broken; {counted(leaks, 'leak')} found"
    )
    return exit_codes.DEGRADED if leaks or broken else exit_codes.DONE


def _show(invocation: Invocation, found: list[Detection]) -> None:
    from rich.text import Text

    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    view = grid()
    for heading in ("detector", "verdict", "looks for", "finds what is planted", "checked", "leaks"):
        view.add_column(heading, justify="right" if heading in ("checked", "leaks") else "left")
    for one in found:
        verdict = Text(one.state, COLOURS[one.state])
        fired = "" if one.state == "not checked" else "yes" if one.fired else "no"
        view.add_row(one.detector, verdict, one.question or one.remark, fired, str(one.checked), str(len(one.leaks)))
    invocation.output.show(view)
    for one in found:
        if one.state == "broken":
            invocation.output.show(Text(safe_text(f"{one.detector}: {one.remark}", 400), "red"))
        for leak in one.leaks:
            sentence = f"{one.detector}: {leak.subject}, {leak.count:,} of it: {leak.first}"
            invocation.output.show(Text(safe_text(sentence, 600), "red"))


def _record(one: Detection) -> dict[str, Any]:
    return asdict(one) | {"state": one.state}
