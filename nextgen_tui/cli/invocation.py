"""What every command works with: the options common to all, the streams, the lake and its configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from nextgen_tui.cli.output import Output
from pipeline.config.folder_option import LakeFolder

if TYPE_CHECKING:
    from lake.store import Lake
    from pipeline.config.resolving import Loaded
    from pipeline.config.settings import Settings
    from pipeline.engine.runner import Runner
    from pipeline.market.sessions import Sessions


@dataclass
class Invocation:
    """One call of `nextgen`. What is slow to import is imported when a command first asks for it."""

    lake_option: Path | None = None
    branch_option: str | None = None
    as_json: bool = False
    quiet: bool = False
    debug: bool = False
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    """Where results go."""

    @cached_property
    def output(self) -> Output:
        """The two streams."""
        return Output(as_json=self.as_json, quiet=self.quiet, stdout=self.stdout)

    @cached_property
    def lake_path(self) -> Path:
        """The lake's folder: --lake, NEXTGEN_LAKE, or the user's data folder, and in it the branch that --branch names.

        What is written is as open as it is.

        Raises:
            NoSuchError: if there is no such branch.
        """
        from lake.access import follow_access
        from lake.remote.opening import exchange_of
        from pipeline.config.home import lake_home

        path = (self.lake_option or lake_home(self.environ)).absolute()
        follow_access(path)
        exchange_of(path).open()
        if self.branch_option is not None and self.branch_option != "main":
            from lake.branches.branch import find_branch

            path = find_branch(path, self.branch_option).path
        follow_access(path)
        return path

    @property
    def lake_name(self) -> str:
        """What people call the lake: its address in an object store, or its folder."""
        from lake.remote.address import name_lake

        return name_lake(self.lake_path)

    @property
    def shown_lake(self) -> str | None:
        """What commands that are suggested name as the lake: what was named here, or the branch's folder."""
        return self.lake_name if self.branch_option or self.lake_option else None

    @cached_property
    def lake(self) -> Lake:
        """The lake, opened.

        Raises:
            NotALakeError: if there is none.
        """
        from lake.store import Lake

        return Lake.open(self.lake_path)

    @cached_property
    def loaded(self) -> Loaded[Settings]:
        """The resolved configuration with the origin of each value."""
        from pipeline.config.loading import load

        return load(self.lake_path, self.environ)

    @property
    def settings(self) -> Settings:
        """The resolved configuration."""
        return self.loaded.settings

    @cached_property
    def calendar(self) -> Sessions:
        """The exchange's sessions as the runner has them, from the calendars that are at hand for all programs: those
        of the library take as long to load as the rest of a question."""
        from pipeline.market.calendar_cache import ChildCalendars

        market = self.settings.market
        return ChildCalendars(changes=market.changes)(market.exchange)

    @cached_property
    def runner(self) -> Runner:
        """Runs stages of the lake under its configuration."""
        from pipeline.engine.runner import Runner

        return Runner(self.lake, self.settings)


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def _store(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        if value is not None and value is not False:
            setattr(context.ensure_object(Invocation), name, value)
        return value

    return keep


def common_options() -> list[click.Parameter]:
    """Options that mean the same before and after the command's name."""
    return [
        click.Option(
            ["--lake"],
            type=LakeFolder(),
            metavar="PATH",
            help="Folder of the lake, or s3://bucket/lake (default: NEXTGEN_LAKE, or the user's data folder).",
            expose_value=False,
            callback=_store("lake_option"),
        ),
        click.Option(
            ["--branch"],
            metavar="NAME",
            help="Work on this branch of the lake (see nextgen branch).",
            expose_value=False,
            callback=_store("branch_option"),
        ),
        click.Option(
            ["--quiet", "-q"],
            is_flag=True,
            help="Print the result and errors only.",
            expose_value=False,
            callback=_store("quiet"),
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            help="Print the traceback of an error.",
            expose_value=False,
            callback=_store("debug"),
        ),
    ]


def json_option() -> click.Parameter:
    """The option of commands that give data."""
    return click.Option(
        ["--json"],
        is_flag=True,
        help="Print the data as JSON.",
        expose_value=False,
        callback=_give_json,
    )


def _give_json(context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    """Keep the JSON apart from what plugins and libraries print while it is worked out."""
    if value:
        context.ensure_object(Invocation).as_json = True
        context.with_resource(redirect_stdout(sys.stderr))
    return value


class Command(click.Command):
    """A command with the common options."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params += common_options()


class ReadingCommand(Command):
    """A command that gives data, and takes --json."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params.append(json_option())
