"""Cents and shares of many entries in one sum, to tell whether balances are theirs (imports numba: import it late)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.features.engine.compiling import compiled

BY_NAME = ("positions", "receivable")
"""Accounts with a balance for each name."""
SHARES = np.uint64(0x9E3779B97F4A7C15)
"""What shares are multiplied by to be told from cents."""
Column = npt.NDArray[np.uint64]


def weigh(entries: pl.DataFrame) -> int:
    """Return cents and shares of all entries in one sum, each times a weight of its account, or of account and name.

    Whole numbers modulo 2^64, so that any order and partition gives the same. Weights are hashes: where a balance is
    another so is the sum, but by a chance of about one in 2^64; and it takes a tenth of adding balances up.

    Args:
        entries: of the ledger, or balances.
    """
    rows = entries.select(
        pl.col("shares").cast(pl.Int64),
        account=pl.col("account").hash(1),
        name=pl.col("ticker").hash(2),
        cents=pl.col("amount").to_physical().cast(pl.Int64, wrap_numerical=True),
    )
    account, name, cents, shares = (
        rows[one].to_numpy().view(np.uint64) for one in ("account", "name", "cents", "shares")
    )
    return int(_weigh(account, name, cents, shares, pl.Series(BY_NAME).hash(1).to_numpy()))


@compiled
def _weigh(accounts: Column, names: Column, cents: Column, shares: Column, by_name: Column) -> np.uint64:
    positions, claims = by_name
    total = np.uint64(0)
    for at in range(accounts.size):
        weight = accounts[at]
        if (weight == positions) | (weight == claims):
            weight *= names[at]
        total += weight * (cents[at] + SHARES * shares[at])
    return total
