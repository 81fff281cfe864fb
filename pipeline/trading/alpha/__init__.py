"""What the book may expect of each name: alpha from forecasts and their skill, risk from past returns."""
