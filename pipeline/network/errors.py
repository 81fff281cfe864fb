"""Why there is no usable answer from another machine."""

from __future__ import annotations

from typing import Literal

Kind = Literal["unreachable", "refused", "too_large", "broken"]


class NetworkError(Exception):
    """There is no usable answer; the text says why, in words that end up in tables and logs.

    unreachable: no complete answer came in time. refused: it was not asked for, since asking might do harm.
    too_large: there is more of it than was allowed. broken: it cannot be unpacked.
    """

    def __init__(self, kind: Kind, text: str, *, sent: bool = False) -> None:
        super().__init__(text)
        self.kind: Kind = kind
        self.sent = sent
        """Whether the request had begun to go out: the other side may have acted on it, though no answer came."""
