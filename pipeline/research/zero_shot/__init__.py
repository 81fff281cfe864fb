"""The lake's forecasts beside those of a model that was trained on other series and never saw its prices."""
