"""The book over many sessions in memory, by the very formulas of the stages that keep it session by session."""
