"""A source beside a second one that it is checked against."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import polars as pl

from lake.tables.market import RAW_PRICES
from pipeline.ingestion.sources.errors import SECOND_ANSWERS, SourceError
from pipeline.ingestion.sources.payloads import ALL_TICKERS, BARS, CHECK, as_kind, payload_id

if TYPE_CHECKING:
    from pipeline.ingestion.sources.source import Source


class CheckedSource:
    """Delivers what the first source delivers, and the second one's bars to be compared with it."""

    def __init__(self, first: Source, second: Source) -> None:
        self.first, self.second = first, second

    @property
    def name(self) -> str:
        """The name of the first source: what is learned is learned from it."""
        return self.first.name

    def coverage(self) -> tuple[date, date]:
        """The first source's."""
        return self.first.coverage()

    def check_reachable(self) -> None:
        """The first source has to answer; the second may be silent."""
        self.first.check_reachable()

    def prices(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return the first source's rows, and the second's bars under the kind `check`.

        A second source that cannot answer is landed as a failure: a check must not cost the session.

        Raises:
            SourceError: if the first source cannot answer.
        """
        rows = self.first.prices(since, session, history=history)
        try:
            second = self.second.prices(since, session, history=history).filter(pl.col("kind") == BARS)
        except SourceError as error:
            second = self._tolerate_failure(session, str(error))
        return pl.concat([rows, as_kind(second, CHECK)])

    def news(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """The first source's."""
        return self.first.news(since, session, history=history)

    def news_so_far(self, session: date, as_of: datetime) -> pl.DataFrame:
        """The first source's."""
        return self.first.news_so_far(session, as_of)

    def _tolerate_failure(self, session: date, error: str) -> pl.DataFrame:
        payload = json.dumps({"rule": SECOND_ANSWERS, "error": error[:1_000]}, ensure_ascii=False)
        request = json.dumps({"history": False, "until": session.isoformat()})
        row = {
            "payload_id": payload_id(self.second.name, BARS, ALL_TICKERS, request, payload),
            "source": self.second.name,
            "kind": BARS,
            "ticker": ALL_TICKERS,
            "session": session,
            "fetched_at": datetime.now(UTC),
            "format": "failure",
            "request": request,
            "payload": payload,
        }
        return pl.DataFrame([row], schema=RAW_PRICES.schema)
