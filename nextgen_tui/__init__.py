"""Where the operator stands: the command line and the console."""
