"""How wide intervals have to be: an order statistic of past scores, by horizon and regime, as sure as they make it."""
