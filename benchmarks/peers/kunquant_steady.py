"""The same without its fast statistics: each window's moments from that window alone."""

from __future__ import annotations

from benchmarks.peers.kunquant import KunQuant
from benchmarks.peers.measuring import measure


class Steady(KunQuant):
    """Slower by its own account, and precise."""

    fast = False


if __name__ == "__main__":
    measure(Steady)
