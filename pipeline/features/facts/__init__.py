"""What expressions are computed from: each fact declared once, and laid out as a matrix where a feature needs it."""
