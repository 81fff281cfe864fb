"""`nextgen config`: every setting, where its value comes from, and whether it is valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.completion import complete_section
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, pass_invocation

if TYPE_CHECKING:
    from pipeline.config.fields import Setting
    from pipeline.config.resolving import Loaded
    from pipeline.config.settings import Settings


@click.group("config", params=common_options())
def command() -> None:
    """Show or check the configuration.

    Values come from defaults, then the lake's nextgen.toml (or the file NEXTGEN_CONFIG names), then variables
    such as NEXTGEN_TRADING__COSTS__HALF_SPREAD.
    """


@command.command("show", cls=ReadingCommand)
@click.argument("section", required=False, shell_complete=complete_section)
@click.option("--changed", is_flag=True, help="Show only settings that differ from their default.")
@click.option("--explain", is_flag=True, help="Explain each setting.")
@pass_invocation
def show(invocation: Invocation, section: str | None, changed: bool, explain: bool) -> None:
    """Print every setting as TOML, with the source of its value."""
    from pipeline.config.check_values import nearest
    from pipeline.config.fields import settings_of
    from pipeline.config.resolving import DEFAULT, values_of
    from pipeline.config.settings import Settings
    from pipeline.config.toml_document import toml_document

    loaded = invocation.loaded
    known = settings_of(Settings)
    values = [
        (key, value)
        for key, value in values_of(loaded.settings)
        if section is None or key == section or key.startswith(f"{section}.")
    ]
    if not values:
        sections = [key.rpartition(".")[0] for key in known]
        raise click.UsageError(f"there is no section {section!r}{nearest(section or '', sections)}")
    if changed:
        values = [(key, value) for key, value in values if loaded.origins[key] != DEFAULT]
    remarks = {key: _remark(known[key], loaded, explain) for key, _ in values}
    if values:
        invocation.output.document(toml_document(values, remarks))
    else:
        invocation.output.say("every setting has its default value")
    invocation.output.record({key: {"value": value, "origin": loaded.origins[key]} for key, value in values})


@command.command("validate", cls=ReadingCommand)
@pass_invocation
def validate(invocation: Invocation) -> None:
    """Check the configuration.

    Exit code 2 if the file or the environment is not valid, or a plugin file does not exist.
    """
    from pipeline.config.loading import require_plugins
    from pipeline.config.resolving import DEFAULT

    loaded = invocation.loaded
    require_plugins(loaded.settings, invocation.lake_path)
    changed = [key for key, origin in loaded.origins.items() if origin != DEFAULT]
    where = str(loaded.file) if loaded.file else "no file"
    invocation.output.show(
        f"The configuration is valid ({where}; {len(changed)} of {len(loaded.origins)} settings differ "
        "from their defaults)."
    )
    for key, former in loaded.renamed.items():
        invocation.output.show(f"{former} is now called {key}; the earlier name still works ({loaded.origins[key]}).")
    invocation.output.record({"valid": True, "file": where, "changed": changed, "renamed": dict(loaded.renamed)})


def _remark(setting: Setting, loaded: Loaded[Settings], explain: bool) -> str:
    """Where a setting comes from, under which earlier name, and on demand what it means and may be."""
    origin = loaded.origins[setting.key]
    if former := loaded.renamed.get(setting.key):
        origin = f"{origin}, by its earlier name {former}"
    return f"{origin}: {setting.doc} Must be {setting.expects}." if explain else origin
