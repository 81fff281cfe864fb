"""Alpha158 by one engine each, orders filled by one simulation each, and a book built by another solver, each in a
process and an environment of its own; nothing here imports this program's packages but `ours` and
`simulations.our_kernel`."""
