"""A job's fingerprint: a hash of all that decides a training's weights, so that nothing of another is taken up."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from pipeline.models.dataset import Examples
from pipeline.models.members.member import Member
from pipeline.models.params import ModelParams


def describe_job(
    examples: Examples,
    quantiles: Sequence[float],
    params: ModelParams,
    seed: int,
    members: Sequence[Member],
    salt: str,
) -> str:
    """The fingerprint: 16 hexadecimal digits.

    Args:
        examples: every value of theirs counts.
        quantiles: Q probabilities.
        params: what is trained.
        seed: the run's.
        members: what is fitted, in its order.
        salt: code, libraries, plugins, and what else decides.
    """
    digest = sha256(salt.encode())
    words = (examples.features, examples.horizons, tuple(quantiles), params, seed, [one.name for one in members])
    digest.update(repr(words).encode())
    index = examples.index
    values = (examples.number, examples.session, examples.outcome, examples.clipped, examples.relative)
    for array in (index.base, index.starts, *values):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
