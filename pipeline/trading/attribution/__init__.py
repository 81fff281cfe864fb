"""Where each session's profit came from, to the cent."""
