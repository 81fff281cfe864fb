"""What `nextgen --version` says: version, commit and lake format."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import click

DISTRIBUTION = "nextgen-trading"
ROOT = Path(__file__).parents[2]
"""Of the checkout, where the program runs from one."""


def describe_version() -> str:
    """One line: `nextgen 0.2.0, commit 0123456789ab, lake format 3`."""
    from lake.migrations import FORMAT

    try:
        version = distribution(DISTRIBUTION).version
    except PackageNotFoundError:
        version = "not installed"
    return f"nextgen {version}, commit {find_commit() or 'unknown'}, lake format {FORMAT}"


def find_commit() -> str | None:
    """The commit the program was made from: that of its checkout, or the one noted when it was built."""
    return _commit_of_checkout() or _commit_of_build()


def _commit_of_checkout() -> str | None:
    """The checkout's commit, marked `-dirty` where files differ from it; None outside a checkout or without git."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--exclude=*", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def _commit_of_build() -> str | None:
    """What `hatch_build.py` noted in the wheel; None where it was built outside a checkout."""
    try:
        return Path(__file__).with_name("commit.txt").read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    """Print the line and end, as an eager option does."""
    if value and not context.resilient_parsing:
        click.echo(describe_version())
        context.exit()
