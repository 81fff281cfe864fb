"""One module per command; each holds `command`, and is imported when it is called for."""
