"""When each task runs: the schedule, what is due under it, and the record of every attempt."""
