"""Held names whose bars stop without a word: when they are written off, and at what."""
