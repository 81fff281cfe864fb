"""What a language model is asked for factors: the grammar, what was tried so far and how that ranked the past."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from math import isfinite
from typing import Any

from pipeline.ingestion.sources.openai.client import Prompt
from pipeline.research.proposing.grammar import MAX_SIZE, OF_ONE, OF_TWO, WINDOWED_JOINS, WINDOWS, WORDS, has_window

SENTENCES = 10
"""Factors that one request asks for."""
BEST_TOLD = 12
"""The best so far whose scores are told; of all others it is told that they were tried."""

INSTRUCTIONS = f"""\
You propose factors that may rank shares by their return over the sessions to come, each with the hypothesis behind it.

A factor is a sentence of the grammar in the input: a word with its window in sessions, such as momentum(20), or a way
of joining sentences, such as smoothed(range(5), 3) or product(news(5), volatility(20)). Ways of joining that have
windows take one as their last part; the others take none. A sentence has at most {MAX_SIZE} words and joins.

Propose sentences that were not tried yet. Prefer what has a reason: say in one or two sentences why the factor should
rank returns, and what would show that it does not. Every proposal is tested once and counts as a test, so a poor one
makes it harder for the others. Answer with the JSON object alone.
"""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "factors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"sentence": {"type": "string"}, "hypothesis": {"type": "string"}},
                "required": ["sentence", "hypothesis"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["factors"],
    "additionalProperties": False,
}
PROMPT = Prompt(INSTRUCTIONS, SCHEMA, "factors")


def _tell_grammar() -> dict[str, Any]:
    return {
        "words": {word: [n for n in WINDOWS if has_window(word, n)] for word in WORDS},
        "joins_of_one": {word: list(WINDOWED_JOINS.get(word, ())) for word in OF_ONE},
        "joins_of_two": list(OF_TWO),
    }


VERSION = "factors-" + sha256((INSTRUCTIONS + json.dumps([SCHEMA, _tell_grammar()])).encode()).hexdigest()[:12]
"""Follows from the words, the shape and the grammar, so that none of them can change without it."""


def write_question(tried: Sequence[tuple[str, float]], horizon: int) -> str:
    """The input of a request: JSON in ASCII. Neither market, names nor dates are told, nor anything out of sample.

    Args:
        tried: sentence and t in sample of each factor so far, in their order.
        horizon: sessions over which outcomes are counted.
    """
    known = sorted((one for one in tried if isfinite(one[1])), key=lambda one: (-one[1], one[0]))
    told = {
        "wanted": SENTENCES,
        "horizon_in_sessions": horizon,
        "grammar": _tell_grammar(),
        "best_so_far": [{"sentence": text, "t": round(t, 1)} for text, t in known[:BEST_TOLD]],
        "tried_so_far": [text for text, _ in tried],
    }
    return json.dumps(told, ensure_ascii=True)
