"""`nextgen lineage`: from a row back to what it was made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.arguments import count_from, find_table
from nextgen_tui.cli.completion import complete_column, complete_feature, complete_table
from nextgen_tui.cli.conditions import parse_key
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text
    from rich.tree import Tree

    from lake.lineage import Hop

MANY = 100
"""Rows of a walk from which on it is said how to see fewer."""


@click.command("lineage", cls=ReadingCommand)
@click.argument("table", shell_complete=complete_table)
@click.argument("keys", metavar="COLUMN=VALUE...", nargs=-1, required=True, shell_complete=complete_column)
@click.option("--depth", type=count_from(1), metavar="N", help="Go back N steps (default: to the end).")
@click.option(
    "--feature",
    "features",
    multiple=True,
    shell_complete=complete_feature,
    help="Of a feature row: of this value only.",
)
@click.option("--tree", "form", flag_value="tree", help="As text, both ways, alike rows as one, with columns.")
@click.option("--mermaid", "form", flag_value="mermaid", help="As a diagram for Markdown, both ways.")
@click.option("--columns", is_flag=True, help="With --tree or --mermaid: unfold the columns of every row.")
@click.option("--ahead", type=count_from(0), default=1, metavar="N", help="With these: N steps forward (1).")
@pass_invocation
def command(
    invocation: Invocation,
    table: str,
    keys: tuple[str, ...],
    depth: int | None,
    features: tuple[str, ...],
    form: str | None,
    columns: bool,
    ahead: int,
) -> None:
    """Trace a row back to what it was made from.

    Each line shows a table, the row, the run that wrote it and the version it was read at; the last line, the versions
    that the first row's run read. A feature row lists all bars, actions, articles and members that its values are made
    of, as its run knew them, with the columns used. --tree and --mermaid go both ways and say by which columns rows
    belong together; --depth limits the way back. Example:
    nextgen lineage feature_rows ticker=ACME session=2022-03-01 --feature beta_60
    """
    from lake.lineage import find_rows, trace
    from nextgen_tui.text.lineage_text import as_mermaid, as_text
    from pipeline.engine.executor import Executor
    from pipeline.reading.provenance.lineage_tree import unfold
    from pipeline.reading.provenance.row_sources import RowSources

    contract = find_table(table)
    if features and contract.name != "feature_rows":
        raise click.UsageError("--feature asks about a row of feature_rows")
    sources = RowSources(invocation.lake, Executor(invocation.lake, invocation.settings), features)
    key = parse_key(contract, keys)
    if form is not None:
        row = find_rows(invocation.lake, contract, key).row(0, named=True)
        told = {"feature_rows": sources.list_rows}
        root = unfold(invocation.lake.read, contract, row, behind=depth, ahead=ahead, sources=told)
        drawn = as_mermaid(root, columns=columns) if form == "mermaid" else as_text(root, columns=columns)
        invocation.output.document(drawn)
        invocation.output.record({form: drawn})
        return
    hops = trace(invocation.lake, contract, key, depth=depth, sources={"feature_rows": sources.list_rows})
    invocation.output.show(_draw(hops))
    if depth is None and len(hops) > MANY:
        invocation.output.say(f"{len(hops):,} rows; --depth 3 shows three steps only")
    if read := ", ".join(f"{name} v{version}" for name, version in hops[0].inputs.items()):
        invocation.output.say(f"{hops[0].run_id} read {read}")
    invocation.output.record([asdict(hop) for hop in hops])


def _draw(hops: Sequence[Hop]) -> Tree:
    """The walk as a tree; sources that are listed and not followed are one line for all that are alike."""
    from rich.text import Text
    from rich.tree import Tree

    branches: list[Tree] = []
    alike = 0
    for number, hop in enumerate(hops):
        following = hops[number + 1] if number + 1 < len(hops) else None
        if following is not None and _are_alike(hop, following):
            alike += 1
            continue
        label, alike = _label_many(hops[number - alike : number + 1]) if alike else _label(hop), 0
        del branches[hop.depth :]
        branches.append(branches[-1].add(label) if branches else Tree(label))
        for name, count in hop.not_followed.items():
            branches[-1].add(Text(f"and {count:,} more rows of {name}", "dim"))
    return branches[0]


def _are_alike(one: Hop, other: Hop) -> bool:
    """Whether two sources are of one ticker, or, in the universe, of one session."""
    same = (one.table, one.depth, one.used) == (other.table, other.depth, other.used)
    return bool(one.used) and same and one.key.get(_shared(one)) == other.key.get(_shared(one))


def _shared(hop: Hop) -> str:
    return "session" if hop.table == "ticker_universe" else "ticker"


def _label_many(hops: Sequence[Hop]) -> Text:
    from rich.text import Text

    first, last = hops[0], hops[-1]
    days = sorted({str(hop.row["session"]) for hop in hops if "session" in hop.row})
    span = f", {days[0]} to {days[-1]}" if len(days) > 1 else ""
    told = f"{len(hops)} rows of {first.key[_shared(first)]}{span}: {', '.join(first.used)}"
    return Text.assemble((first.table, "bold"), f"  {told}", (f"  v{last.version}", "dim"))


def _label(hop: Hop) -> Text:
    from rich.text import Text

    from nextgen_tui.text.safe_text import safe_text

    named = ", ".join(f"{name}={safe_text(value, 40)}" for name, value in hop.key.items())
    used = f": {', '.join(hop.used)}" if hop.used else ""
    return Text.assemble(
        (hop.table, "bold"), f"  {named}{used}  ", (f"v{hop.version}  {safe_text(hop.run_id, 60)}", "dim")
    )
