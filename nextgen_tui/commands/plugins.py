"""`nextgen plugins`: which plugin files there are, what each declares, and whether it works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from pipeline.plugins.load_plugin_file import Plugin


@click.command("plugins", cls=ReadingCommand)
@click.option(
    "--check",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Check this file beside the configured ones; may be repeated.",
)
@pass_invocation
def command(invocation: Invocation, files: tuple[Path, ...]) -> int:
    """List the plugins, what each declares, and whether it works.

    The setting plugins.files names them. Each is loaded and its features are tried on made-up prices; the exit status
    is 1 if one does not work. Example: nextgen plugins --check ./alpha_plugin.py
    """
    from nextgen_tui.text.formats import counted
    from pipeline.market.sessions import exchange_sessions
    from pipeline.plugins.plugins import Plugins

    settings = invocation.settings
    paths = (*settings.plugins.paths(invocation.lake_path), *(path.absolute() for path in files))
    plugins = Plugins.load(tuple(dict.fromkeys(paths)), exchange_sessions(settings.market.exchange)).files
    _show(invocation, plugins)
    broken = sum(bool(plugin.error) for plugin in plugins)
    if plugins:
        invocation.output.say(f"{counted(len(plugins), 'plugin')}, {broken} of them broken")
    else:
        invocation.output.say('no plugins; name files in nextgen.toml: [plugins] files = ["alpha_plugin.py"]')
    return exit_codes.DEGRADED if broken else exit_codes.DONE


def _show(invocation: Invocation, plugins: tuple[Plugin, ...]) -> None:
    from rich.text import Text

    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    view = grid()
    for heading in ("plugin", "verdict", "declares", "sha256"):
        view.add_column(heading)
    for plugin in plugins:
        declared = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in plugin.declared.items() if names)
        verdict = Text("does not work", "bold red") if plugin.error else Text("works", "green")
        view.add_row(safe_text(str(plugin.path), 200), verdict, safe_text(declared, 400), plugin.sha256[:12])
    if plugins:
        invocation.output.show(view)
    for plugin in plugins:
        if plugin.error:
            invocation.output.show(Text(safe_text(plugin.error, 1_000), "red"))
    invocation.output.record(
        [
            {
                "path": str(plugin.path),
                "works": not plugin.error,
                "error": plugin.error,
                "sha256": plugin.sha256,
                **plugin.declared,
            }
            for plugin in plugins
        ]
    )
