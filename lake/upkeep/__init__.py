"""What keeps a lake small, fast and intact over years: compaction, checkpoints, vacuum, backup, scrub."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being worked on, how many of them are done, and how many there are."""
