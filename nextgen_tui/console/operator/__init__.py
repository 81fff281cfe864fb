"""What the operator types and decides in the console."""
