"""Reads what a language model answered: sentences of the grammar with their hypotheses, and why the rest is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pipeline.ingestion.news.llm_reply import read_object, read_written
from pipeline.research.proposing.author.author_prompt import SENTENCES
from pipeline.research.proposing.grammar import Sentence
from pipeline.research.proposing.parse_sentence import GrammarError, parse_sentence

MAX_HYPOTHESIS = 1_000
"""Characters of a hypothesis that stand beside its factor; the whole answer is kept as it came."""


@dataclass(frozen=True)
class AuthoredFactor:
    """A sentence that an author wrote."""

    sentence: Sentence
    hypothesis: str
    """Its own words."""


@dataclass(frozen=True)
class ReadAnswer:
    """What an answer brought."""

    factors: tuple[AuthoredFactor, ...]
    refused: tuple[str, ...]
    """Why, for each part of the answer that is no new sentence; for the whole of one that cannot be read."""


def read_answer(api: str, body: str, seen: Collection[str]) -> ReadAnswer:
    """Return the new sentences of an answer, in its order; nothing in it is taken for anything else.

    Args:
        api: responses or chat.
        body: the reply as it came.
        seen: sentences that were proposed already.
    """
    status, text = read_written(api, body)
    if status != "ok":
        return ReadAnswer((), (f"the answer is {status}",))
    items = _list_items(text)
    if items is None:
        return ReadAnswer((), ("the answer is not the object that was asked for",))
    known, factors, refused = set(seen), list[AuthoredFactor](), list[str]()
    for item in items[:SENTENCES]:
        try:
            factors.append(_read_item(item, known))
        except GrammarError as error:
            refused.append(str(error))
    return ReadAnswer(tuple(factors), (*refused, *["more than was asked for"] * len(items[SENTENCES:])))


def count_reasons(refused: Collection[str]) -> dict[str, int]:
    """Reason -> how often, the most frequent first."""
    return dict(sorted(Counter(refused).items(), key=lambda pair: (-pair[1], pair[0])))


def _list_items(text: str) -> list[Any] | None:
    """The items of an answer that is one object with `factors`; None for anything else."""
    answer = read_object(text, strict=True)
    items = answer.get("factors") if answer and set(answer) == {"factors"} else None
    return items if isinstance(items, list) else None


def _read_item(item: Any, known: set[str]) -> AuthoredFactor:
    """The factor that one item is; from then on it is known."""
    if not isinstance(item, dict) or set(item) != {"sentence", "hypothesis"}:
        raise GrammarError("an item is not a sentence with its hypothesis")
    sentence, hypothesis = item["sentence"], item["hypothesis"]
    if not isinstance(sentence, str) or not isinstance(hypothesis, str) or not hypothesis.strip():
        raise GrammarError("an item is not a sentence with its hypothesis")
    found = parse_sentence(sentence)
    if found.text in known:
        raise GrammarError("it was proposed already")
    known.add(found.text)
    # Half a surrogate pair can stand in JSON, but is no text that could be stored.
    words = hypothesis[:MAX_HYPOTHESIS].encode("utf-8", "backslashreplace").decode()[:MAX_HYPOTHESIS]
    return AuthoredFactor(found, words)
