"""The logs of the daemon and its workers."""
