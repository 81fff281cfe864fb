"""What feature values of a lake are made of, and what becomes of them if a row says otherwise."""
