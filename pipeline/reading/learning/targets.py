"""Whom a training can be for in this lake: a target that names somebody nobody knows is refused before it begins."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches

from lake.store import Lake
from lake.tables.market import TICKER_UNIVERSE
from pipeline.models.targets.target import Target, parse_target
from pipeline.text_format import counted


def check_target(lake: Lake, text: str, session: date) -> Target:
    """Read a target and make sure that it names members of the universe at a session.

    Raises:
        ValueError: if it is no target, or names nobody, with what comes nearest.
    """
    target = parse_target(text)
    universe = lake.read(TICKER_UNIVERSE, since=session, until=session, columns=("session", "ticker", "sector"))
    known = universe["sector" if target.kind == "sector" else "ticker"].unique().sort().to_list()
    if unknown := [name for name in target.names if name not in known]:
        near = get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(str, known[:8]))}"
        raise ValueError(
            f"{counted(len(unknown), 'name')} of {target} {'is' if len(unknown) == 1 else 'are'} not in the universe at"
            f" {session}, the first is {unknown[0]!r}; {hint}"
        )
    return target
