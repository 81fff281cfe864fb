"""`nextgen propose`: a bounded search for factors, each tried on sessions that did not choose it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli.arguments import count_from, require_folder
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import dry_run_option

if TYPE_CHECKING:
    from pipeline.research.proposing.plan_search import SearchPlan
    from pipeline.research.proposing.search import TriedFactor


@click.command("propose", cls=ReadingCommand)
@click.option("--budget", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Factors to propose.")
@click.option("--horizon", type=click.IntRange(1, 60), default=5, show_default=True, help="Sessions of the outcome.")
@click.option("--seed", type=count_from(0), default=0, show_default=True, help="Of the search.")
@click.option("--author", "asks", is_flag=True, help="Ask the language model of ingestion.news.model for factors too.")
@click.option("--write", type=click.Path(path_type=Path), help="Write a plugin with the factors that are kept.")
@dry_run_option("Tell how many factors would be tried, how long it takes and what it costs at most, and do nothing.")
@pass_invocation
def command(
    invocation: Invocation, budget: int, horizon: int, seed: int, asks: bool, write: Path | None, dry_run: bool
) -> None:
    """Propose factors, test each, and keep those that luck does not explain.

    Words (momentum, volume surprise, news, ...) come first, then offspring of what ranks outcomes well in the first
    part of history. Each proposal is recorded before it is tried in the rest, by its rank correlation with the
    outcomes. All that were ever proposed in this lake count as tests: the chance that any worthless one is kept is 5 %.

    With --author a language model proposes as well, within research.author_requests and author_dollars. Its words are
    kept as they came (author_replies); what is no sentence of the grammar is refused and counted, and the tests are the
    same.
    """
    import os

    if write is not None:
        require_folder(write, "plugin", "--write")
    from lake.access import write_output
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.research.proposing.author.model_author import open_author
    from pipeline.research.proposing.plan_search import plan_search
    from pipeline.research.proposing.propose import propose, write_plugin

    author = open_author(invocation.lake, invocation.settings, os.environ) if asks else None
    if dry_run:
        _show_plan(invocation, plan_search(invocation.lake, invocation.settings, budget, horizon, seed, author))
        return
    judged: list[TriedFactor] = []
    with invocation.output.progress("propose") as progress:
        for one in propose(invocation.lake, invocation.settings, budget, horizon, seed, author):
            judged.append(one)
            progress(one.proposal.text, len(judged), budget)
    kept = [one for one in judged if one.verdict == "kept"]
    _show(invocation, judged, kept)
    if author is not None:
        invocation.output.show(safe_text(author.authored.describe(), 600))
    if write is not None and kept:
        write_output(write, write_plugin(kept, horizon))
        invocation.output.show(f"Wrote {safe_text(write, 200)}: read it, then name it in plugins.files.")


def _show_plan(invocation: Invocation, plan: SearchPlan) -> None:
    from nextgen_tui.text.formats import counted, duration

    took = f"about {duration(plan.seconds)}" if plan.seconds is not None else "nobody knows how long, as none was yet"
    over = f"the sessions from {plan.first} to {plan.last} and {counted(plan.names, 'name')}"
    invocation.output.show(f"{counted(plan.left, 'factor')} would be proposed and tried on {over}: {took}.")
    invocation.output.show(f"Kept would be what chance brings at p of {plan.max_p:.2g} at most, out of sample.")
    invocation.output.show(
        f"A language model would be asked at most {counted(plan.requests, 'time')}, for at most {plan.dollars:.4f} USD;"
        " every proposal, verdict and answer would be recorded (factor_proposals, factor_results, author_replies)."
    )
    invocation.output.show("Nothing was done.")
    days = {"first": str(plan.first), "last": str(plan.last)}
    invocation.output.record({**vars(plan), **days})


def _show(invocation: Invocation, judged: list[TriedFactor], kept: list[TriedFactor]) -> None:
    from nextgen_tui.research.factor_view import list_kept
    from pipeline.text_format import counted

    repeats = sum(one.verdict == "repeats" for one in judged)
    told = f"{counted(len(judged), 'factor')} proposed: {len(kept)} kept, {repeats} say no more than those"
    invocation.output.show(f"{told}, {len(judged) - len(kept) - repeats} are no better than chance.")
    if kept:
        invocation.output.show(list_kept(kept))
    invocation.output.record([_record(one) for one in judged])


def _record(one: TriedFactor) -> dict[str, Any]:
    return {
        "factor": one.proposal.text,
        "formula": one.proposal.express().text,
        "parents": list(one.parents),
        "verdict": one.verdict,
        "authored": one.authored,
        "in_sample": vars(one.in_sample),
        "out_of_sample": {**vars(one.out_of_sample), "p": one.out_of_sample.p},
    }
