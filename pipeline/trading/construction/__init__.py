"""Which weights to hold: one convex step a session, from expected returns, risk, costs and limits."""
