"""Factors that a search kept, as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid

if TYPE_CHECKING:
    from pipeline.research.proposing.search import TriedFactor

MAX_FORMULA = 400
"""Longest formula shown: what a factor computes has to be read in whole."""


def list_kept(kept: Sequence[TriedFactor]) -> Table:
    """A row for each factor: its rank correlations, how sure they are, and what it computes."""
    view = grid("Kept")
    for heading in ("factor", "IC in sample", "out of sample", "standard errors", "sessions", "computes"):
        view.add_column(heading, justify="left" if heading in ("factor", "computes") else "right")
    for one in kept:
        scores = (
            formats.number(one.in_sample.ic, 3, signed=True),
            formats.number(one.out_of_sample.ic, 3, signed=True),
        )
        errors = formats.number(one.out_of_sample.t, 1, signed=True), formats.whole(one.out_of_sample.sessions)
        view.add_row(one.proposal.text, *scores, *errors, safe_text(one.proposal.express().text, MAX_FORMULA))
    return view
