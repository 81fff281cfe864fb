"""The daemon: its loop, its clocks, its lock, and what it decides at each step."""
