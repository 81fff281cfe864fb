"""The command line: finds the command, and turns whatever happens into an exit code and a sentence."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, common_options, json_option


@dataclass(frozen=True)
class Entry:
    """A command that is imported when it is called for."""

    module: str
    summary: str
    """What `nextgen --help` says of it; the command's own help starts with the same words."""


COMMANDS: dict[str, dict[str, Entry]] = {
    "Begin": {
        "demo": Entry("demo", "Build a simulated lake, replay it, and show what came of it."),
        "init": Entry("init", "Make a lake and load its price history."),
        "import": Entry("import_", "Bring an older system's prices, news, forecasts and trades into the lake."),
        "config": Entry("config", "Show or check the configuration."),
    },
    "Work": {
        "cycle": Entry("cycle", "Run the whole loop for one session."),
        "replay": Entry("replay", "Run the loop session by session over history."),
        "run": Entry("run", "Run one stage by itself."),
        "train": Entry("train", "Train a challenger and let it be judged."),
        "predict-batch": Entry("predict_batch", "Forecast from a batch of feature windows."),
    },
    "Run by itself": {
        "schedule": Entry("schedule", "Show what will run when, or check the schedule."),
        "request": Entry("request", "Ask the daemon for work, or steer what it does."),
        "service": Entry("service", "Keep the daemon running under systemd or launchd."),
    },
    "Decide": {
        "approve": Entry("approve", "Approve a planned trade before its open."),
        "veto": Entry("veto", "Keep a planned trade from its open."),
        "promote": Entry("promote", "Make a trained model champion."),
        "rollback": Entry("rollback", "Take the champion back for the one before it."),
    },
    "Look": {
        "status": Entry("status", "Say whether all is well, and what ran last."),
        "console": Entry("console", "Open the console."),
        "runs": Entry("runs", "List what ran."),
        "show": Entry("show", "Show rows of a table, as published or as of a past moment."),
        "tables": Entry("tables", "List the tables, or describe the columns of one."),
        "stages": Entry("stages", "List the stages with what they read and write."),
    },
    "Prove": {
        "lineage": Entry("lineage", "Walk from a row back to what it was made from."),
        "impact": Entry("impact", "List what was derived from a row, in every table."),
        "compare": Entry("compare", "Hold an imported system's figures against the lake's."),
        "reproduce": Entry("reproduce", "Compute runs again and compare every bit."),
    },
    "Keep": {
        "backup": Entry("backup", "Copy everything published to a folder, with the hash of each file."),
        "restore": Entry("restore", "Make a lake out of a backup, in the empty folder that --lake names."),
        "scrub": Entry("scrub", "Read every file and hold it against its recorded hash."),
        "gc": Entry("gc", "Remove files that no version named by a run holds."),
        "compact": Entry("compact", "Write the many small files of each table as a few large ones."),
        "migrate": Entry("migrate", "Bring a lake made by an earlier program up to date."),
        "recover": Entry("recover", "Repair what a crash left, and finish the interrupted cycle."),
    },
}
"""Heading -> command name -> where it lives."""


class Commands(click.Group):
    """Imports a command when it is called for, so that help comes at once."""

    def __call__(self, *_arguments: Any, **_named: Any) -> NoReturn:
        """Run the command line and leave with its exit code: the entry point of `nextgen`."""
        sys.exit(outcome(sys.argv[1:]))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, in the order of the help page."""
        return [name for entries in COMMANDS.values() for name in entries]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, imported."""
        for entries in COMMANDS.values():
            if cmd_name in entries:
                module = importlib.import_module(f"nextgen_tui.commands.{entries[cmd_name].module}")
                command: click.Command = module.command
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the one that was probably meant."""
        from difflib import get_close_matches

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; `nextgen --help` lists them"
            raise click.UsageError(f"there is no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands under their headings, and what exit codes mean."""
        for heading, entries in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, entry.summary) for name, entry in entries.items()])
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in exit_codes.MEANINGS.items()])


@click.command(
    cls=Commands,
    params=[*common_options(), json_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="nextgen-trading", prog_name="nextgen")
def main() -> None:
    """One operator's trading research in a box: versioned lake, learning loop, exact ledger."""


def outcome(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are told on stderr, in a sentence."""
    invocation = Invocation()
    try:
        result = main.main(list(arguments), prog_name="nextgen", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
        return result if isinstance(result, int) else exit_codes.DONE
    except click.ClickException as error:
        error.show()
        return exit_codes.USAGE
    except (click.Abort, KeyboardInterrupt):
        invocation.output.say("interrupted; what was published stays")
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has enough, as `head` does; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.DONE
    except SystemExit:
        raise
    except BaseException as error:  # the last place that can turn it into words; a library's panic is no Exception
        return _failed(error, invocation)


def _failed(error: BaseException, invocation: Invocation) -> int:
    from nextgen_tui.cli.error_messages import explained

    code, sentence = explained(error)
    if invocation.debug:
        import traceback

        traceback.print_exception(error)
    invocation.output.complain(sentence)
    return code
