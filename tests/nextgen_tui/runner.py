"""`nextgen` called in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nextgen_tui.cli import exit_codes

Run = Callable[..., tuple[int, str, str]]
"""Arguments -> exit code, stdout, stderr."""


def json_of(run: Run, *arguments: str) -> Any:
    """What the command gives a script."""
    code, out, _ = run(*arguments, "--json")
    assert code in (exit_codes.DONE, exit_codes.DEGRADED)
    return json.loads(out)
