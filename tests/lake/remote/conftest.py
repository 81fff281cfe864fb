"""A store, and machines with working copies of a lake in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lake.remote.address import REMOTE, resolve
from lake.store import Lake
from tests.copies import copy_lake
from tests.loopback.object_store import Place, can_copy, copy_objects, never, new_address, open_wire


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """An empty lake in the store, made once, and the working copy that it was made with."""
    with open_wire() as wire, pytest.MonkeyPatch.context() as patch:
        place = Place(new_address(), wire, tmp_path_factory.mktemp("made"))
        place.machine("first", patch)
        return place.address, Lake.create(resolve(place.address, os.environ)).path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """The address of a lake that is not there yet."""
    with open_wire() as wire:
        yield Place(new_address(), wire, tmp_path)


@pytest.fixture
def on(place: Place, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., Lake]:
    """Open the lake on a machine, or make it there: as a copy of one, unless something is to go wrong meanwhile."""

    def open_on(name: str, *, create: bool = False) -> Lake:
        place.machine(name, monkeypatch)
        folder = resolve(place.address, os.environ)
        if create and place.wire.fault is never and can_copy():
            address, lake = request.getfixturevalue("made")
            copy_objects(address, place.address)
            shutil.rmtree(folder)
            copy_lake(lake, folder)
            (folder / REMOTE / "address.json").unlink()
            resolve(place.address, os.environ)
        elif create:
            return Lake.create(folder)
        return Lake.open(folder)

    return open_on
