"""Which facts each value of a feature is made of, by its declaration, and which values each fact goes into."""
