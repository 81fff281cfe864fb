"""When which task runs: the schedule, what is due under it, and what became of each run."""
