"""A training while it runs: what it tells of itself, and what it keeps so that a kill costs it one pass at most."""
