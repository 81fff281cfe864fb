"""What runs and cycles did, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nextgen_tui.cli.output import Output
from nextgen_tui.text import formats
from nextgen_tui.text.table_view import cell, grid

if TYPE_CHECKING:
    from lake.runs import Run
    from pipeline.engine.runner import Cycle


def show_cycle(output: Output, cycle: Cycle) -> None:
    """Show what a cycle did."""
    if cycle.already_done:
        output.show(f"Session {cycle.session} was already done; nothing was changed.")
        output.record({"session": cycle.session, "already_done": True, "runs": []})
        return
    show_runs(output, cycle.runs, wrap={"session": cycle.session, "already_done": False})
    seconds = sum(run.seconds for run in cycle.runs)
    output.show(
        f"Session {cycle.session} is done: {formats.counted(len(cycle.runs), 'stage')}, {formats.duration(seconds)}."
    )


def show_runs(output: Output, runs: Sequence[Run], wrap: dict[str, object] | None = None) -> None:
    """One line per run; as JSON the same, inside `wrap` if given."""
    view = grid()
    for heading in ("stage", "status", "rows", "new", "time", "table", "version"):
        numeric = heading in ("rows", "new", "time", "version")
        view.add_column(heading, justify="right" if numeric else "left")
    content = []
    for run in runs:
        view.add_row(
            run.recipe.stage,
            cell(run.status),
            formats.whole(run.rows),
            formats.whole(run.written),
            f"{run.seconds:.2f} s",
            run.recipe.output_table,
            formats.whole(run.output_version),
        )
        content.append(
            {
                "run_id": run.run_id,
                "stage": run.recipe.stage,
                "session": run.recipe.session,
                "status": run.status,
                "rows": run.rows,
                "written": run.written,
                "seconds": run.seconds,
                "output_table": run.recipe.output_table,
                "output_version": run.output_version,
                "fingerprint": run.fingerprint,
            }
        )
    output.show(view)
    output.record({**wrap, "runs": content} if wrap is not None else content)
