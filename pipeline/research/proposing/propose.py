"""Runs a search on a lake: each proposal is recorded before it is tried, and every one that was ever made counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from math import isfinite

import polars as pl

from lake.store import Lake
from lake.tables.research import FACTOR_PROPOSALS, FACTOR_RESULTS
from pipeline.config.settings import Settings
from pipeline.research import ResearchError
from pipeline.research.holdout import last_for_search
from pipeline.research.proposing.factor_history import FactorHistory, read_history
from pipeline.research.proposing.grammar import Sentence
from pipeline.research.proposing.rank_scores import largest_p
from pipeline.research.proposing.search import TriedFactor, search
from pipeline.research.recording import record

RATE = 0.05
"""Chance of keeping any worthless factor, over all proposals ever made in a lake."""
MAX_BUDGET = 10_000


def propose(lake: Lake, settings: Settings, budget: int, horizon: int, seed: int = 0) -> Iterator[TriedFactor]:
    """Propose factors, record each before it is tried, and yield what came of it.

    The same search of the same history gives the same again; it is recorded once.

    Args:
        lake: its published facts are tried on, up to what is put aside.
        settings: its own.
        budget: proposals, at most `MAX_BUDGET`.
        horizon: sessions over which outcomes are counted.
        seed: of the search.

    Raises:
        ResearchError: if there is too little history, or the budget or horizon is out of range.
    """
    if not 1 <= budget <= MAX_BUDGET:
        raise ResearchError(f"a budget of {budget} is out of range; propose 1 to {MAX_BUDGET:,} factors")
    if not 1 <= horizon <= 60:
        raise ResearchError(f"a horizon of {horizon} sessions is out of range; choose 1 to 60")
    history = read_history(lake, settings, horizon, last_for_search(settings))
    name = _name_search(history, budget, horizon, seed)
    before = lake.read(FACTOR_PROPOSALS, where=pl.col("search_id") != name, columns=FACTOR_PROPOSALS.key).height
    recorder = _Recorder(lake, name, history.sessions[-1], horizon, largest_p(RATE, before + budget))
    for judged in search(history.compute, history.outcomes, budget, seed, RATE, before, recorder.announce):
        recorder.keep(judged)
        yield judged
    recorder.finish()


def _name_search(history: FactorHistory, budget: int, horizon: int, seed: int) -> str:
    told = f"{history.sessions[0]}|{history.sessions[-1]}|{','.join(history.names)}|{budget}|{horizon}|{seed}"
    return f"search-{history.sessions[-1]:%Y%m%d}-{sha256(told.encode()).hexdigest()[:10]}"


class _Recorder:
    """Writes proposals as they are announced and results as they come, each once."""

    def __init__(self, lake: Lake, name: str, last: date, horizon: int, most: float) -> None:
        self.lake, self.name, self.last, self.horizon, self.most = lake, name, last, horizon, most
        known = pl.col("search_id") == name
        self._told = set(lake.read(FACTOR_PROPOSALS, where=known)["proposal"])
        self._judged = set(lake.read(FACTOR_RESULTS, where=known)["proposal"])
        self._count = 0
        self._waiting: list[dict[str, object]] = []

    def announce(self, batch: Sequence[tuple[Sentence, tuple[str, ...]]]) -> None:
        """Record proposals before they are tried."""
        self.finish()
        numbered = list(enumerate(batch, self._count + 1))
        self._count += len(batch)
        rows = [self._row(number, *one) for number, one in numbered if one[0].text not in self._told]
        record(self.lake, FACTOR_PROPOSALS, f"{self.name}/proposed/{self._count}", rows)

    def _row(self, number: int, proposal: Sentence, parents: tuple[str, ...]) -> dict[str, object]:
        return {
            "search_id": self.name,
            "proposal": proposal.text,
            "proposed_at": datetime.now(UTC),
            "number": number,
            "parents": list(parents),
            "formula": proposal.express().text,
            "horizon": self.horizon,
            "last": self.last,
            "kill": f"p above {self.most:.2g} out of sample, or nothing beyond what is kept",
        }

    def keep(self, judged: TriedFactor) -> None:
        """Take note of a result; it is written with the others of its batch."""
        if judged.proposal.text in self._judged:
            return
        inside, outside = judged.in_sample, judged.out_of_sample
        scores = {"ic_in_sample": inside.ic, "t_in_sample": inside.t, "ic": outside.ic, "t": outside.t, "p": outside.p}
        result: dict[str, object] = {
            "search_id": self.name,
            "proposal": judged.proposal.text,
            "judged_at": datetime.now(UTC),
            **{key: value if isfinite(value) else None for key, value in scores.items()},
            "sessions": outside.sessions,
            "max_p": self.most,
            "verdict": judged.verdict,
        }
        self._waiting.append(result)

    def finish(self) -> None:
        """Write what waits."""
        record(self.lake, FACTOR_RESULTS, f"{self.name}/judged/{self._count}", self._waiting)
        self._waiting = []


def write_plugin(kept: Sequence[TriedFactor], horizon: int) -> str:
    """Return a plugin that declares factors as features, to be read before it is used."""
    declared = [
        f"    Feature.express(\n"
        f"        {name_feature(one.proposal)!r},\n"
        f'        "proposed",\n'
        f'        "score",\n'
        f"        {one.proposal!r}.express(),\n"
        f'        source="proposed: rank correlation {one.out_of_sample.ic:.3f} over {horizon} sessions,'
        f' {one.out_of_sample.t:.1f} standard errors in {one.out_of_sample.sessions} sessions",\n'
        f"    ),\n"
        for one in kept
    ]
    return (
        '"""Factors that a search proposed and kept; read what each computes before you use it."""\n\n'
        "from pipeline.features.feature import Feature\n"
        "from pipeline.research.proposing.grammar import Sentence\n\n"
        f"FEATURES = (\n{''.join(declared)})\n"
    )


def name_feature(proposal: Sentence) -> str:
    """What a proposal is called as a feature."""
    words = re.sub(r"[^a-z0-9]+", "_", proposal.text.lower()).strip("_")
    digest = sha256(proposal.text.encode()).hexdigest()[:6]
    return f"proposed_{words}" if len(words) <= 50 else f"proposed_{words[:43]}_{digest}"
