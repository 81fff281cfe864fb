"""The operator's own features, rules and ensemble members: loaded from files, tried, handed to the stages."""
