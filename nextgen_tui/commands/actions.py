"""`nextgen actions`: the corporate actions that stand, and the operator's own word on them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli.arguments import DAY, REASON, count_from
from nextgen_tui.cli.completion import complete_ticker
from nextgen_tui.cli.invocation import (
    Invocation,
    ReadingCommand,
    common_options,
    json_option,
    pass_invocation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.control.operator.statements import StatedAction, Verb

KIND_HELP = (
    "KIND is split, stock_dividend, dividend, special_dividend, return_of_capital, rights, spin_off, merger,"
    " delisting, rename or ticker_swap (which is stated of both companies at once)."
)


@click.group("actions", params=[*common_options(), json_option()])
def command() -> None:
    """List, add, correct, withdraw or release corporate actions.

    What you state stands against what any source says of the same ticker, day and kind, until you release it, and the
    book follows it in the session that learns it. Every statement is recorded with its reason.
    """


@command.command("list", cls=ReadingCommand)
@click.argument("ticker", default="", shell_complete=complete_ticker)
@click.option("--since", type=DAY, help="First ex-date (default: a year before the last session).")
@click.option("--until", type=DAY, help="Last ex-date (default: all that is stated ahead).")
@click.option("--withdrawn", is_flag=True, help="Show those that were taken back, too.")
@pass_invocation
def list_command(invocation: Invocation, ticker: str, since: date | None, until: date | None, withdrawn: bool) -> None:
    """List the actions that stand, those stated ahead among them.

    TICKER shows those of one name. The note says who stated an action, and why where it was you.
    """
    from nextgen_tui.cli.decision_output import record_decision
    from nextgen_tui.cli.output import to_records
    from pipeline.reading.results.actions import list_actions

    rows = record_decision(
        lambda: list_actions(invocation.runner, ticker, since=since, until=until, withdrawn=withdrawn)
    )
    records = to_records(rows)
    invocation.output.show(_grid(records))
    invocation.output.record(records)


def _which(function: Callable[..., None]) -> Callable[..., None]:
    """The arguments that say which action is meant."""
    for argument in (
        click.argument("kind"),
        click.argument("ex_date", type=DAY),
        click.argument("ticker", shell_complete=complete_ticker),
    ):
        function = argument(function)
    return function


_one_of_several = click.option("--sequence", type=count_from(0), help="Which of several of that kind on that day.")


def _terms(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say what an action consists of."""
    for option in (
        click.option("--ratio", metavar="NEW:OLD", help="Shares: 2:1 is two new ones for each old one."),
        click.option("--amount", help="Per share: cash, the value of what is handed out, or the final value."),
        click.option("--cash", help="Of a merger: the part of the amount paid in cash."),
        click.option("--cost-share", help="Of a spin-off: the fraction of the cost that goes along, such as 0.2."),
        click.option("--successor", help="The new ticker of a rename; whose shares a spin-off or merger brings."),
        click.option("--pay-date", type=DAY, help="When the cash arrives."),
        click.option("--currency", help="Currency of the amounts, where it is not the listing's."),
        click.option("--reason", type=REASON, required=True, help="Why; it is recorded."),
        click.option("--session", type=DAY, help="The session that is to learn it (default: the next that can)."),
    ):
        function = option(function)
    return function


@command.command("add", cls=ReadingCommand, epilog=KIND_HELP)
@_which
@click.option("--another", is_flag=True, help="There are two of that kind on that day.")
@_terms
@pass_invocation
def add_command(
    invocation: Invocation, /, ticker: str, ex_date: date, kind: str, another: bool, **options: Any
) -> None:
    """State an action that no source states.

    EX_DATE is the first session that trades without it, past or ahead.
    """
    _state(invocation, "add", ticker, ex_date, kind, options, another=another)


@command.command("correct", cls=ReadingCommand, epilog=KIND_HELP)
@_which
@_one_of_several
@_terms
@pass_invocation
def correct_command(
    invocation: Invocation, /, ticker: str, ex_date: date, kind: str, sequence: int | None, **options: Any
) -> None:
    """Change what an action says.

    Give the terms that change; the others stay. For another ex-date, withdraw the action and add it anew.
    """
    _state(invocation, "correct", ticker, ex_date, kind, options, sequence=sequence)


@command.command("withdraw", cls=ReadingCommand, epilog=KIND_HELP)
@_which
@_one_of_several
@click.option("--reason", type=REASON, required=True, help="Why; it is recorded.")
@click.option("--session", type=DAY, help="The session that is to learn it (default: the next that can).")
@pass_invocation
def withdraw_command(
    invocation: Invocation, /, ticker: str, ex_date: date, kind: str, sequence: int | None, **options: Any
) -> None:
    """State that an action does not take place.

    What the book had posted of it is reversed in the session that learns it.
    """
    _state(invocation, "withdraw", ticker, ex_date, kind, options, sequence=sequence)


@command.command("release", cls=ReadingCommand, epilog=KIND_HELP)
@_which
@click.option("--reason", type=REASON, required=True, help="Why; it is recorded.")
@click.option("--session", type=DAY, help="The session that is to learn it (default: the next that can).")
@pass_invocation
def release_command(invocation: Invocation, /, ticker: str, ex_date: date, kind: str, **options: Any) -> None:
    """Give what you stated back to the sources.

    From the session that learns it their word on that ticker, day and kind counts again: what each says of it now, or
    said last. What none of them states is taken back. The book follows.
    """
    _state(invocation, "release", ticker, ex_date, kind, options)


def _state(
    invocation: Invocation, verb: Verb, ticker: str, ex_date: date, kind: str, options: dict[str, Any], **which: Any
) -> None:
    from nextgen_tui.cli.decision_output import record_decision
    from pipeline.control.operator.state_actions import state_action
    from pipeline.control.operator.statements import Statement

    reason, session = options.pop("reason"), options.pop("session")
    said = Statement(
        verb=verb,
        ticker=ticker.upper(),
        ex_date=ex_date,
        kind=kind.lower().replace("-", "_"),
        reason=reason,
        session=session,
        terms=_read_terms(options),
        **which,
    )
    _show(invocation, record_decision(lambda: state_action(invocation.runner, said, "cli")))


def _read_terms(options: dict[str, Any]) -> dict[str, str]:
    """The terms that were given, as a source would write them."""
    given = {name: str(value) for name, value in options.items() if value is not None}
    if (ratio := given.pop("ratio", None)) is not None:
        new, colon, old = ratio.partition(":")
        if not colon:
            raise click.UsageError(f"--ratio {ratio!r} is not NEW:OLD; two new shares for each old one are 2:1")
        given |= {"numerator": new.strip(), "denominator": old.strip()}
    return given


def _show(invocation: Invocation, stated: StatedAction) -> None:
    done = {"add": "added", "correct": "corrected", "withdraw": "withdrawn", "release": "released"}[stated.verb]
    when = "" if stated.takes_effect == stated.session else f" and takes effect on {stated.takes_effect}"
    invocation.output.show(
        f"{stated.kind} of {stated.ticker} on {stated.ex_date} {done}: the cycle of {stated.session} learns it{when}."
    )
    invocation.output.record(asdict(stated))


def _grid(records: list[dict[str, Any]]) -> Any:
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    view = grid("Corporate actions")
    for heading in ("ex-date", "ticker", "what", "no.", "terms", "state", "learned on", "note"):
        view.add_column(heading)
    for one in records:
        note = f"{one['source']}: {one['reason']}" if one["reason"] else one["source"]
        learned = str(one["learned_on"] or "")
        cells = (one["ex_date"], one["ticker"], one["what"], one["sequence"], one["terms"], one["state"], learned, note)
        view.add_row(*(safe_text(str(cell)) for cell in cells))
    return view
