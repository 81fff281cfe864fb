"""The witnesses about a chart: prices on one level, payments beside them, histories, and what each makes likely."""
