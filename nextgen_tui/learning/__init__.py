"""Learning on a terminal: a model's card, trainings pass by pass, and why a forecast is what it is."""
