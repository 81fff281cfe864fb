"""The same orders filled by one simulation each: ours, vectorbt, and an exact one that is slow."""
