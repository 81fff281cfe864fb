"""`nextgen experiment`: a question registered before it is tried, its variants on branches, and what came of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.arguments import REASON, require_folder
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, json_option, pass_invocation
from nextgen_tui.research.rehearsal_view import dry_run_option

if TYPE_CHECKING:
    from pipeline.research.spec import Spec


@click.group("experiment", params=[*common_options(), json_option()], invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Register and run experiments, and judge what came of them."""
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@command.command("run", cls=ReadingCommand)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--workers", type=click.IntRange(1, 256), help="Variants that run at a time (default: one a processor).")
@click.option("--keep-all", is_flag=True, help="Keep the branches of variants that are not kept, too.")
@dry_run_option("Tell which variants would run and how long they take at most, and register nothing.")
@pass_invocation
def run_command(invocation: Invocation, file: Path, workers: int | None, keep_all: bool, dry_run: bool) -> None:
    """Register the experiment in FILE, then run its variants, each on a branch.

    Interrupted, the same command goes on where it stopped. A variant whose interval does not lie above what was asked
    for leaves its figures alone, and its branch is taken away. The file is TOML:

    \b
      name = "slower"
      question = "Does half the turnover cost less than it loses?"
      kill = "the return is lower, and the interval lies below 0"
      from = 2022-03-01
      to = 2022-05-13
      metric = "return"
      [vary]
      "trading.philosophy.turnover" = [0.05, 0.1]
    """
    from pipeline.research.experiments import run_experiment
    from pipeline.research.spec import read_spec_file

    spec = read_spec_file(file)
    if dry_run:
        _show_plan(invocation, spec, workers)
        return
    with invocation.output.progress(f"experiment {spec.name}") as progress:
        reached: dict[str, float] = {}

        def told(branch: str, done: int, of: int) -> None:
            reached[branch] = done / max(of, 1)
            progress(f"{branch}, session {done} of {of}", int(sum(reached.values())), len(spec.variants))

        list(run_experiment(invocation.lake, spec, invocation.runner.calendar, workers, told, keeps_all=keep_all))
    _show(invocation, spec)


@command.command("show", cls=ReadingCommand)
@click.argument("name")
@pass_invocation
def show_command(invocation: Invocation, name: str) -> None:
    """Show what an experiment asked, and what came of each variant."""
    from pipeline.research.experiments import find_experiment

    _show(invocation, find_experiment(invocation.lake, name))


@command.command("list", cls=ReadingCommand)
@pass_invocation
def list_command(invocation: Invocation) -> None:
    """List the experiments, the last one first."""
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.research.experiment_view import show_experiments
    from pipeline.research.experiments import list_experiments

    rows = list_experiments(invocation.lake)
    invocation.output.show(show_experiments(rows))
    invocation.output.record(to_records(rows))


@command.command("promote", cls=ReadingCommand)
@click.argument("name")
@click.argument("variant")
@click.option("--reason", type=REASON, required=True, help="Why; it is recorded.")
@pass_invocation
def promote_command(invocation: Invocation, name: str, variant: str, reason: str) -> None:
    """Make the settings of a variant the lake's own, from the next cycle on."""
    from nextgen_tui.research.branch_view import show_merge
    from pipeline.research.experiments import promote_variant

    merge = promote_variant(invocation.runner, name, variant, reason)
    invocation.output.show(show_merge(merge, done=True))
    settings = {key: [str(was), str(new)] for key, was, new in merge.settings}
    invocation.output.record({"experiment": name, "variant": variant, "settings": settings})


@command.command("card", cls=ReadingCommand)
@click.argument("name")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page that needs nothing else.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write it as Markdown.")
@pass_invocation
def card_command(invocation: Invocation, name: str, html: Path | None, markdown: Path | None) -> None:
    """Tell the whole of an experiment: question, data, results, references, and how much may be concluded.

    What is missing (sessions put aside, costs, a benchmark, results) caps the conclusion.
    """
    from lake.access import write_output
    from nextgen_tui.cli.version import describe_version
    from nextgen_tui.research.card_page import write_html, write_markdown
    from pipeline.research.card import write_card
    from pipeline.research.experiments import find_experiment

    for path, option in ((html, "--html"), (markdown, "--markdown")):
        if path is not None:
            require_folder(path, "page", option)
    card = write_card(invocation.lake, invocation.settings, find_experiment(invocation.lake, name))
    text = write_markdown(card, describe_version())
    for path, content in ((html, write_html), (markdown, write_markdown)):
        if path is not None:
            write_output(path, content(card, describe_version()))
    invocation.output.show(text)
    told = {"name": name, "conclusion": card.conclusion, "missing": list(card.caps), "markdown": text}
    invocation.output.record(told)


def _show(invocation: Invocation, spec: Spec) -> None:
    from dataclasses import asdict

    from nextgen_tui.cli.output import to_records
    from nextgen_tui.research.experiment_view import conclude, show_results
    from pipeline.reading.tried import count_trials
    from pipeline.research.experiments import list_results

    results, trials = list_results(invocation.lake, spec.name), count_trials(invocation.lake)
    invocation.output.show(show_results(spec, results, trials))
    told = {key: value for key, value in asdict(spec).items() if key not in ("variants", "text")}
    invocation.output.record(
        {**told, "trials": trials, "results": to_records(results), "conclusion": conclude(spec, results, trials)}
    )


def _show_plan(invocation: Invocation, spec: Spec, workers: int | None) -> None:
    """Show what an experiment would run, by what cycles took lately."""
    from nextgen_tui.text.formats import counted, duration
    from pipeline.research.experiments import plan_experiment

    plan = plan_experiment(invocation.lake, spec, invocation.calendar, workers)
    for one in plan.variants:
        settings = ", ".join(f"{key} = {given.value}" for key, given in one.settings.items())
        invocation.output.show(f"{one.name}: {settings or 'the code of today'}")
    took = f"about {duration(plan.seconds)}" if plan.seconds is not None else "nobody knows how long"
    invocation.output.show(
        f"{counted(len(plan.variants), 'variant')} of {len(spec.variants)} over {counted(plan.sessions, 'session')},"
        f" {plan.at_once} at a time: {took} if every stage ran; what a setting does not change is taken over."
    )
    invocation.output.show("Nothing was done.")
    told = {"registered": plan.registered, "sessions": plan.sessions, "at_once": plan.at_once, "seconds": plan.seconds}
    invocation.output.record({"experiment": spec.name, "variants": [one.name for one in plan.variants], **told})
