"""Quantile models trained walk-forward, kept in a registry, and judged before they decide anything."""
