"""What an operator types, read: sessions, instants, and the names of tables and stages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lake.moment import parse_moment
from nextgen_tui.cli.completion import complete_setting

if TYPE_CHECKING:
    from lake.contract import Table
    from pipeline.config.check_values import Given
    from pipeline.engine.stage import Stage

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
MAX_REASON = 1_000
"""Characters of a reason that tables of decisions take."""


class Day(click.ParamType[date]):
    """A calendar date as YYYY-MM-DD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read a date."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date; write it as 2026-01-05", param, ctx)


class Instant(click.ParamType[datetime]):
    """A moment: an ISO time with its zone, or a date, which means the end of that day in UTC."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a moment as UTC."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_moment(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Reason(click.ParamType[str]):
    """Why something is decided, in the operator's words, as far as they are recorded."""

    name = "TEXT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what would not be recorded, before anything is done."""
        if len(value) > MAX_REASON:
            self.fail(f"it has {len(value):,} characters, and at most {MAX_REASON:,} are recorded", param, ctx)
        return str(value)


def setting_option(help_text: str) -> Callable[[Decorated], Decorated]:
    """The option --set KEY=VALUE, which may be repeated, as `chosen`."""
    return click.option(
        "--set", "chosen", multiple=True, metavar="KEY=VALUE", shell_complete=complete_setting, help=help_text
    )


def parse_settings(texts: tuple[str, ...]) -> dict[str, Given]:
    """Settings from texts such as `source.simulated.names=32`, by dotted key."""
    from pipeline.config.loading import choice, current_key

    found: dict[str, Given] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign:
            raise click.UsageError(f"{text!r} is not a setting; write it as section.field=value")
        name, given = current_key(key.strip()), choice(key.strip(), value)
        if name in found and found[name].value != given.value:
            raise click.UsageError(f"--set gives {name} two values, {found[name].value} and {given.value}; say one")
        found[name] = given
    return found


DAY = Day()
INSTANT = Instant()
REASON = Reason()


def count_from(least: int) -> click.IntRange:
    """A number of rows, sessions or steps: more than anything has is no reason for an overflow."""
    return click.IntRange(least, 1_000_000_000)


def find_table(name: str) -> Table:
    """The table of that name, or a usage error naming the nearest."""
    from lake.tables import table

    try:
        return table(name)
    except KeyError as error:
        raise click.UsageError(str(error.args[0])) from None


def find_stage(name: str) -> Stage:
    """The stage of that name, or a usage error naming the nearest."""
    from pipeline.engine import session_order

    try:
        return session_order.find_stage(name)
    except KeyError as error:
        raise click.UsageError(str(error.args[0])) from None


def require_folder(file: Path, what: str, option: str) -> None:
    """Let no work begin whose result could not be written.

    Raises:
        click.UsageError: if there is no folder for the file, naming the option that gave it.
    """
    folder = file.absolute().parent
    if not folder.is_dir():
        raise click.UsageError(
            f"there is no folder {folder} for the {what}; make it first, or choose another with {option}"
        )


def require_reason(reason: str) -> None:
    """Let nothing be decided without a reason.

    Raises:
        click.UsageError: naming the option that is missing.
    """
    if not reason.strip():
        raise click.UsageError("Missing option '--reason'.")
