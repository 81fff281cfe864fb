"""Figures that claims rest on, each measured by one command: `python -m benchmarks.<name>`."""
