"""The embedded market: seeded, with a vendor's faults, and with something planted for a learner to find."""
