"""Gives back to the sources what the operator spoke of: what they say of it counts again, from a session on."""

from __future__ import annotations

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.ingestion.actions.action_coverage import OPERATOR, drop_superseded, join_covering
from pipeline.ingestion.actions.revisions import (
    GROUP,
    SAME,
    number_copies,
    number_revisions,
    select_last,
    select_standing,
)

RELEASED = "released"
"""The source of the revision that takes back what the operator alone had said: from then on nobody says anything."""
STATED = tuple(name for name in CORPORATE_ACTIONS.columns if name not in ("sequence", "revision", "available_at"))


def give_back(released: pl.DataFrame, known: pl.DataFrame, lines: pl.DataFrame, landings: pl.DataFrame) -> pl.DataFrame:
    """Return the revisions by which facts of the operator become what the sources say; those given back make none.

    A source's word is the newest of its landings at hand that covers the day; of one without any what it had said
    before the operator spoke. What nobody states is taken back.

    Args:
        released: word, ticker, ex_date and kind of what the operator speaks of no more.
        known: every revision of the facts.
        lines: what is stated by now, of all landings at hand.
        landings: those that say what they cover.
    """
    last = select_last(known).join(released, on=GROUP, how="semi", maintain_order="left")
    about = released.join(last.filter(pl.col("source") == OPERATOR), on=GROUP, how="semi").select("word", *GROUP)
    if about.is_empty():
        return known.clear()
    mine = last.join(about, on=GROUP, how="semi", maintain_order="left")
    stated = _read_sources(about, known, lines, landings)
    standing = number_copies(select_standing(mine))
    same = standing.filter(pl.col("source") == OPERATOR).select(*SAME, "sequence", "revision")
    kept = stated.join(same, on=SAME, nulls_equal=True, maintain_order="left").with_columns(pl.col("revision") + 1)
    fresh = number_revisions(stated, mine, standing)
    untouched = standing.join(stated, on=SAME, how="semi", nulls_equal=True)
    gone = mine.join(pl.concat([one.select(CORPORATE_ACTIONS.entity) for one in (fresh, untouched)]),
                     on=CORPORATE_ACTIONS.entity, how="anti", maintain_order="left")  # fmt: skip
    gone = gone.join(about, on=GROUP, maintain_order="left").with_columns(
        pl.col("revision") + 1,
        source=pl.when(pl.col("source") == OPERATOR).then(pl.lit(RELEASED)).otherwise("source"),
        payload_id="word",
        withdrawn=pl.lit(True),
    )
    told = pl.concat([one.select(*STATED, "sequence", "revision") for one in (kept, fresh)])
    dated = told.with_columns(available_at=pl.lit(None, CORPORATE_ACTIONS.schema["available_at"]))
    return pl.concat([one.select(known.columns) for one in (dated, gone)])


def _read_sources(
    about: pl.DataFrame, known: pl.DataFrame, lines: pl.DataFrame, landings: pl.DataFrame
) -> pl.DataFrame:
    """What sources say of some ticker, day and kind now: STATED and copy."""
    theirs = lines.filter(pl.col("source") != OPERATOR).join(about, on=GROUP, how="semi", maintain_order="left")
    newest = [(pl.col(name) == pl.col(name).max()).over(*GROUP, "source") for name in ("landed", "fetched_at")]
    now = drop_superseded(theirs, landings).filter(newest[0]).filter(newest[1])
    before = select_standing(select_last(known.filter(~pl.col("source").is_in([OPERATOR, RELEASED]))))
    before = number_copies(before.join(about, on=GROUP, how="semi", maintain_order="left"))
    speaking = join_covering(before.select("source", "ticker", "ex_date"), landings)
    for heard, by in ((speaking, ("source", "ticker", "ex_date")), (now, ("source", *GROUP))):
        before = before.join(heard.select(by), on=by, how="anti", maintain_order="left")
    told = pl.concat([one.select(*STATED, "copy") for one in (now, before)])
    return told.sort(*SAME, "source", nulls_last=True).unique(SAME, keep="first", maintain_order=True)
