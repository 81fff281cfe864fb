"""Reads a language model's replies strictly: what is not exactly as asked for is unknown, article by article."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from pipeline.ingestion.news.llm_outages import find_outage

MAX_QUOTED = 2_000
"""Characters kept of a refusal or of an answer that cannot be read; the whole reply stands in raw_replies."""


LACKS = "the answer lacks the article"
REPEATS = "the article is answered"
IN_WORDS = {
    "HTTP 429": "limited",
    "HTTP 408": "slow",
    "the server did not answer in time": "slow",
    "HTTP 5": "server error",
    "HTTP 401": "key refused",
    "HTTP 403": "key refused",
    "the server cannot be reached": "unreachable",
}
"""How the reason of a request without an answer begins -> its kind."""


class ArticleVerdict(NamedTuple):
    """What became of one article."""

    status: str
    """ok, refused, incomplete, malformed or failed."""
    reply: str
    """The article's own part of the answer as JSON; where it is not ok, what was said instead."""


class Usage(NamedTuple):
    """What a reply says that it took; None where it does not say."""

    input_tokens: int | None
    output_tokens: int | None


def verdicts(api: str, body: str, asked: Mapping[str, tuple[str, ...]]) -> dict[str, ArticleVerdict]:
    """Label -> verdict, for every label asked about.

    One odd number makes one ticker unknown, a missing or repeated id one article; an id that was not asked for, a
    repeated member or text that is no JSON makes all of them unknown, for then the answer is not ours.

    Args:
        api: responses or chat.
        body: the reply as it came.
        asked: label -> the tickers asked about.
    """
    status, text = read_written(api, body)
    if status == "ok":
        parsed = _articles(text)
        if parsed is not None and all(item["id"] in asked for item in parsed):
            return _each(parsed, asked)
        status = "malformed"
    # Half a surrogate pair can stand in JSON, but is no text that could be stored.
    told_instead = text[:MAX_QUOTED].encode("utf-8", "backslashreplace").decode()
    return dict.fromkeys(asked, ArticleVerdict(status, told_instead))


def kind_of_failure(reason: str) -> str:
    """What kept a request from being answered, in a word or two, by the reason that landed with it."""
    if outage := find_outage(reason):
        return outage.kind
    found = (kind for words, kind in IN_WORDS.items() if reason.startswith(words))
    return next(found, "slow" if "were over before its turn came" in reason else "not sent or refused")


def kind_of_unknown(status: str, reply: str) -> str:
    """Why an answer says nothing of an article, in a word or two: refusal, missing id, out of range and the like."""
    if status != "malformed":
        return {"refused": "refusal"}.get(status, status)
    if reply == LACKS:
        return "missing id"
    if reply.startswith(REPEATS):
        return "repeated id"
    return "out of range" if _out_of_range(reply) else "malformed"


def _out_of_range(reply: str) -> bool:
    """Whether it is an article's own part of an answer, well-formed but for a number that lies nowhere allowed."""
    item = read_object(reply)
    parsed = item.get("tickers") if item else None
    numbers = [
        (one.get(name), minimum)
        for one in (parsed if isinstance(parsed, list) else [])
        if isinstance(one, dict)
        for name, minimum in (("score", -1.0), ("strength", 0.0))
    ]
    return any(isinstance(n, (int, float)) and not isinstance(n, bool) and not within(n, low) for n, low in numbers)


def usage(body: str) -> Usage:
    """The tokens a reply of either kind says that it took."""
    envelope = read_object(body)
    stated = envelope.get("usage") if envelope else None
    stated = stated if isinstance(stated, dict) else {}
    return Usage(
        _count(stated.get("input_tokens", stated.get("prompt_tokens"))),
        _count(stated.get("output_tokens", stated.get("completion_tokens"))),
    )


def read_written(api: str, body: str) -> tuple[str, str]:
    """Status and text of a reply: ok and what the model wrote; refused, incomplete, malformed or failed, and why."""
    envelope = read_object(body)
    if envelope is None:
        return "malformed", body
    return _of_chat(envelope) if api == "chat" else _of_response(envelope)


def read_object(text: str, *, strict: bool = False) -> dict[str, Any] | None:
    """The JSON object that the text is; None if it is none, or strictly also if a member is repeated or no number."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse) if strict else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _of_response(envelope: Mapping[str, Any]) -> tuple[str, str]:
    status = envelope.get("status")
    if status != "completed":
        parsed = envelope.get("incomplete_details") or envelope.get("error") or status
        return ("incomplete" if status == "incomplete" else "failed"), json.dumps(parsed)
    output = envelope.get("output")
    messages = [item.get("content") for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    parts = [part for content in messages if isinstance(content, list) for part in content if isinstance(part, dict)]
    for part in parts:
        if part.get("type") == "refusal":
            return "refused", str(part.get("refusal"))
    texts = [part.get("text") for part in parts if part.get("type") == "output_text"]
    return _written("".join(text for text in texts if isinstance(text, str)))


def _of_chat(envelope: Mapping[str, Any]) -> tuple[str, str]:
    choices = envelope.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    if message.get("refusal"):
        return "refused", str(message["refusal"])
    if choice.get("finish_reason") == "content_filter":
        return "refused", "content_filter"
    if choice.get("finish_reason") != "stop":
        return "incomplete", json.dumps(choice.get("finish_reason"))
    content = message.get("content")
    return _written(content if isinstance(content, str) else "")


def _written(text: str) -> tuple[str, str]:
    return ("ok", text) if text else ("malformed", "the reply holds no text")


def _articles(text: str) -> list[dict[str, Any]] | None:
    """The items of an answer that is one object with `articles`, each with an id; None for anything else."""
    answer = read_object(text, strict=True)
    items = answer.get("articles") if answer and set(answer) == {"articles"} else None
    if not isinstance(items, list):
        return None
    sound = all(isinstance(item, dict) and isinstance(item.get("id"), str) for item in items)
    return items if sound else None


def _each(items: list[dict[str, Any]], asked: Mapping[str, tuple[str, ...]]) -> dict[str, ArticleVerdict]:
    times = Counter(item["id"] for item in items)
    found = {item["id"]: item for item in items}
    return {
        label: _verdict(found[label], tickers) if times[label] == 1 else _absent(times[label])
        for label, tickers in asked.items()
    }


def _absent(times: int) -> ArticleVerdict:
    return ArticleVerdict("malformed", LACKS if not times else f"{REPEATS} {times} times")


def _verdict(item: Mapping[str, Any], tickers: tuple[str, ...]) -> ArticleVerdict:
    parsed = item.get("tickers")
    parsed = [one for one in parsed if isinstance(one, dict)] if isinstance(parsed, list) else []
    times = Counter(str(one.get("ticker")) for one in parsed)
    read = {
        one["ticker"]: {"score": one["score"], "strength": one["strength"]}
        for one in parsed
        if one.get("ticker") in tickers
        and times[one["ticker"]] == 1
        and within(one.get("score"), -1)
        and within(one.get("strength"), 0)
    }
    if not read:
        return ArticleVerdict("malformed", json.dumps(item)[:MAX_QUOTED])
    return ArticleVerdict("ok", json.dumps({"tickers": dict(sorted(read.items()))}))


def within(value: object, minimum: float) -> TypeGuard[float]:
    """Whether it is a number in minimum..1; a NaN lies nowhere, and true is no number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and minimum <= value <= 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _count(value: object) -> int | None:
    plain = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12
    return value if plain else None  # type: ignore[return-value]
