"""Noticing what the operator is to be told, and telling him once by each channel."""
