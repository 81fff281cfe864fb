"""`nextgen-daemon`: the command. It answers before the libraries load, which take a second."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NoReturn

import click

from lake.access import follow_access
from lake.errors import BusyError, LakeError
from pipeline.config import ConfigError
from pipeline.config.folder_option import LakeFolder
from pipeline.config.home import lake_home
from pipeline.control.daemon.daemon_lock import refuse_second_daemon
from pipeline.engine.child_command import python_command
from pipeline.streams import prepare_streams

USAGE, BUSY = 2, 3


def daemon_command(lake: Path, *options: object) -> list[str]:
    """The command line that serves a lake in a process of its own, which writes to its log file alone."""
    return python_command("pipeline.control.daemon.main", "--lake", lake, "--quiet", *options)


@click.command("nextgen-daemon", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lake", type=LakeFolder(), help="Folder of the lake, or its address in an object store.")
@click.option("--schedule", type=click.Path(dir_okay=False, path_type=Path), help="Use this schedules.toml.")
@click.option("--once", is_flag=True, help="Run what is overdue, then exit.")
@click.option("--quiet", is_flag=True, help="Write to the log file only.")
@click.option("--pace", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Seconds per simulated session.")
@click.option("--metrics", type=click.IntRange(1, 65_535), metavar="PORT", help="Serve Prometheus metrics on loopback.")
@click.option(
    "--max-runs", "--settled", type=click.IntRange(min=1), metavar="N", help="Exit after N runs of the schedule."
)
def command(
    lake: Path | None,
    schedule: Path | None,
    once: bool,
    quiet: bool,
    pace: float | None,
    metrics: int | None,
    max_runs: int | None,
) -> int:
    """Run the schedule's tasks when they are due.

    SIGTERM finishes the running work and stops; a second SIGTERM stops at once. SIGHUP reads the schedule again. Exit
    codes: 0 done, 1 something was given up or is still overdue (--once; the log names it), 2 the schedule or the lake
    cannot be used, 3 another daemon serves this lake.
    """
    path = (lake or lake_home(os.environ)).absolute()
    follow_access(path)
    refuse_second_daemon(path / "control")
    with _serve_metrics(path, metrics):
        return _serve(path, schedule, pace, once=once, quiet=quiet, max_runs=max_runs)


def _serve_metrics(path: Path, port: int | None) -> AbstractContextManager[object]:
    if port is None:
        return nullcontext()
    try:
        from pipeline.reading.prometheus import serve_metrics
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"--metrics needs the extra `metrics` ({error.name} is missing): pip install 'nextgen-trading[metrics]'"
        ) from None
    return serve_metrics(path, port)


def _serve(
    path: Path, schedule: Path | None, pace: float | None, *, once: bool, quiet: bool, max_runs: int | None
) -> int:
    from lake.storage.disk import require_writable
    from lake.store import Lake
    from pipeline.control.daemon.clock import SystemClock
    from pipeline.control.daemon.daemon_loop import Daemon
    from pipeline.control.daemon.simulated_pace import make_paced_clock
    from pipeline.control.logging.json_logs import begin_logging, end_logging
    from pipeline.reading.alerting.watch import watch_alerts

    lake = Lake.open(path)
    require_writable(path)
    begin_logging(path / "control" / "logs", quiet=quiet)
    try:
        clock = make_paced_clock(lake, pace) if pace else SystemClock()
        with watch_alerts(path, once=once):
            return Daemon(lake, schedule, clock).run(once=once, max_runs=max_runs)
    except (ConfigError, LakeError) as error:
        if quiet:  # nobody may see stderr then, so the log has to say it
            logging.getLogger("pipeline.control.daemon.main").error("the daemon cannot start: %s", error)
        raise
    finally:
        end_logging()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the daemon and exit with its exit code; the arguments are those of the command line where None."""
    prepare_streams()
    try:
        sys.exit(command.main(arguments, standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except BusyError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(BUSY)
    except (ConfigError, LakeError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(USAGE)
    except OSError as error:
        click.echo(f"Error: the daemon cannot start: {error.filename or 'the disk'}: {error.strerror}", err=True)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
