"""What the operator is shown, computed once for the command line, the console and Prometheus, which only render it."""
