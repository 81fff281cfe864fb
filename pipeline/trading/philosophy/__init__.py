"""The rules of the book, each a principle in one sentence: what may not be done, how much, and what to believe less."""
