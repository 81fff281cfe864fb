"""What is to be learned, as objects: label, loss, metrics, features, horizons and dates, and models for such tasks."""
