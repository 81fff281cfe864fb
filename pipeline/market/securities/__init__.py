"""Which company a ticker was, and when: facts become spells, and frames are named by company instead of by ticker."""
