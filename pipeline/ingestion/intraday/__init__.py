"""Bars within a session: landed at moments of it, validated, kept as they were traded."""
