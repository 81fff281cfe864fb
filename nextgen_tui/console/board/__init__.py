"""Rows as cards and tiles: what one looks like, where each stands, and the widget that shows them."""
