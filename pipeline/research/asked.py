"""Counts what-ifs: a question about the past is a trial like any other, once for each set of settings and sessions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from lake.store import Lake
from lake.tables.research import WHAT_IFS
from pipeline.control.operator.trading_switches import who_decides
from pipeline.research.recording import record


class WhatIf(NamedTuple):
    """What was asked, and what was answered."""

    settings: Mapping[str, Any]
    """By dotted key."""
    first: date
    last: date
    book_return: float
    """Fraction per year that the book made."""
    tried_return: float
    """What it would have made."""


def count_what_ifs(lake: Lake, questions: Sequence[WhatIf]) -> None:
    """Record what was asked about the past; the same question again counts once, and none without other settings.

    Raises:
        StorageError: if the lake cannot be written.
    """
    asked = {_name(one): one for one in questions if one.settings}
    if lake.has_table(WHAT_IFS):
        known = set(lake.read(WHAT_IFS, columns=("what_if_id",))["what_if_id"])
        asked = {name: one for name, one in asked.items() if name not in known}
    record(lake, WHAT_IFS, ",".join(sorted(asked)), [_row(name, one) for name, one in asked.items()])


def _name(question: WhatIf) -> str:
    told = f"{_settings(question)}|{question.first}|{question.last}"
    return f"what-if-{sha256(told.encode()).hexdigest()[:16]}"


def _settings(question: WhatIf) -> str:
    return json.dumps(dict(question.settings), sort_keys=True, default=str)


def _row(name: str, question: WhatIf) -> dict[str, Any]:
    return {
        "what_if_id": name,
        "asked_at": datetime.now(UTC),
        "asked_by": who_decides(),
        "settings": _settings(question),
        "first": question.first,
        "last": question.last,
        "book_return": question.book_return,
        "return": question.tried_return,
    }
