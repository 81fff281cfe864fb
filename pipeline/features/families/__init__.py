"""The features, family by family: each module maps names of the catalogue to functions of a View."""
