"""What a chart answer of Yahoo says: bars, corporate actions and the instrument, and where it contradicts itself."""
