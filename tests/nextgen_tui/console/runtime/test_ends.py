"""The console ends with its terminal, its socket or its parent, and when it is told to; it leaves nothing running."""

from __future__ import annotations

import importlib.util
import itertools
import random
import sys
from pathlib import Path

import pytest

from tests.nextgen_tui.console.runtime.endings import (
    WAYS,
    WEB_WAYS,
    Way,
    it_is_hung_up,
    seconds_until_none_is_left,
    the_web_server_is_killed,
    the_web_server_is_told_to_end,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc")
STARTS = 1_000
HAS_WEB = importlib.util.find_spec("textual_serve") is not None
ALL_WAYS = (*WAYS, *(WEB_WAYS if HAS_WEB else ()))
LIKE_ANOTHER = (it_is_hung_up, the_web_server_is_killed, the_web_server_is_told_to_end)
"""To the console they are what another way brings about: its terminal closes, or its socket with no server to start."""


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, marks=pytest.mark.slow) if way in LIKE_ANOTHER else way for way in ALL_WAYS],
    ids=lambda way: way.__name__,
)
def test_a_console_ends_when_its_user_is_gone(desk_path: Path, tmp_path: Path, way: Way) -> None:
    way(desk_path, tmp_path, random.Random(1))
    seconds_until_none_is_left(tmp_path)


@pytest.mark.torture
def test_a_thousand_starts_and_ends_leave_no_process(desk_path: Path, tmp_path: Path) -> None:
    chance = random.Random(20_260_105)
    for number, way in zip(range(STARTS), itertools.cycle(ALL_WAYS), strict=False):
        (folder := tmp_path / str(number)).mkdir()
        way(desk_path, folder, chance)
        seconds_until_none_is_left(folder)
