"""Why a forecast lies where it lies: what each input adds to it, and what a model would be without one."""
