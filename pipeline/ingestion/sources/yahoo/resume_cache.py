"""Remembers the answers of a visit until it is over, so that one cut short asks only for what is missing."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from lake.access import make_private_folder
from lake.storage.atomic import write_atomic


@dataclass(frozen=True)
class CachedAnswer:
    """An answer as it came."""

    symbol: str
    request: str
    payload: str
    fetched_at: str
    """ISO 8601 with an offset."""

    @property
    def at(self) -> datetime:
        """When it came."""
        return datetime.fromisoformat(self.fetched_at)


class ResumeCache:
    """The answers to one question, each in a file of its own: there whole, or not at all.

    The same question within `minutes` is the same visit, also after the answers were landed: a crash may lie between.
    """

    def __init__(self, root: Path, question: str, minutes: float, now: Callable[[], float] = time.time) -> None:
        self._folder = root / hashlib.sha256(question.encode()).hexdigest()[:32]
        _forget_old(root, now() - minutes * 60)
        make_private_folder(self._folder)

    def answers(self) -> dict[str, CachedAnswer]:
        """Symbol -> answer of all that came so far; an unreadable file is as if it had not come."""
        found = {}
        for path in sorted(self._folder.glob("*.json")):
            try:
                kept = CachedAnswer(**json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, TypeError):
                continue
            found[kept.symbol] = kept
        return found

    def keep(self, answer: CachedAnswer) -> None:
        """Remember an answer."""
        path = self._folder / f"{hashlib.sha256(answer.symbol.encode()).hexdigest()[:32]}.json"
        write_atomic(path, json.dumps(asdict(answer)), durable=False)


def _forget_old(root: Path, before: float) -> None:
    if not root.is_dir():
        return
    for folder in root.iterdir():
        try:
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:  # another process has just done the same
            continue
