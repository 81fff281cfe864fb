"""What language models answered: kept beside the lakes, so that nothing is paid for twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from lake.access import make_private_folder
from pipeline.ingestion.sources.openai.state_file import transaction
from pipeline.ingestion.sources.openai.transcript import Transcript

SCHEMA = """
CREATE TABLE IF NOT EXISTS exchanges (id INTEGER PRIMARY KEY, exchange TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (question TEXT, exchange INTEGER REFERENCES exchanges,
                                    PRIMARY KEY (question, exchange)) WITHOUT ROWID;
"""


class ResponseCache:
    """One file for all processes of a user; every change is one transaction."""

    def __init__(self, path: Path) -> None:
        make_private_folder(path.parent)
        self._path = path
        with transaction(self._path) as db:
            db.executescript(SCHEMA)

    def find_answers(self, questions: Iterable[str]) -> list[Transcript]:
        """The exchanges that answered any of the questions, each once, in the order they were made."""
        with transaction(self._path) as db:
            found = {
                row[0]
                for question in questions
                for row in db.execute("SELECT exchange FROM answers WHERE question = ?", (question,))
            }
            texts = [
                db.execute("SELECT exchange FROM exchanges WHERE id = ?", (number,)).fetchone()[0]
                for number in sorted(found)
            ]
        return [_exchange(text) for text in texts]

    def keep(self, transcript: Transcript, questions: Iterable[str]) -> None:
        """Remember an answer under each question it answers; one that was asked alone later has two."""
        with transaction(self._path) as db:
            text = json.dumps(asdict(transcript) | {"asked_at": transcript.asked_at.isoformat()})
            number = db.execute("INSERT INTO exchanges (exchange) VALUES (?)", (text,)).lastrowid
            rows = [(question, number) for question in questions]
            db.executemany("INSERT INTO answers VALUES (?, ?)", rows)


def _exchange(text: str) -> Transcript:
    members = json.loads(text)
    names = ("article_ids", "labels")
    lists = {name: tuple(members[name]) for name in names}
    return Transcript(**{**members, **lists, "asked_at": datetime.fromisoformat(members["asked_at"])})
