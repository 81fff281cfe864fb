"""`nextgen capsule`: a run that failed, with all it saw, in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, json_option, pass_invocation

if TYPE_CHECKING:
    from pipeline.engine.capsules.replay_capsule import Capsule

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("capsule", params=[*common_options(), json_option()], invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List what failed runs left, or do one again elsewhere.

    Each run that fails leaves a file of at most 5 MB in capsules/ of the lake's folder: its recipe, the settings, the
    rows that it read, the plugins that it used, the traceback and the end of the log. No key is in it, but your
    plugins are: look at it with nextgen capsule show before you send it to whoever can mend the program.
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
@click.option("--code", is_flag=True, help="Show the plugins' code as well, to read it before it is run.")
@pass_invocation
def show_command(invocation: Invocation, file: Path, code: bool) -> None:
    """Show what a capsule holds: the run, its error, the rows of each table, plugins with their hashes."""
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.engine.capsules.replay_capsule import read_capsule

    held = read_capsule(file)
    recipe = held.run.recipe
    rows = {name: frame.height for name, frame in held.frames.items()}
    invocation.output.show(f"{recipe.stage} of {recipe.session}, run {held.run.run_id}")
    invocation.output.show(safe_text(held.error, 2_000))
    invocation.output.show("\n".join(safe_text(line, 300) for line in held.trace.splitlines()[-40:]))
    invocation.output.show(", ".join(f"{name} {count:,} rows" for name, count in rows.items()) or "no rows")
    _show_plugins(invocation, held, code)
    told = {"run_id": held.run.run_id, "error": held.error, "traceback": held.trace, "rows": rows}
    told |= {"missing": held.missing, "plugins": recipe.plugins, "left_out": held.left_out}
    texts = {name: source.decode("utf-8", errors="replace") for name, source in held.plugins.items()}
    invocation.output.record(told | ({"code": texts} if code else {}))


@command.command("replay", cls=ReadingCommand)
@click.argument("file", type=FILE)
@click.option("--run-plugins", is_flag=True, help="Run the code of the plugins in it, which you have read.")
@pass_invocation
def replay_command(invocation: Invocation, file: Path, run_plugins: bool) -> int:
    """Do again what a capsule holds; no lake is needed. Exit code 1 where it still fails.

    Plugins are code that runs with your rights. A capsule with plugins is replayed only if you say so.
    """
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.engine.capsules.replay_capsule import read_capsule, replay_capsule

    again = replay_capsule(read_capsule(file), run_plugins=run_plugins)
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


def _show_plugins(invocation: Invocation, held: Capsule, code: bool) -> None:
    """One line for each plugin that the run used, and its code where that is asked for."""
    from nextgen_tui.text.safe_text import remove_unsafe, safe_text

    for name, digest in held.run.recipe.plugins.items():
        source = held.plugins.get(name)
        if source is None:
            why = held.left_out.get(name, "somebody took it out")
            invocation.output.show(safe_text(f"plugin {name}, SHA-256 {digest}, is not in it: {why}", 1_000))
            continue
        invocation.output.show(safe_text(f"plugin {name}, {len(source):,} bytes, SHA-256 {digest}", 1_000))
        if code:
            lines = source.decode("utf-8", errors="replace").splitlines()
            shown = (f"{at:5d}  {remove_unsafe(line)}\n" for at, line in enumerate(lines, 1))
            invocation.output.document("".join(shown))
