"""`nextgen migrate`: bring a lake made by an earlier program up to date."""

from __future__ import annotations

from dataclasses import asdict

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("migrate", cls=ReadingCommand)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@pass_invocation
def command(invocation: Invocation, dry_run: bool) -> None:
    """Bring a lake made by an earlier program up to date.

    Every version stays readable, and runs recorded before come out the same. An earlier program cannot use the lake
    afterwards; `nextgen backup` keeps a copy that it can.
    """
    from lake.migrations import FORMAT
    from lake.migrations.run import migrate, planned
    from lake.storage.manifest import check_format
    from lake.store import Lake
    from nextgen_tui.text.formats import counted
    from nextgen_tui.text.table_view import grid

    now = check_format(invocation.lake_path, older=True)
    lake = Lake.open(invocation.lake_path, older=True)
    if now == FORMAT:
        invocation.output.say(f"the lake has format {FORMAT}, which is this program's: nothing to do")
        invocation.output.record({"format": now, "changes": []})
        return
    if dry_run:
        changes = planned(lake)
    else:
        with invocation.output.progress("migrating") as progress:
            done = migrate(lake, progress)
        changes = list(done.changes)
        for repair in done.repairs:
            invocation.output.say(f"{repair.file}: {repair.what}")
    if changes:
        view = grid()
        for heading in ("table", "change", "rows", "after version", "how"):
            view.add_column(heading)
        for one in changes:
            how = "rows written anew" if one.rewrites else "columns only"
            view.add_row(one.table, one.words, f"{one.rows:,}", str(one.version), how)
        invocation.output.show(view)
    told = "would change" if dry_run else "changed"
    hint = "; copy the lake with `nextgen backup FOLDER` before, there is no way back" if dry_run else ""
    invocation.output.say(f"format {now} to {FORMAT}: {counted(len(changes), 'table')} {told}{hint}")
    invocation.output.record({"format": now, "to": FORMAT, "changes": [asdict(one) for one in changes]})
