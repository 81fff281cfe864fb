"""What a person asks of the daemon and decides."""
