"""How good the forecasts were, what follows from it, and whether acting on it helped."""
