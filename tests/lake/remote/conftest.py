"""A store, and machines with working copies of a lake in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lake.remote.address import resolve
from lake.store import Lake
from tests.loopback.object_store import Place, new_address, open_wire


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """The address of a lake that is not there yet."""
    with open_wire() as wire:
        yield Place(new_address(), wire, tmp_path)


@pytest.fixture
def on(place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lake]:
    """Open the lake on a machine, or make it there."""

    def open_on(name: str, *, create: bool = False) -> Lake:
        place.machine(name, monkeypatch)
        folder = resolve(place.address, os.environ)
        return Lake.create(folder) if create else Lake.open(folder)

    return open_on
