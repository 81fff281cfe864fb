"""Rows that are written in parts: files first, by whoever computes them, and then one commit that adds them all."""
