"""Reads financial English with a word list: what went up or down, what is good or bad, and what turns it around."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.ingestion.news.lexicon_words import (
    BAD,
    BAD_WHEN_UP,
    CONNECTIVES,
    DEGREES,
    DISCOUNTING,
    DOWN,
    GOOD,
    GOOD_WHEN_UP,
    IDLE_PHRASES,
    LOSING,
    NEGATIONS,
    NOT_NEGATING,
    PHRASES,
    POSSESSIVES,
    TURNING,
    UP,
)
from pipeline.ingestion.news.params import NewsParams

MAX_FINDINGS = 40
"""Findings kept in a reply; a text with more is no headline."""

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:[.,]\d+)*|[.;:,!?()]")
CLAUSE_ENDS = frozenset(".;:!?")
NEGATED_WORDS = 4
"""How many words a negation reaches."""
SUBJECT_BEFORE, SUBJECT_AFTER = 9, 4
"""How far from its verb a subject is looked for: `profit for the quarter rose`, `cut its full-year guidance`."""
UNSAID = 0.6
"""What a movement counts whose subject is not known."""
MOVED = 1.2
"""What a movement of something named counts."""
COMPARED = 1.0
"""What two figures side by side count."""
TURNED = -0.8
"""What a negation makes of a finding: `not good` is a little less than bad."""

AMOUNT = (
    r"(?:(?:eur|usd|sek|gbp|dkk|nok|\$|€|£)\s?(\d[\d.,]*)\s?(mn|m|million|bn|billion|b)?\b"
    r"|(\d[\d.,]*)\s?(mn|million|bn|billion|%|pct|percent)(?!\w))"
)
COMPARISON = re.compile(
    AMOUNT + r"[^.;\d]{0,40}?\b(?:from|compared (?:to|with)|versus|vs|against)\b[^;\d$€£]{0,40}?" + AMOUNT
)
LOSS = re.compile(r"\bloss(?:es)?\b")
PROFIT = re.compile(r"\b(?:profits?|earnings|income|surplus)\b")


LOST = 1.1
"""What losing something counts, beside what it was."""


@dataclass(frozen=True)
class LexiconRules:
    """What one version of the lexicon adds to its words."""

    version: str
    losing: frozenset[str] = frozenset()
    connectives: frozenset[str] = frozenset()
    possessives: frozenset[str] = frozenset()
    phrases: Mapping[str, float] = field(default_factory=lambda: PHRASES)


RULES = {
    1: LexiconRules("lexicon-1"),
    2: LexiconRules("lexicon-2", LOSING, CONNECTIVES, POSSESSIVES, {**PHRASES, **dict.fromkeys(IDLE_PHRASES, 0.0)}),
}
"""By `news.lexicon`. A version never changes: recorded runs are done again by theirs."""


class LexiconFinding(NamedTuple):
    """One thing the text says."""

    text: str
    weight: float
    """Above 0 good, below 0 bad."""


class Opinion(NamedTuple):
    """What a text says in all."""

    score: float | None
    """-1 to 1; None where there is nothing to go by."""
    strength: float
    """0 to 1; how much there is to go by."""
    findings: tuple[LexiconFinding, ...]


def findings_as_json(title: str, body: str | None, params: NewsParams) -> str:
    """The opinion on an article as a reply: score, strength and the findings behind them."""
    score, strength, findings = opinion(title, body, params)
    listed = [{"text": text, "weight": round(weight, 4)} for text, weight in findings[:MAX_FINDINGS]]
    return json.dumps({"score": score, "strength": strength, "findings": listed})


def opinion(title: str, body: str | None, params: NewsParams) -> Opinion:
    """Weigh what title and body say.

    With P and N the sums of good and bad weights, score = (P - N) / (P + N + 1) and strength = (P + N) / (P + N + 2).
    """
    rules = RULES[params.lexicon]
    found = list(read(title, rules))
    lead = (body or "")[: params.body_characters]
    found += [LexiconFinding(text, weight * params.body_weight) for text, weight in read(lead, rules)]
    good = sum(weight for _, weight in found if weight > 0)
    bad = -sum(weight for _, weight in found if weight < 0)
    total = good + bad
    if total == 0:
        return Opinion(None, 0.0, ())
    return Opinion(round((good - bad) / (total + 1), 6), round(total / (total + 2), 6), tuple(found))


def read(text: str, rules: LexiconRules) -> Iterator[LexiconFinding]:
    """Yield what each sentence of the text says, in order."""
    lowered = text.lower().replace("’", "'")
    for sentence in re.split(r"(?<=[.!?;])\s+", lowered):
        words = WORD.findall(sentence)
        if words:
            yield from _read_sentence(sentence, words, rules)


def _read_sentence(sentence: str, words: Sequence[str], rules: LexiconRules) -> Iterator[LexiconFinding]:
    turn = next((place for place, word in enumerate(words) if word in TURNING), None)
    matches = list(_matches(words, rules))
    shrunk = {match.subject for match in matches if match.weight > 0}
    for place, length, weight, _ in matches:
        if weight < 0 and shrunk.intersection(range(place, place + length)):
            continue  # a loss that narrows is no bad news of its own
        weight *= _degree(words, place, length) * _clause(words, place, turn)
        if _is_negated(words, place, NEGATIONS) or (weight > 0 and _is_negated(words, place, rules.losing)):
            weight *= TURNED
        if weight:
            yield LexiconFinding(" ".join(words[place : place + length]), weight)
    yield from _read_comparison(sentence)


class _Match(NamedTuple):
    """A phrase or word that says something."""

    place: int
    length: int
    weight: float
    subject: int | None
    """Of a movement, the place of what moved."""


def _matches(words: Sequence[str], rules: LexiconRules) -> Iterator[_Match]:
    """Yield what says something, with its plain weight; of phrases that begin at one place the longest goes first."""
    place = 0
    while place < len(words):
        length, weight = _phrase(words, place, rules.phrases)
        match = _Match(place, length, weight, None) if length else _word(words, place, rules)
        if match.weight:
            yield match
        place += match.length


def _phrase(words: Sequence[str], place: int, phrases: Mapping[str, float]) -> tuple[int, float]:
    for length in range(min(LONGEST, len(words) - place), 1, -1):
        weight = phrases.get(" ".join(words[place : place + length]))
        if weight is not None:
            return length, weight
    return 0, 0.0


LONGEST = max(len(phrase.split()) for phrase in PHRASES)


def _word(words: Sequence[str], place: int, rules: LexiconRules) -> _Match:
    word = words[place]
    if word in rules.losing:
        return _Match(place, 1, -LOST, None)
    if word in UP or word in DOWN:
        direction = 1.0 if word in UP else -1.0
        wanted, subject = _subject(words, place, rules)
        return _Match(place, 1, direction * (MOVED * wanted if wanted else UNSAID), subject)
    return _Match(place, 1, GOOD.get(word, 0.0) - BAD.get(word, 0.0), None)


def _subject(words: Sequence[str], place: int, rules: LexiconRules) -> tuple[float, int | None]:
    """1 if what moved should go up, -1 if it should go down, 0 if it is not known, and its place.

    What comes before the verb goes first, but for a verb that does something to its own.
    """
    before = range(place - 1, max(place - SUBJECT_BEFORE, 0) - 1, -1)
    after = range(place + 1, min(place + SUBJECT_AFTER, len(words) - 1) + 1)
    transitive = place + 1 < len(words) and words[place + 1] in rules.possessives
    for side in (after, before) if transitive else (before, after):
        for near in side:
            if words[near] in CLAUSE_ENDS or words[near] in TURNING or words[near] in rules.connectives:
                break
            if words[near] in BAD_WHEN_UP:
                return -1.0, near
            if words[near] in GOOD_WHEN_UP:
                return 1.0, near
    return 0.0, None


def _degree(words: Sequence[str], place: int, length: int) -> float:
    beside = [words[near] for near in (place - 1, place + length) if 0 <= near < len(words)]
    return max((DEGREES[word] for word in beside if word in DEGREES), default=1.0)


def _clause(words: Sequence[str], place: int, turn: int | None) -> float:
    """What the clause of the word counts: less where another overrules it, more where it overrules."""
    if turn is not None:
        return 0.5 if place < turn else 1.3
    for near in range(place, -1, -1):
        if words[near] == "," or words[near] in CLAUSE_ENDS:
            return 1.0
        if words[near] in DISCOUNTING:
            return 0.3
    return 1.0


def _is_negated(words: Sequence[str], place: int, negations: frozenset[str]) -> bool:
    for near in range(place - 1, max(place - NEGATED_WORDS, 0) - 1, -1):
        if words[near] in CLAUSE_ENDS or words[near] == ",":
            return False
        if words[near] in negations and words[near + 1] not in NOT_NEGATING:
            return True
    return False


def _read_comparison(sentence: str) -> Iterator[LexiconFinding]:
    """Two figures of which the first is the newer: `profit was EUR 3 mn, compared with EUR 2 mn`."""
    for match in COMPARISON.finditer(sentence):
        new, old = _amount(match.groups()[:4]), _amount(match.groups()[4:])
        before, between = sentence[: match.start()], match.group(0)
        weight = _swing(before, between) or _change(before, new, old)
        if weight:
            yield LexiconFinding(between, weight)


def _swing(before: str, between: str) -> float:
    """From profit to loss or back."""
    if LOSS.search(before) and PROFIT.search(between):
        return -1.5 * COMPARED
    if PROFIT.search(before) and not LOSS.search(before) and LOSS.search(between):
        return 1.5 * COMPARED
    return 0.0


def _change(before: str, new: float | None, old: float | None) -> float:
    if new is None or old is None or new == old:
        return 0.0
    words = WORD.findall(before)
    wanted, _ = _subject([*words, "rise"], len(words), RULES[1])
    return wanted * (COMPARED if new > old else -COMPARED)


def _amount(groups: Sequence[str | None]) -> float | None:
    digits, unit = (groups[0], groups[1]) if groups[0] else (groups[2], groups[3])
    try:
        value = float((digits or "").rstrip(".,").replace(",", ""))
    except ValueError:
        return None
    return value * 1000 if unit in ("bn", "billion", "b") else value
