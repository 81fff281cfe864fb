"""Random numbers by address: a stream and a session always give the same ones, whatever was drawn before."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a draw is for; streams never share numbers."""

    CAST = 1
    RETURNS = 2
    NEWS = 3
    BARS = 4
    ACTIONS = 5
    EVENTS = 6
    FAULTS = 7
    ARTICLES = 8
    MINUTES = 9


def random_stream(seed: int, stream: Stream, index: int) -> np.random.Generator:
    """Return the generator of one address: Philox 4x64 keyed by seed and stream, its counter starting at the index.

    The index fills the counter's highest word, so that addresses lie 2**192 blocks apart and never overlap.
    """
    key = np.array([seed, int(stream)], dtype=np.uint64)
    counter = np.array([0, 0, 0, index], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
