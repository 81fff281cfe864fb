"""Rules that plan trades, a market that fills them, and books that are exact to the cent."""
