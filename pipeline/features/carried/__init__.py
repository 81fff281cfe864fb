"""Values of features that stay as they are when others change: taken over from the rows of the set before."""
