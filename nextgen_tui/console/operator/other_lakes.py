"""Another lake, or a branch of this one, to show in the same session."""

from __future__ import annotations

import os
from pathlib import Path

from lake.branches.branch import BRANCHES, MAIN, RECORD, find_branch
from lake.errors import NotALakeError
from lake.remote.address import is_address, resolve
from lake.storage.manifest import MANIFEST


def find_lake(here: Path, kind: str, name: str) -> Path:
    """The folder of a lake that was named, or of a branch of the one that is shown.

    Args:
        here: the lake that is shown; a branch of it is one of its main lake.
        kind: lake or branch.
        name: a folder, the address of a lake in an object store, or a branch's name; main for the lake that branches
            come from.

    Raises:
        NotALakeError: if there is no lake in the folder, or the address cannot be used.
        NoSuchError: if there is no such branch.
    """
    if kind == "branch":
        own = here.absolute()
        main = own.parent.parent if own.parent.name == BRANCHES and (own / RECORD).exists() else own
        return main if name in ("", MAIN) else find_branch(main, name).path
    if is_address(name):  # it is fetched where lakes are opened, aside from the thread that paints
        return resolve(name, os.environ)
    path = Path(name).expanduser().absolute()
    if not (path / MANIFEST).exists():
        raise NotALakeError(f"there is no lake at {path}; `:lake` lists those that were opened")
    return path
