"""A folder named on a command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from lake.errors import NotALakeError
from lake.remote.address import is_address, resolve


class Folder(click.Path):
    """A folder. An empty text is a variable that was not set, and not the folder one happens to be in."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a path."""
        if value == "":
            self.fail("the path of a folder is empty; write . for the current folder", param, ctx)
        return super().convert(value, param, ctx)


class LakeFolder(Folder):
    """The folder of a lake, or its address in an object store: then it is the working copy on this machine."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a path or an address."""
        if isinstance(value, str) and is_address(value):
            try:
                return resolve(value, os.environ)
            except NotALakeError as error:
                self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)
