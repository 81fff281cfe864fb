"""What can be computed about a ticker at a close, and the windows models look through."""
