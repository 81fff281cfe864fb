"""From landed corporate actions to dated facts: what a source states, what stands, what was taken back."""
