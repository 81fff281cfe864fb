"""Python's search for rubbish, kept from holding up a key: a look through everything takes a tenth of a second."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

FULL_COLLECTION_EVERY = 50
"""Looks at what is new between two looks through everything; by itself Python takes ten."""


@contextmanager
def rare_full_collections() -> Iterator[None]:
    """Within the block what is there by now is never looked through, and the rest seldom."""
    young, middle, old = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(young, middle, FULL_COLLECTION_EVERY)
    try:
        yield
    finally:
        gc.set_threshold(young, middle, old)
        gc.unfreeze()
