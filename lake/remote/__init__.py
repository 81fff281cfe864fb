"""A lake in an object store: a working copy on this machine, and a log of changes there; see decision 93."""
