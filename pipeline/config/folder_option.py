"""A folder named on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class Folder(click.Path):
    """A folder. An empty text is a variable that was not set, and not the folder one happens to be in."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a path."""
        if value == "":
            self.fail("the path of a folder is empty; write . for the current folder", param, ctx)
        return super().convert(value, param, ctx)
