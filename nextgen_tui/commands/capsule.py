"""`nextgen capsule`: a run that failed, with all it saw, in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, json_option, pass_invocation

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("capsule", params=[*common_options(), json_option()], invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List what failed runs left, or do one again elsewhere.

    Each run that fails leaves a file of at most 5 MB in capsules/ of the lake's folder: its recipe, the settings, the
    rows that it read, the traceback and the end of the log. No key is in it. Send it to whoever can mend the program.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@command.command("list", cls=ReadingCommand)
@pass_invocation
def list_command(invocation: Invocation) -> None:
    """List the capsules of the lake, the newest first."""
    from nextgen_tui.text import formats
    from nextgen_tui.text.table_view import grid
    from pipeline.engine.capsules.write_capsule import list_capsules

    found = list_capsules(invocation.lake.path)
    view = grid("Capsules")
    for heading in ("file", "bytes"):
        view.add_column(heading)
    for one in found:
        view.add_row(str(one), formats.whole(one.stat().st_size))
    invocation.output.show(view if found else "No run has left a capsule.")
    invocation.output.record([{"file": str(one), "bytes": one.stat().st_size} for one in found])


@command.command("show", cls=ReadingCommand)
@click.argument("file", type=FILE)
@pass_invocation
def show_command(invocation: Invocation, file: Path) -> None:
    """Show what a capsule holds: the run, the error with its traceback, and how many rows of each table."""
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.engine.capsules.replay_capsule import read_capsule

    held = read_capsule(file)
    recipe = held.run.recipe
    rows = {name: frame.height for name, frame in held.frames.items()}
    invocation.output.show(f"{recipe.stage} of {recipe.session}, run {held.run.run_id}")
    invocation.output.show(safe_text(held.error, 2_000))
    invocation.output.show("\n".join(safe_text(line, 300) for line in held.trace.splitlines()[-40:]))
    invocation.output.show(", ".join(f"{name} {count:,} rows" for name, count in rows.items()) or "no rows")
    invocation.output.record(
        {"run_id": held.run.run_id, "error": held.error, "traceback": held.trace, "rows": rows, "missing": held.missing}
    )


@command.command("replay", cls=ReadingCommand)
@click.argument("file", type=FILE)
@pass_invocation
def replay_command(invocation: Invocation, file: Path) -> int:
    """Do again what a capsule holds; no lake is needed. Exit code 1 where it still fails."""
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.engine.capsules.replay_capsule import read_capsule, replay_capsule

    again = replay_capsule(read_capsule(file))
    code = " (the stage's code has changed since)" if again.code_changed else ""
    if not again.again:
        sentence = f"{again.stage} of {again.session} gives {again.rows} rows now{code}. It failed with: {again.error}"
    elif again.is_same:
        sentence = f"{again.stage} of {again.session} fails in the same way{code}: {again.again}"
    else:
        sentence = f"{again.stage} of {again.session} fails otherwise now{code}: {again.again}; then: {again.error}"
    invocation.output.show(safe_text(sentence, 2_000))
    invocation.output.record({**asdict(again), "same": again.is_same})
    return exit_codes.DEGRADED if again.again else exit_codes.DONE
