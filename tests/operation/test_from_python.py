"""The notebook of docs/from_python.md runs against a real lake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.operation.conftest import Operation

PAGE = Path(__file__).parents[2] / "docs" / "from_python.md"


def test_the_examples_of_the_page_run(operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my-lake").symlink_to(operation.lake.path)
    monkeypatch.chdir(tmp_path)
    cells = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    notebook: dict[str, Any] = {}
    for number, cell in enumerate(cells):
        exec(compile(cell, f"{PAGE.name}, cell {number}", "exec"), notebook)
    assert len(cells) == 8
    assert notebook["forecasts"].height > 0
    assert notebook["by_ticker"].columns == ["ticker", "forecasts", "skill"]
