"""Notes with what came of them: whether what was foretold came true, beside how many names did the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.contract import RUN_ID
from lake.store import Lake
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.research import NOTES
from pipeline.reading.results.ticker_paths import read_paths

STATES = ("note", "open", "hit", "missed", "no outcome")
"""Nothing is foretold; not due yet; came true; did not; the ticker has no bar where it is due."""
JUDGED = ("hit", "missed")
OUTCOME = {"note_id": pl.String, "due": pl.Date, "realised": pl.Float64, "base": pl.Float64, "state": pl.String}


@dataclass(frozen=True)
class NotesRecord:
    """How well what was foretold came true."""

    judged: int
    hits: int
    expected: float
    """Hits of somebody who foretells the same directions of names at random: the sum of base rates."""
    chance: float | None
    """Probability that he has as many hits or more; None where nothing was judged."""

    @property
    def sentence(self) -> str:
        """The record in words."""
        if not self.judged:
            return "Nothing that was foretold has come due."
        came = f"{self.hits} of {self.judged} that were foretold came true; names at random would give"
        return f"{came} {self.expected:.1f}, and as many or more in {100 * (self.chance or 0):.0f} % of cases."


def score_notes(lake: Lake, known: date | None = None) -> pl.DataFrame:
    """Every note with what came of it, the newest first.

    What is foretold is where the ticker's total return lies from the close of the note's session to that of the session
    `horizon` later. The base rate is the share of the other members of the universe that went the same way.

    Args:
        lake: as published; the newest bars count.
        known: the last session whose close is known; None for the last there is.

    Returns:
        The columns of `notes` and due (date, null while it is not known), realised (fraction), base (fraction) and
        state (one of STATES).

    Raises:
        LakeError: if the lake cannot be read.
    """
    rows = lake.read(NOTES).drop(RUN_ID).sort("decided_at", "note_id", descending=True)
    if known is not None:
        rows = rows.filter(pl.col("session") <= known)
    foretold = rows.filter(pl.col("direction").is_not_null())
    by_session = foretold.group_by("session", maintain_order=True)
    parts = [_judge(lake, session, mine, known) for (session,), mine in by_session]
    judged = pl.concat(parts) if parts else pl.DataFrame(schema=OUTCOME)
    return rows.join(judged, on="note_id", how="left", maintain_order="left").with_columns(
        pl.col("state").fill_null("note")
    )


def sum_up(scored: pl.DataFrame) -> NotesRecord:
    """How well what was foretold came true, beside names at random.

    The probability of as many hits is exact (Poisson binomial: each prediction has the base rate of its own span).

    Args:
        scored: what `score_notes` returns.
    """
    judged = scored.filter(pl.col("state").is_in(JUDGED), pl.col("base").is_not_null())
    rates, hits = judged["base"].to_list(), judged.filter(pl.col("state") == "hit").height
    chance = sum(distribution(rates)[hits:]) if rates else None
    return NotesRecord(judged.height, hits, float(sum(rates)), chance)


def distribution(rates: Sequence[float]) -> list[float]:
    """Probability of 0, 1, ... hits of independent trials with these probabilities."""
    odds = [1.0]
    for rate in rates:
        odds = [(1 - rate) * here + rate * before for here, before in zip([*odds, 0.0], [0.0, *odds], strict=True)]
    return odds


def _judge(lake: Lake, session: object, notes: pl.DataFrame, known: date | None) -> pl.DataFrame:
    """What came of the predictions of one session."""
    assert isinstance(session, date)
    members = lake.read(TICKER_UNIVERSE, since=session, until=session, where=pl.col("member"), columns=("ticker",))
    names = sorted({*members["ticker"], *notes["ticker"]})
    paths = read_paths(lake, names, session).filter(pl.col("session") > session)
    paths = paths if known is None else paths.filter(pl.col("session") <= known)
    sessions = paths["session"].unique().sort().to_list()
    found = []
    for row in notes.select("note_id", "ticker", "direction", "horizon").iter_rows(named=True):
        due = sessions[row["horizon"] - 1] if len(sessions) >= row["horizon"] else None
        outcome = _outcome(paths, row["ticker"], row["direction"], set(members["ticker"]), due)
        found.append({"note_id": row["note_id"], "due": due} | outcome)
    return pl.DataFrame(found, schema=OUTCOME)


def _outcome(
    paths: pl.DataFrame, ticker: str, direction: str, members: set[str], due: date | None
) -> dict[str, object]:
    if due is None:
        return {"realised": None, "base": None, "state": "open"}
    until = paths.filter(pl.col("session") <= due).group_by("ticker", maintain_order=True)
    returns = until.agg(last=pl.col("session").max(), moved=(1 + pl.col("total_return")).product() - 1)
    there = dict(returns.filter(pl.col("last") == due).select("ticker", "moved").iter_rows())
    same = {name: moved > 0 if direction == "up" else moved < 0 for name, moved in there.items()}
    others = [went for name, went in same.items() if name != ticker and name in members]
    base = sum(others) / len(others) if others else None
    if ticker not in there:
        return {"realised": None, "base": base, "state": "no outcome"}
    return {"realised": there[ticker], "base": base, "state": "hit" if same[ticker] else "missed"}
