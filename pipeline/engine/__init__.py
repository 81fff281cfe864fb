"""How stages run: their declaration, their order, the runner, and proof that a run can be repeated."""
