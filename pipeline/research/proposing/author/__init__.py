"""A language model as an author of factors: what it is asked, how its answer is read, and that its words are kept."""
