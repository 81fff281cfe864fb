"""Prices: landed, validated, stored as traded."""
