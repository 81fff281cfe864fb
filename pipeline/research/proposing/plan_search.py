"""What a search would do, told before it does it: how many factors, how long, and what a language model may cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.store import Lake
from lake.tables.research import FACTOR_PROPOSALS, FACTOR_RESULTS
from pipeline.config.settings import Settings
from pipeline.research.proposing.author.model_author import ModelAuthor
from pipeline.research.proposing.propose import RATE, find_search
from pipeline.research.proposing.rank_scores import largest_p


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """What a search would do."""

    search: str
    first: date
    last: date
    names: int
    left: int
    """Proposals that are not judged yet."""
    max_p: float
    """The largest p, out of sample, at which a factor is kept."""
    seconds: float | None
    """At what the last search took for a proposal; None where there was none."""
    requests: int
    """The most that a language model is asked; 0 without one, or where it said already what it may."""
    dollars: float
    """USD, the most."""


def plan_search(
    lake: Lake, settings: Settings, budget: int, horizon: int, seed: int = 0, author: ModelAuthor | None = None
) -> SearchPlan:
    """Tell what `propose` would do, of the same arguments; nobody is asked and nothing is recorded.

    Raises:
        ResearchError: if it could not be done.
    """
    found = find_search(lake, settings, budget, horizon, seed, author)
    requests, dollars = (0, 0.0) if author is None else author.plan()
    left = budget - lake.read(FACTOR_RESULTS, where=pl.col("search_id") == found.name, columns=("proposal",)).height
    took = _seconds_a_proposal(lake)
    return SearchPlan(
        search=found.name,
        first=found.history.sessions[0],
        last=found.history.sessions[-1],
        names=len(found.history.names),
        left=left,
        max_p=largest_p(RATE, found.before + budget),
        seconds=None if took is None else took * left,
        requests=requests,
        dollars=dollars,
    )


def _seconds_a_proposal(lake: Lake) -> float | None:
    """From the first proposal of the last search to its last verdict, for each of them."""
    results = lake.read(FACTOR_RESULTS).sort("judged_at", "search_id")
    if results.is_empty():
        return None
    own = results.filter(pl.col("search_id") == results["search_id"][-1])
    began = lake.read(FACTOR_PROPOSALS, where=pl.col("search_id") == own["search_id"][0])["proposed_at"].min()
    return float((own["judged_at"][-1] - began).total_seconds()) / own.height
