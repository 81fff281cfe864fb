"""Variants: past sessions run again on branches under other settings, computing only what may differ."""
