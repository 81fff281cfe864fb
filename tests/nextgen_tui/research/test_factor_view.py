"""What a factor computes is shown in whole."""

from __future__ import annotations

from rich.console import Console

from nextgen_tui.research.factor_view import list_kept
from pipeline.research.proposing.grammar import Sentence
from pipeline.research.proposing.rank_scores import RankScore
from pipeline.research.proposing.search import TriedFactor


def test_a_long_formula_is_not_cut() -> None:
    score = RankScore(ic=0.05, t=4.0, sessions=435)
    proposal = Sentence("change", 5, (Sentence("place_in_range", 5),))
    tried = TriedFactor(proposal=proposal, parents=(), in_sample=score, out_of_sample=score, verdict="kept")
    formula = proposal.express().text
    assert len(formula) > 80
    console = Console(width=300)
    with console.capture() as shown:
        console.print(list_kept([tried]))
    assert formula in shown.get()
