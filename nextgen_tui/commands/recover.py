"""`nextgen recover`: put right what a crash left, without running anything else."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from lake.runs import Run
    from pipeline.engine.runner import Runner
    from pipeline.plugins.plugins import PluginError


@click.command("recover", cls=ReadingCommand)
@click.option("--discard-foreign", is_flag=True, help="Set aside what other programs committed to tables, too.")
@pass_invocation
def command(invocation: Invocation, discard_foreign: bool) -> int:
    """Repair what a crash left behind, and finish the interrupted cycle.

    Every command that writes does this first. What was published is checked; damage to it is reported, and nothing is
    changed. With --discard-foreign, what another program committed on top of what is published (OPTIMIZE, DELETE,
    RESTORE and the like) is moved to quarantine, and with it all that is not published yet, which is done again.
    Exit code 1 if interrupted work needs a plugin that does not work: it is kept until the plugin does.
    """
    from lake.foreign import discard_foreign_commits
    from nextgen_tui.cli import exit_codes
    from nextgen_tui.text.formats import counted

    lake, output = invocation.lake, invocation.output
    with lake.lock("recovery"):
        if discard_foreign:
            discard_foreign_commits(lake)
        repairs = list(lake.repairs)
        finished, waiting, broken = _finish(invocation.runner)
    for repair in repairs:
        output.say(f"{repair.file}: {repair.what}")
    output.say(f"{counted(len(repairs), 'repair')}; {counted(len(finished), 'interrupted run')} finished")
    output.record(
        {
            "repairs": [asdict(one) for one in repairs],
            "finished": [run.run_id for run in finished],
            "waiting": waiting,
        }
    )
    if broken is None:
        return exit_codes.DONE
    output.show_error(
        f"{', '.join(waiting)} was interrupted and waits for a plugin that does not work: {broken}. "
        "Correct the plugin, or take it out of plugins.files, and run `nextgen recover` again"
    )
    return exit_codes.DEGRADED


def _finish(runner: Runner) -> tuple[list[Run], list[str], PluginError | None]:
    """The runs brought to their end, the work that is not, and the broken plugin it needs."""
    from lake.publication import find_unpublished
    from pipeline.plugins.plugins import PluginError

    left = find_unpublished(runner.lake)
    try:
        return runner.recover(), [], None
    except PluginError as error:
        waiting = list(dict.fromkeys(run.recipe.cycle_id for run in find_unpublished(runner.lake)))
        return [run for run in left if run.recipe.cycle_id not in waiting], waiting, error
