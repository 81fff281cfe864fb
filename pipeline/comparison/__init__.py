"""Holds an older system's figures against the lake's, so that one can be moved over gradually."""
