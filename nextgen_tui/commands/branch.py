"""`nextgen branch`: lakes beside the lake, that share its files and go their own way."""

from __future__ import annotations

from datetime import date
from shlex import quote

import click

from nextgen_tui.cli.arguments import DAY, REASON
from nextgen_tui.cli.invocation import (
    Command,
    Invocation,
    ReadingCommand,
    common_options,
    json_option,
    pass_invocation,
)


@click.group("branch", params=[*common_options(), json_option()], invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make, list, compare, merge or discard branches of the lake.

    A branch is a lake of its own that shares the files of this one up to a session. Every command works on it with
    --branch NAME; nothing that is done there touches this lake, or waits for it.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@command.command("create", cls=ReadingCommand)
@click.argument("name")
@click.option("--at", "session", type=DAY, help="Leave after the cycle of this session (default: now).")
@click.option("--reason", type=REASON, default="", help="Why; it is recorded.")
@pass_invocation
def create_command(invocation: Invocation, name: str, session: date | None, reason: str) -> None:
    """Make a branch; no file is copied.

    Example: nextgen branch create slower --at 2022-03-31 --reason "half the turnover"
    """
    from lake.branches.branch import create_branch
    from nextgen_tui.text import formats

    made = create_branch(invocation.lake, name, session=session, reason=reason)
    after = f"after the cycle of {formats.day(made.session)}" if made.session else "before any cycle"
    parent = (
        f"--lake {quote(invocation.lake_name)} " if invocation.branch_option else ""
    )  # a branch of a branch lies in it
    invocation.output.show(f"Made branch {name}, {after}. Work on it with {parent}--branch {name}.")
    invocation.output.record({"name": name, "session": made.session, "path": str(made.path)})


@command.command("list", cls=ReadingCommand)
@pass_invocation
def list_command(invocation: Invocation) -> None:
    """List the branches: where each left, how much it has of its own, and why it was made."""
    from lake.branches.branch import list_branches, own_bytes
    from nextgen_tui.research.branch_view import show_branches

    found = list_branches(invocation.lake.path)
    invocation.output.show(show_branches(found))
    invocation.output.record(
        [
            {
                "name": one.name,
                "session": one.session,
                "created_at": one.created_at,
                "own_bytes": own_bytes(one.path),
                "reason": one.reason,
            }
            for one in found
        ]
    )


@command.command("diff", cls=ReadingCommand)
@click.argument("name")
@click.argument("other", default="main")
@pass_invocation
def diff_command(invocation: Invocation, name: str, other: str) -> None:
    """Show in which settings, and from which session, stage and row on, a branch differs from the lake or another."""
    from nextgen_tui.research.comparison_view import record_comparison, show_comparison
    from pipeline.research.compare_runs import compare_runs
    from pipeline.research.holdout import last_to_compare
    from pipeline.research.sides import open_side

    judged = open_side(invocation.lake, other), open_side(invocation.lake, name)
    last = last_to_compare(invocation.lake, invocation.settings, None)
    compared = compare_runs(*judged, invocation.runner.calendar, None, last)
    invocation.output.show(show_comparison(compared))
    invocation.output.record(record_comparison(compared))


@command.command("merge", cls=ReadingCommand)
@click.argument("name")
@click.option("--reason", type=REASON, default="", help="Why; it is recorded.")
@click.option("--model", default="", help="The model of the branch that becomes champion (default: its own champion).")
@click.option("--keep-champion", is_flag=True, help="Bring models as challengers alone; this lake's champion stays.")
@click.option("--dry-run", is_flag=True, help="Show what it would bring, and change nothing.")
@pass_invocation
def merge_command(
    invocation: Invocation, name: str, reason: str, model: str, keep_champion: bool, dry_run: bool
) -> None:
    """Make what was decided and trained on a branch the lake's own.

    Its settings, its mandate and all models that it trained come along, with what it tried on held-out sessions; its
    champion becomes champion here. What the lake has done does not change: it is a decision for the sessions to come.

    Example: nextgen branch merge slower --reason "half the turnover, no worse"
    """
    from nextgen_tui.research.branch_view import record_merge, show_merge
    from pipeline.research.merging.branch_models import WantedModels
    from pipeline.research.merging.merge_branch import merge_branch
    from pipeline.research.merging.plan_merge import plan_merge

    if model and keep_champion:
        raise click.UsageError("--model makes a model champion and --keep-champion lets this lake's stay; choose one")
    wanted = WantedModels(named=model, keeps_champion=keep_champion)
    if dry_run:
        merge = plan_merge(invocation.lake, name, wanted)
    else:
        merge = merge_branch(invocation.runner, name, reason, wanted=wanted)
    invocation.output.show(show_merge(merge, done=not dry_run))
    invocation.output.record(record_merge(merge, done=not dry_run))


@command.command("discard", cls=Command)
@click.argument("name")
@pass_invocation
def discard_command(invocation: Invocation, name: str) -> None:
    """Take a branch away, with all that was done on it."""
    from lake.branches.branch import discard_branch

    freed = discard_branch(invocation.lake.path, name)
    invocation.output.show(f"Discarded branch {name}; {freed / 1e6:,.1f} MB are free.")
