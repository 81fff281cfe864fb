"""Branches of a lake: lakes of their own that share its files up to where they fork, and write beside it."""
