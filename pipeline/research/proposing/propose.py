"""Runs a search on a lake: each proposal is recorded before it is tried, and every one that was ever made counts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from math import isfinite

import polars as pl

from lake.store import Lake
from lake.tables.research import FACTOR_PROPOSALS, FACTOR_RESULTS
from pipeline.config.settings import Settings
from pipeline.research import ResearchError
from pipeline.research.holdout import last_for_search
from pipeline.research.proposing.author.model_author import ModelAuthor
from pipeline.research.proposing.factor_history import FactorHistory, read_history
from pipeline.research.proposing.grammar import Sentence
from pipeline.research.proposing.rank_scores import largest_p
from pipeline.research.proposing.search import TriedFactor, search
from pipeline.research.recording import record

RATE = 0.05
"""Chance of keeping any worthless factor, over all proposals ever made in a lake."""
MAX_BUDGET = 10_000


@dataclass(frozen=True)
class FoundSearch:
    """A search that can be made, and what it rests on."""

    name: str
    """The same by whatever decides what is proposed and how it is judged."""
    history: FactorHistory
    known_upto: int
    """Sessions that a language model may have read about."""
    before: int
    """Proposals of other searches; they count as tests."""


def find_search(
    lake: Lake, settings: Settings, budget: int, horizon: int, seed: int, author: ModelAuthor | None
) -> FoundSearch:
    """Return what `propose` searches, of the same arguments.

    Raises:
        ResearchError: if there is too little history, the budget or horizon is out of range, or the author may not be
            asked and said nothing yet.
    """
    if not 1 <= budget <= MAX_BUDGET:
        raise ResearchError(f"a budget of {budget} is out of range; propose 1 to {MAX_BUDGET:,} factors")
    if not 1 <= horizon <= 60:
        raise ResearchError(f"a horizon of {horizon} sessions is out of range; choose 1 to 60")
    history = read_history(lake, settings, horizon, last_for_search(settings))
    known_upto = 0 if author is None else _count_known(history, settings)
    told = f"{history.sessions[0]}|{history.sessions[-1]}|{','.join(history.names)}|{budget}|{horizon}|{seed}"
    told += f"|{author.name}|{known_upto}" if author is not None else ""
    name = f"search-{history.sessions[-1]:%Y%m%d}-{sha256(told.encode()).hexdigest()[:10]}"
    if author is not None:
        author.begin(name, horizon)
    before = lake.read(FACTOR_PROPOSALS, where=pl.col("search_id") != name, columns=FACTOR_PROPOSALS.key).height
    return FoundSearch(name, history, known_upto, before)


def propose(
    lake: Lake, settings: Settings, budget: int, horizon: int, seed: int = 0, author: ModelAuthor | None = None
) -> Iterator[TriedFactor]:
    """Propose factors, record each before it is tried, and yield what came of it.

    The same search of the same history gives the same again; it is recorded once.

    Args:
        lake: its published facts are tried on, up to what is put aside.
        settings: its own.
        budget: proposals, at most `MAX_BUDGET`.
        horizon: sessions over which outcomes are counted.
        seed: of the search.
        author: a language model that is asked for factors as well; its words are kept, and a repeat reads them. What
            it wrote is judged by sessions after those that it can have read about.

    Raises:
        ResearchError: as `find_search`, or if the author does not answer its first request.
    """
    found = find_search(lake, settings, budget, horizon, seed, author)
    history = found.history
    most = largest_p(RATE, found.before + budget)
    recorder = _Recorder(lake, found.name, history.sessions[-1], horizon, most, author)
    searched = search(
        history.compute,
        history.outcomes,
        budget,
        seed,
        RATE,
        found.before,
        announce=recorder.announce,
        author=recorder.let_write,
        known_upto=found.known_upto,
    )
    for judged in searched:
        recorder.keep(judged)
        yield judged
    recorder.finish()


def _count_known(history: FactorHistory, settings: Settings) -> int:
    """Sessions that a language model may have read about; of a simulated market nobody has."""
    model = settings.ingestion.news.model
    if settings.source.name == "simulated" or model.hindsight == "use":
        return 0
    return bisect_right(history.sessions, model.cutoff)


class _Recorder:
    """Writes proposals as they are announced and results as they come, each once; knows who wrote what."""

    def __init__(
        self, lake: Lake, name: str, last: date, horizon: int, most: float, author: ModelAuthor | None
    ) -> None:
        self.lake, self.name, self.last, self.horizon, self.most = lake, name, last, horizon, most
        self.author = author
        self._written: dict[str, tuple[int, str]] = {}
        """Sentence -> the request that it is an answer to, and its hypothesis."""
        known = pl.col("search_id") == name
        self._told = set(lake.read(FACTOR_PROPOSALS, where=known)["proposal"])
        self._judged = set(lake.read(FACTOR_RESULTS, where=known)["proposal"])
        self._count = 0
        self._waiting: list[dict[str, object]] = []

    def let_write(self, tried: Sequence[tuple[str, float]], seen: Collection[str]) -> Sequence[Sentence]:
        """Ask the author, if there is one."""
        if self.author is None:
            return ()
        found = self.author.propose(tried, seen)
        self._written |= {one.sentence.text: (self.author.authored.requests, one.hypothesis) for one in found}
        return [one.sentence for one in found]

    def announce(self, batch: Sequence[tuple[Sentence, tuple[str, ...]]]) -> None:
        """Record proposals before they are tried."""
        self.finish()
        numbered = list(enumerate(batch, self._count + 1))
        self._count += len(batch)
        rows = [self._row(number, *one) for number, one in numbered if one[0].text not in self._told]
        record(self.lake, FACTOR_PROPOSALS, f"{self.name}/proposed/{self._count}", rows)

    def _row(self, number: int, proposal: Sentence, parents: tuple[str, ...]) -> dict[str, object]:
        request, hypothesis = self._written.get(proposal.text, (None, None))
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
            "authored": request,
            "hypothesis": hypothesis,
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
