"""What the operator is shown of learning: trainings as they run, and why a forecast is what it is."""
