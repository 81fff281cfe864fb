"""Alpha158 by one engine each, in a process and an environment of its own; nothing here imports this program's packages
but `ours`."""
