"""The command line: finds the command, and turns whatever happens into an exit code and a sentence."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from lake.access import keep_private
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, common_options, json_option
from nextgen_tui.cli.version import print_version
from pipeline.streams import prepare_streams


@dataclass(frozen=True)
class CommandEntry:
    """A command that is imported when it is called for."""

    module: str
    summary: str
    """What `nextgen --help` says of it; the command's own help starts with the same words."""


COMMANDS: dict[str, dict[str, CommandEntry]] = {
    "Set up": {
        "demo": CommandEntry("demo", "Build a simulated lake, replay it and show the results."),
        "init": CommandEntry("init", "Create a lake and load its price history."),
        "import": CommandEntry("import_", "Import an older system's prices, news, forecasts and trades."),
        "config": CommandEntry("config", "Show or check the configuration."),
        "plugins": CommandEntry("plugins", "List the plugins, what each declares, and whether it works."),
    },
    "Run": {
        "cycle": CommandEntry("cycle", "Run every stage for one session."),
        "replay": CommandEntry("replay", "Run the cycles of past sessions, one after the other."),
        "snapshot": CommandEntry("snapshot", "Take the bars within sessions that had ended by a moment."),
        "run": CommandEntry("run", "Run a single stage."),
        "train": CommandEntry("train", "Train a challenger and evaluate it."),
        "predict-batch": CommandEntry("predict_batch", "Forecast from a batch of feature windows."),
    },
    "Automate": {
        "schedule": CommandEntry("schedule", "Show what will run when, or check the schedule."),
        "request": CommandEntry("request", "Queue work for the daemon, or cancel, retry or skip it."),
        "service": CommandEntry("service", "Install the daemon as a systemd or launchd service."),
    },
    "Decide": {
        "approve": CommandEntry("approve", "Approve a planned trade before the open."),
        "veto": CommandEntry("veto", "Veto a planned trade before the open."),
        "pause": CommandEntry("pause", "Pause trading: nothing new is ordered from now on."),
        "kill": CommandEntry("kill", "Stop trading at once: no order goes to its open, decided or not."),
        "resume": CommandEntry("resume", "Resume trading after a pause or a kill."),
        "note": CommandEntry("note", "Write down what you think of a ticker, trade or run, and see what came of it."),
        "actions": CommandEntry("actions", "List, add, correct, withdraw or release corporate actions."),
        "mandate": CommandEntry("mandate", "Show, set or look back on what you want of the book."),
        "promote": CommandEntry("promote", "Promote a trained model to champion."),
        "rollback": CommandEntry("rollback", "Restore the previous champion."),
    },
    "Research": {
        "branch": CommandEntry("branch", "Make, list, compare, merge or discard branches of the lake."),
        "what-if": CommandEntry("what_if", "Tell what the book would have been under other settings, and compare."),
        "experiment": CommandEntry("experiment", "Register and run experiments, and judge what came of them."),
        "propose": CommandEntry("propose", "Propose factors, test each, and keep those that luck does not explain."),
        "compare-runs": CommandEntry("compare_runs", "Say whether one branch did better than another, or by chance."),
        "holdout": CommandEntry("holdout", "Show or open the sessions that nobody may look at."),
    },
    "Inspect": {
        "status": CommandEntry("status", "Show whether the operation is healthy, and what ran last."),
        "doctor": CommandEntry("doctor", "Look at machine, lake, network, keys, clock and more, with fixes."),
        "alerts": CommandEntry("alerts", "List the alerts that were sent, or send a test by each channel."),
        "report": CommandEntry("report", "Report on sessions of the book: money, risk, skill and trades."),
        "lots": CommandEntry("lots", "Show the tax lots: what is open, and what was sold within a year and after it."),
        "console": CommandEntry("console", "Open the console."),
        "runs": CommandEntry("runs", "List past runs, or show the recipe of one."),
        "show": CommandEntry("show", "Show rows of a table, as published or as of a past moment."),
        "sql": CommandEntry("sql", "Answer a question in SQL over any table."),
        "securities": CommandEntry("securities", "Tell which company a ticker was, from renames, listings and gaps."),
        "tables": CommandEntry("tables", "List the tables, or describe the columns of one."),
        "versions": CommandEntry("versions", "Tell which version of each table is published, for other readers."),
        "explain": CommandEntry("explain", "Show what moved a ticker's forecasts, and what came of past cases."),
        "model": CommandEntry("model", "Show a model's card, how trainings went, or what a pretrained model says."),
        "features": CommandEntry("features", "List the features, or explain one."),
        "stages": CommandEntry("stages", "List the stages with what they read and write."),
    },
    "Audit": {
        "lineage": CommandEntry("lineage", "Trace a row back to what it was made from."),
        "impact": CommandEntry("impact", "List everything derived from a row, in every table."),
        "compare": CommandEntry("compare", "Compare an imported system's figures with the lake's."),
        "reproduce": CommandEntry("reproduce", "Recompute runs and compare every bit."),
        "capsule": CommandEntry("capsule", "List what failed runs left, or do one again elsewhere."),
        "check": CommandEntry("check", "Look for what knows the future, add the books up again, or train twice."),
    },
    "Maintain": {
        "backup": CommandEntry("backup", "Copy everything published to a folder, with checksums."),
        "restore": CommandEntry("restore", "Restore a backup into the empty folder given by --lake."),
        "scrub": CommandEntry("scrub", "Verify every file against its recorded checksum."),
        "gc": CommandEntry("gc", "Delete data files that no recorded run refers to."),
        "compact": CommandEntry("compact", "Rewrite each table's many small files as a few large ones."),
        "migrate": CommandEntry("migrate", "Upgrade a lake made by an earlier version to the current format."),
        "recover": CommandEntry("recover", "Repair what a crash left behind, and finish the interrupted cycle."),
    },
}
"""Heading -> command name -> where it lives."""


class Commands(click.Group):
    """Imports a command when it is called for, so that help comes at once."""

    def __call__(self, *_arguments: Any, **_named: Any) -> NoReturn:
        """Run the command line and leave with its exit code: the entry point of `nextgen`."""
        prepare_streams()
        keep_private()
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
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Print version, commit and lake format, and exit.",
)
def main() -> None:
    """One operator's trading research in a box: versioned lake, learning loop, exact ledger."""


def outcome(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors go to stderr, in a sentence."""
    invocation = Invocation()
    try:
        result = main.main(list(arguments), prog_name="nextgen", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
        return result if isinstance(result, int) else exit_codes.DONE
    except click.ClickException as error:
        error.show()
        return exit_codes.USAGE
    except (click.Abort, KeyboardInterrupt):
        invocation.output.say("interrupted; everything published so far is kept")
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has enough, as `head` does; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.DONE
    except SystemExit:
        raise
    except BaseException as error:  # the last place that can turn it into words; a library's panic is no Exception
        return _report_failure(error, invocation)


def _report_failure(error: BaseException, invocation: Invocation) -> int:
    from nextgen_tui.cli.error_messages import describe_error

    code, sentence = describe_error(error)
    if invocation.debug:
        import traceback

        traceback.print_exception(error)
    invocation.output.show_error(sentence)
    return code


if __name__ == "__main__":
    main()
