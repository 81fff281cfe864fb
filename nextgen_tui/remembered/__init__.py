"""What is kept for the operator from one session to the next, in folders of his own."""
