"""What came of the work: what came in, what was forecast, planned, earned and learned, as figures to look at."""
