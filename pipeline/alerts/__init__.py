"""Telling the operator: what a message says, and the channels it goes by."""
