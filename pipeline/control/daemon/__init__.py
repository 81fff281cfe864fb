"""The resident process: its loop, its clock, its lock, and what it decides at each step."""
