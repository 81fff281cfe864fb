"""What the shell offers at the Tab key: names of tables, stages, settings, and of what the lake holds.

A completion reads what is published and writes nothing. Where it cannot, it offers nothing: the command says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from itertools import islice

import click
from click.shell_completion import CompletionItem

from nextgen_tui.cli.invocation import Invocation

MAX_OFFERED = 200
"""Of names that a lake has thousands of, the newest."""
Names = Iterable[tuple[str, str]]
"""A name and what the shell says beside it; empty for nothing."""
Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offer(names: Callable[[click.Context], Names]) -> Completion:
    @wraps(names)
    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            begun = (pair for pair in names(context) if pair[0].startswith(incomplete))
            return [CompletionItem(name, help=said or None) for name, said in islice(begun, MAX_OFFERED)]
        except Exception:  # whatever is wrong with lake or settings: words in the middle of a line help nobody
            return []

    return complete


def _invocation(context: click.Context) -> Invocation:
    return context.find_object(Invocation) or Invocation()


@_offer
def complete_table(_context: click.Context) -> Names:
    """The tables, with what each holds."""
    from lake.tables import TABLES

    return sorted((name, table.doc.split(".")[0]) for name, table in TABLES.items())


@_offer
def complete_stage(_context: click.Context) -> Names:
    """The stages, in the order of a cycle."""
    from pipeline.engine.session_order import ORDER, find_table

    return [(name, f"writes {table.name}") for name in ORDER if (table := find_table(name))]


@_offer
def complete_feature(_context: click.Context) -> Names:
    """The features that come with the program, with their units."""
    from pipeline.features.catalogue import ALL

    return [(feature.name, feature.unit) for feature in ALL]


@_offer
def complete_run(context: click.Context) -> Names:
    """The runs, the last first."""
    from lake.tables.control import RUNS

    runs = _invocation(context).lake.read(RUNS, columns=("run_id", "session", "stage", "status", "started_at"))
    last = runs.sort("started_at", descending=True).select("run_id", "stage", "session", "status")
    return ((run_id, f"{stage} of {session}: {status}") for run_id, stage, session, status in last.iter_rows())


@_offer
def complete_cycle(context: click.Context) -> Names:
    """The cycles and other pieces of work, the last first."""
    from lake.tables.control import RUNS

    runs = _invocation(context).lake.read(RUNS, columns=("cycle_id", "started_at"))
    last = runs.sort("started_at", descending=True)["cycle_id"].unique(maintain_order=True)
    return ((name, "") for name in last)


@_offer
def complete_ticker(context: click.Context) -> Names:
    """The tickers that were ever listed."""
    from lake.tables.market import INSTRUMENTS

    listed = _invocation(context).lake.read(INSTRUMENTS, columns=("ticker",))
    return ((name, "") for name in listed["ticker"].unique().sort())


@_offer
def complete_plan(context: click.Context) -> Names:
    """The planned trades of the last session."""
    import polars as pl

    from lake.tables.trading import TRADE_PLANS

    plans = _invocation(context).lake.read(TRADE_PLANS, columns=("plan_id", "session", "taken", "side", "shares"))
    last = plans.filter(pl.col("taken"), pl.col("session") == pl.col("session").max()).sort("plan_id")
    return ((row["plan_id"], f"{row['side']} {row['shares']}") for row in last.iter_rows(named=True))


@_offer
def complete_model(context: click.Context) -> Names:
    """The models on record, the last first."""
    from lake.tables.models import MODEL_REGISTRY

    models = _invocation(context).lake.read(MODEL_REGISTRY, columns=("model_id", "session"))
    return ((name, "") for name in models.sort("session", descending=True)["model_id"].unique(maintain_order=True))


@_offer
def complete_setting(_context: click.Context) -> Names:
    """The settings, each with the sign that its value follows."""
    from pipeline.config.fields import settings_of
    from pipeline.config.settings import Settings

    return ((f"{key}=", "") for key in settings_of(Settings))


@_offer
def complete_section(_context: click.Context) -> Names:
    """The sections of the configuration."""
    from pipeline.config.fields import settings_of
    from pipeline.config.settings import Settings

    return ((name, "") for name in sorted({key.rpartition(".")[0] for key in settings_of(Settings)}))


@_offer
def complete_column(context: click.Context) -> Names:
    """The columns of the table that was named before, each with the sign that its value follows."""
    from lake.tables import TABLES

    # While an option waits for its value, click leaves what was named before among what it has not read.
    table = TABLES[context.params.get("table") or context.args[0]]
    return ((f"{name}=", table.columns[name].doc) for name in table.columns)
