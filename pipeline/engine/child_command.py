"""How this program starts itself again as another process: never with modules from the working directory."""

from __future__ import annotations

import sys
from pathlib import Path


def python_command(module: str, *arguments: object) -> list[str]:
    """The command line that runs a module of ours in a process of its own.

    Plain `python -m` looks for modules in the working directory first, where a folder that happens to be named
    `pipeline` or `lake` would take the place of ours; `-P` leaves that directory out. To run a source tree that is not
    installed, put it on PYTHONPATH, which children inherit.
    """
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def installed_script(name: str) -> Path:
    """Where the command that was installed under a name lies: beside the interpreter."""
    return Path(sys.executable).with_name(name)
