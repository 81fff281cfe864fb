"""Every screen looks as it did, narrow and wide; `ACCEPT_PICTURES=1` keeps what is drawn now."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.runtime.screenshots import take_screenshots, terminal_size
from nextgen_tui.console.screens import PAGES

KEPT = Path(__file__).parents[1] / "pictures"
ACCEPT = "ACCEPT_PICTURES"
MOMENT = datetime(2022, 3, 2, 12, 0, tzinfo=UTC)
"""When the pictures are taken: the morning after the desk's last session."""
FREE_DISK = re.compile(r'textLength="[^"]*"( [^>]*>[^<]*?)[\d.]+&#160;[kMGT]?B&#160;free')

TERMINAL = re.compile(r"terminal-\d+")
"""The picture's own name, a sum over all that it shows: the room on the disk as well."""


def picture(path: Path) -> str:
    """A picture without what differs between machines: the room on the disk."""
    return TERMINAL.sub("terminal", FREE_DISK.sub(r"\1free", path.read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("size", ["80x24", "140x40"])
def test_every_screen_looks_as_it_did(
    size: str, desk_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk_path.parent)
    monkeypatch.setenv("NEXTGEN_STATE", str(desk_path.parent / "state"))
    app = ConsoleApp(Path(desk_path.name), clock=lambda: MOMENT)
    app.lake_name = desk_path.name  # where it lies differs from run to run
    taken = {path.name: picture(path) for path in take_screenshots(app, tmp_path / "pictures", terminal_size(size))}
    folder = KEPT / size
    if os.environ.get(ACCEPT):
        folder.mkdir(parents=True, exist_ok=True)
        for name, drawn in taken.items():
            (folder / name).write_text(drawn, encoding="utf-8")
    kept = {path.name: picture(path) for path in folder.glob("*.svg")}
    assert sorted(kept) == sorted(taken) == sorted(f"{page.number}-{page.name.lower()}.svg" for page in PAGES)
    changed = [name for name in taken if taken[name] != kept[name]]
    assert not changed, f"{changed} look different: see {tmp_path / 'pictures'}; {ACCEPT}=1 keeps them"
