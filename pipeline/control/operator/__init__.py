"""An operator's requests to the daemon, and decisions on trades and models."""
