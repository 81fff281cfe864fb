"""What the training rows of a model looked like: measured when it is trained, kept with it, and compared with later."""
