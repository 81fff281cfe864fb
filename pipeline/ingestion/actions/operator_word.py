"""Lets what the operator states of an action stand against what sources say of it, from then on."""

from __future__ import annotations

import json
from datetime import date
from typing import NamedTuple

import polars as pl

from pipeline.ingestion.actions.action_coverage import OPERATOR

ABOUT = ("ticker", "ex_date", "kind")
"""What a word of the operator speaks of: all actions of one kind, of one ticker, on one day."""
RELEASE = "release"
"""The verb of a word that says no more than that the operator speaks of something no longer."""
WORD_TYPES: dict[str, pl.DataType] = {
    "word": pl.String(),
    "verb": pl.String(),
    "ticker": pl.String(),
    "ex_date": pl.Date(),
    "kind": pl.String(),
    "landed": pl.Date(),
    "fetched_at": pl.Datetime("us", "UTC"),
}


def bring_forward(raw_prices: pl.DataFrame, since: date) -> pl.DataFrame:
    """The landings; what the operator said earlier counts as landed at the first session computed.

    A word that came while a cycle was at work may have been too late for it: the next one takes it in. One that was
    taken in already changes nothing.
    """
    spoken = pl.col("source") == OPERATOR
    return raw_prices.with_columns(
        session=pl.when(spoken).then(pl.max_horizontal("session", pl.lit(since))).otherwise("session")
    )


def read_words(raw_prices: pl.DataFrame) -> pl.DataFrame:
    """word (its payload_id), verb, landed, fetched_at, and ticker, ex_date and kind (its subject) of each word."""
    landings = raw_prices.filter((pl.col("source") == OPERATOR) & (pl.col("kind") == "actions"))
    rows = []
    for identity, landed, fetched_at, text in landings.select(
        "payload_id", "session", "fetched_at", "request"
    ).iter_rows():
        request = json.loads(text)
        about = (request["ticker"], date.fromisoformat(request["covers"]["since"]), request["kind"])
        rows.append(dict(zip(WORD_TYPES, (identity, request.get("verb"), *about, landed, fetched_at), strict=True)))
    return pl.DataFrame(rows, schema=WORD_TYPES).sort("fetched_at", "word")


class LastWords(NamedTuple):
    """The operator's last word on each thing that he spoke of: word, landed and what it is about."""

    said: pl.DataFrame
    released: pl.DataFrame
    """Of what he has given back to the sources."""


def last_words(words: pl.DataFrame, session: date) -> LastWords:
    """The last words by a session."""
    last = words.filter(pl.col("landed") <= session).unique(ABOUT, keep="last", maintain_order=True)
    gives_back = pl.col("verb").eq_missing(pl.lit(RELEASE))
    said, released = (last.filter(one).select("word", "landed", *ABOUT) for one in (~gives_back, gives_back))
    return LastWords(said, released)


def follow_word(stated: pl.DataFrame, words: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
    """The lines that count: of what the operator spoke of, now or ever, those of his last word alone.

    Args:
        stated: lines that fall due.
        words: those of `last_words` that were not given back.
        last: the last revision of each fact, those taken back among them.
    """
    ever = _ever_spoken_of(words, last)
    beside = stated.join(words.select("word", *ABOUT), on=ABOUT, how="left", maintain_order="left").join(
        ever.with_columns(spoken_of=pl.lit(True)), on=ABOUT, how="left", maintain_order="left"
    )
    of_source = pl.col("spoken_of").is_null() & (pl.col("source") != OPERATOR)  # his own words of before are over
    counts = of_source | (pl.col("payload_id") == pl.col("word"))
    return beside.filter(counts.fill_null(False)).drop("word", "spoken_of")


def drop_spoken_of(facts: pl.DataFrame, words: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
    """The facts that a source may still take back: none of what the operator spoke of."""
    return facts.join(_ever_spoken_of(words, last), on=ABOUT, how="anti", maintain_order="left")


def find_denied(facts: pl.DataFrame, lines: pl.DataFrame, words: pl.DataFrame, same: tuple[str, ...]) -> pl.DataFrame:
    """The facts, or lines, that a word of the operator leaves out; he is their source from then on.

    Args:
        facts: with the columns `same`.
        lines: those of the operator's words, among others.
        words: those that speak now.
        same: what makes two statements one.
    """
    about = facts.join(words.select("word", *ABOUT), on=ABOUT, maintain_order="left")
    told = lines.select(*same, word="payload_id")
    denied = about.join(told, on=[*same, "word"], how="anti", nulls_equal=True, maintain_order="left")
    return denied.with_columns(source=pl.lit(OPERATOR), payload_id="word").drop("word")


def find_claimed(facts: pl.DataFrame, lines: pl.DataFrame, words: pl.DataFrame, same: tuple[str, ...]) -> pl.DataFrame:
    """The facts of a source that a word of the operator states as they are: they are his from then on.

    Args:
        facts: with the columns `same`.
        lines: those of the operator's words, among others.
        words: those that speak now.
        same: what makes two statements one.
    """
    about = facts.filter(pl.col("source") != OPERATOR).join(words.select("word", *ABOUT), on=ABOUT)
    told = lines.select(*same, word="payload_id")
    claimed = about.join(told, on=[*same, "word"], how="semi", nulls_equal=True, maintain_order="left")
    return claimed.with_columns(source=pl.lit(OPERATOR), payload_id="word").drop("word")


def _ever_spoken_of(words: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
    """What the words are about, and every fact whose last revision is the operator's."""
    return pl.concat([words.select(ABOUT), last.filter(pl.col("source") == OPERATOR).select(ABOUT)]).unique()
