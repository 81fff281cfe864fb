"""Whether what the champion is given still looks like what it was trained on."""
