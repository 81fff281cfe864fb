"""What currencies were worth in each other, read from landed answers."""
