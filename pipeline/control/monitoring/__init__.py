"""What is said of a running operation: logs, metrics, health."""
