"""The private parts of the interface library that the console rests on: an upgrade breaks a test, not a screen."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.widgets import Input, Static

from nextgen_tui import console
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screen_frame import screen_lines

USED = {"_compositor", "_css_update_count", "_make_app"}
"""What is known to be used; each has its test: those below and, of `_make_app`, `runtime/test_serve.py`."""


def library_classes() -> Iterator[type]:
    """The classes the console's own are made from."""
    served = pytest.importorskip("textual_serve.server", reason="the extra `web` is not installed").Server
    for base in (App, Screen, ScrollView, Input, Static, served):
        yield from (one for one in base.__mro__ if one.__module__.startswith("textual"))


def private_names(tree: ast.Module) -> Iterator[str]:
    """Private attributes and methods that a module uses or defines, but for those of Python's own modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) != "os":
            yield node.attr
        elif isinstance(node, ast.ClassDef):
            yield from (one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_other_private_part_of_the_library_is_used_or_overridden_by_accident() -> None:
    theirs = {name for one in library_classes() for name in (*vars(one), *assigned(one))}
    found: dict[str, str] = {}
    for path in sorted(Path(console.__file__).parent.rglob("*.py")):
        names = private_names(ast.parse(path.read_text(encoding="utf-8")))
        found |= {name: path.name for name in names if re.match("_[a-z]", name) and name in theirs}
    assert set(found) == USED, found


def assigned(cls: type) -> list[str]:
    """The private attributes that a class's methods set or read on themselves."""
    return re.findall(r"self\.(_[a-z]\w*)", inspect.getsource(cls))


def test_a_line_to_type_on_may_be_made_before_its_screen_is_up(desk_path: Path) -> None:
    ConsoleApp(desk_path).clear_selection()  # what the library's Input does when tasks start eagerly: Python 3.12 on


async def test_no_paint_is_held_back_while_screens_change(desk_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = ConsoleApp(desk_path)
    held_back, delays = list[int](), list[float]()
    own = app.delay_update
    monkeypatch.setattr(app, "delay_update", lambda delay=0.05: (delays.append(delay), own(delay)))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        paint = app._display
        monkeypatch.setattr(app, "_display", lambda *given: (held_back.append(app._batch_count), paint(*given)))
        for key in "2121":
            await pilot.press(key)
            await wait_until_loaded(pilot)
    assert len(held_back) >= 4
    assert not any(held_back)
    assert len(delays) == 4, "the library holds a change of screens back by this method, which the console overrides"
    assert "_begin_batch" in inspect.getsource(App.delay_update)


async def test_a_screen_is_not_styled_twice_before_its_first_paint(
    desk_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = ConsoleApp(desk_path)
    parsed = list[str]()
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        parse = app.stylesheet.reparse
        monkeypatch.setattr(app.stylesheet, "reparse", lambda: (parsed.append(app.current_mode), parse()))
        await pilot.press("2")
        await wait_until_loaded(pilot)
        assert app.current_mode == "data"
        assert parsed == []
        app.screen._css_update_count -= 1  # as a screen of the library begins its life
        await pilot.press("1")
        await pilot.press("2")
        await wait_until_loaded(pilot)
        assert parsed == ["data"]


async def test_what_stands_on_a_screen_is_read_line_by_line(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        lines = screen_lines(app.screen)
    assert len(lines) == 30
    assert "1 Health" in lines[1]
    assert lines[-1].rstrip().endswith("Quit")
