"""The processes that do the work: spawned, watched, ended."""
