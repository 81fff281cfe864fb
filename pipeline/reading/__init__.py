"""What people are told, computed once for the command line, the console and Prometheus, which only render it."""
