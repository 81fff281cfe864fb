"""Capsules: a stage that failed, with all it saw, in one file that does the same elsewhere."""
