"""`nextgen migrate`: bring a lake made by an earlier program up to date."""

from __future__ import annotations

from dataclasses import asdict

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("migrate", cls=ReadingCommand)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@pass_invocation
def command(invocation: Invocation, dry_run: bool) -> None:
    """Upgrade a lake made by an earlier version to the current format.

    Every version stays readable, and recorded runs still reproduce. Earlier versions of the program cannot open the
    lake afterwards; `nextgen backup` keeps a copy that they can.
    """
    from lake.migrations import FORMAT
    from lake.migrations.run import migrate, plan_migration
    from lake.storage.manifest import check_format
    from lake.store import Lake
    from nextgen_tui.text.formats import counted
    from nextgen_tui.text.table_view import grid

    now = check_format(invocation.lake_path, older=True)
    lake = Lake.open(invocation.lake_path, older=True)
    if now == FORMAT:
        invocation.output.say(f"the lake already has the current format {FORMAT}: nothing to do")
        invocation.output.record({"format": now, "changes": []})
        return
    if dry_run:
        changes = plan_migration(lake)
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
            how = "rows rewritten" if one.rewrites else "columns only"
            view.add_row(one.table, one.description, f"{one.rows:,}", str(one.version), how)
        invocation.output.show(view)
    verb = "would change" if dry_run else "changed"
    hint = "; back the lake up first with `nextgen backup FOLDER`, it cannot be undone" if dry_run else ""
    invocation.output.say(f"format {now} to {FORMAT}: {counted(len(changes), 'table')} {verb}{hint}")
    invocation.output.record({"format": now, "to": FORMAT, "changes": [asdict(one) for one in changes]})
