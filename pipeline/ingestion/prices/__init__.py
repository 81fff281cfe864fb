"""Prices and corporate actions: landed, validated, stored as traded."""
