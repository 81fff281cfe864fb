"""`nextgen recover`: put right what a crash left, without running anything else."""

from __future__ import annotations

from dataclasses import asdict

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("recover", cls=ReadingCommand)
@pass_invocation
def command(invocation: Invocation) -> None:
    """Repair what a crash left behind, and finish the interrupted cycle.

    Every command that writes does this first. What was published is checked; damage to it is reported, and nothing is
    changed.
    """
    from nextgen_tui.text.formats import counted

    lake, runner = invocation.lake, invocation.runner
    with lake.lock("recovery"):
        repairs = list(lake.repairs)
        finished = runner.recover()
    for repair in repairs:
        invocation.output.say(f"{repair.file}: {repair.what}")
    invocation.output.say(f"{counted(len(repairs), 'repair')}; {counted(len(finished), 'interrupted run')} finished")
    invocation.output.record({"repairs": [asdict(one) for one in repairs], "finished": [r.run_id for r in finished]})
