"""What can be set about feeds of news."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pipeline.config.setting_types import (
    DISTINCT,
    Formerly,
    Ticker,
    WebAddress,
)


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One RSS or Atom feed."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,20}$")]
    """Short name, small letters, digits and hyphens; its articles come from the source rss-<name>."""
    url: WebAddress
    """Address, http or https, without user name, password or key: it stands in the lake."""
    tickers: Annotated[tuple[Ticker, ...], Field(max_length=1_000), DISTINCT] = ()
    """What every article is about, for a feed of one company; if empty, the titles are searched for companies."""


@dataclass(frozen=True, kw_only=True)
class RssParams:
    """News feeds, read beside whichever source brings the prices."""

    feeds: Annotated[tuple[Feed, ...], Field(max_length=1_000)] = ()
    """The feeds; none if empty."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = 20.0
    """Seconds for a complete response, however slowly it arrives."""
    max_bytes: Annotated[int, Field(ge=1_000, le=40_000_000), Formerly("most_bytes")] = 5_000_000
    """Largest feed in bytes, decompressed; a larger one is refused."""
    reuse_minutes: Annotated[float, Field(ge=0, le=10_080)] = 5.0
    """Minutes within which a feed is not requested again; after that, only if it has changed."""

    def contradictions(self) -> Iterator[str]:
        """Two feeds of one name."""
        names = [feed.name for feed in self.feeds]
        if len(set(names)) < len(names):
            yield f"{len(names)} feeds have {len(set(names))} names; give each feed its own name"
