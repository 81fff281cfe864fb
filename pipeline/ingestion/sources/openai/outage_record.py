"""Remembers that a server answers nobody for now, so that the next session does not ask it in vain."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

from lake.access import make_private_folder
from pipeline.config.secrets import Secret
from pipeline.ingestion.news.llm_outages import Outage
from pipeline.ingestion.news.params import LanguageModelParams
from pipeline.ingestion.sources.openai.state_file import transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS outages (asked TEXT PRIMARY KEY, reason TEXT NOT NULL, until TEXT NOT NULL);
"""


class OutageRecord:
    """One row for each combination of server, model, form and key; another one of them is asked at once."""

    def __init__(self, path: Path, params: LanguageModelParams, key: Secret | None) -> None:
        make_private_folder(path.parent)
        self._path = path
        # Of the key only a fingerprint: enough to see that it is another one.
        mark = hashlib.sha256(key.reveal().encode()).hexdigest()[:16] if key else ""
        self._asked = json.dumps([params.base_url, params.api, params.name, mark])
        with transaction(path) as db:
            db.executescript(SCHEMA)

    def note(self, outage: Outage, reason: str, at: datetime) -> None:
        """Ask nobody again for the outage's hours."""
        until = at + timedelta(hours=outage.hours)
        with transaction(self._path) as db:
            db.execute("INSERT OR REPLACE INTO outages VALUES (?, ?, ?)", (self._asked, reason, until.isoformat()))

    def in_force(self, at: datetime) -> str:
        """Why nobody is to be asked at a moment, and until when; empty if there is nothing against it."""
        with transaction(self._path) as db:
            row = db.execute("SELECT reason, until FROM outages WHERE asked = ?", (self._asked,)).fetchone()
        if row is None or at >= (until := datetime.fromisoformat(row[1])):
            return ""
        return f"{row[0]}; not asked again before {until:%Y-%m-%d %H:%M} UTC"
